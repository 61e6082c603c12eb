package trial

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// Points describes a storage file that bench writes for query trials: N samples,
// one per PointStep, spread at random over PointSeries series.
type Points struct {
	N    int
	Seed uint64
}

// The shape of a prepared file.
const (
	PointSeries = 8
	// PointStart is the first timestamp, in Unix milliseconds.
	PointStart = 1696789234567
	// PointStep is the time between two samples, in milliseconds.
	PointStep = 10
	// windowShare is the share of the time range that a query asks for, as one in
	// so many: with eight series, an answer holds about 1 % of the points.
	windowShare = 10
	pointStream = 0x706f696e
)

// Window returns the time range that queries ask for, inclusive: the middle
// tenth of the file.
func (p Points) Window() (start, end int64) {
	length := p.N / windowShare
	first := (p.N - length) / 2
	return PointStart + int64(first)*PointStep, PointStart + int64(first+length)*PointStep - 1
}

// Name returns the series that queries ask for.
func (p Points) Name() string { return seriesName(3) }

func seriesName(i int) string { return "series_" + strconv.Itoa(i) }

// Write writes the file's lines to w and returns how many of them a query for
// Name in Window must answer.
func (p Points) Write(w io.Writer) (expected int, err error) {
	rng := rand.New(rand.NewPCG(p.Seed, pointStream))
	start, end := p.Window()
	lines := bufio.NewWriter(w)
	var line []byte
	for i := range p.N {
		series := rng.IntN(PointSeries)
		at := PointStart + int64(i)*PointStep
		if seriesName(series) == p.Name() && at >= start && at <= end {
			expected++
		}
		line = append(line[:0], `{"name":"series_`...)
		line = strconv.AppendInt(line, int64(series), 10)
		line = append(line, `","value":`...)
		line = strconv.AppendFloat(line, float64(rng.IntN(10_000))/100, 'f', -1, 64)
		line = append(line, `,"timestamp":`...)
		line = strconv.AppendInt(line, at, 10)
		line = append(line, "}\n"...)
		if _, err := lines.Write(line); err != nil {
			return 0, fmt.Errorf("write points: %w", err)
		}
	}
	if err := lines.Flush(); err != nil {
		return 0, fmt.Errorf("write points: %w", err)
	}
	return expected, nil
}

// create writes the file at path.
func (p Points) create(path string) (expected int, err error) {
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, fmt.Errorf("create points: %w", err)
	}
	if expected, err = p.Write(file); err != nil {
		file.Close()
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, fmt.Errorf("create points: %w", err)
	}
	return expected, nil
}
