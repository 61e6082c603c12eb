package trial

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
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
	// PointsPerMinute is how many points a minute of the file has.
	PointsPerMinute = 60_000 / PointStep
	// valueSteps is how many different values there are, 0.01 apart.
	valueSteps  = 10_000
	pointStream = 0x706f696e
)

// Window returns the newest share of the file's time, inclusive.
func (p Points) Window(share float64) (start, end int64) {
	length := min(p.N, max(1, int(float64(p.N)*share+0.5)))
	end = PointStart + int64(p.N)*PointStep
	return end - int64(length)*PointStep, end - 1
}

// Name returns the name of one of the series.
func (p Points) Name() string { return seriesName(3) }

func seriesName(i int) string { return "series_" + strconv.Itoa(i) }

// each calls yield for every point in order, with its value in steps of 0.01, until it
// returns false.
func (p Points) each(yield func(series int, value int, timestamp int64) bool) {
	rng := rand.New(rand.NewPCG(p.Seed, pointStream))
	for i := range p.N {
		series, value := rng.IntN(PointSeries), rng.IntN(valueSteps)
		if !yield(series, value, PointStart+int64(i)*PointStep) {
			return
		}
	}
}

// Write writes the file's lines to w and returns how many it wrote.
func (p Points) Write(w io.Writer) (written int, err error) {
	lines := bufio.NewWriterSize(w, 1<<20)
	var line []byte
	p.each(func(series, value int, timestamp int64) bool {
		line = append(line[:0], `{"name":"series_`...)
		line = strconv.AppendInt(line, int64(series), 10)
		line = append(line, `","value":`...)
		line = strconv.AppendFloat(line, float64(value)/100, 'f', -1, 64)
		line = append(line, `,"timestamp":`...)
		line = strconv.AppendInt(line, timestamp, 10)
		line = append(line, "}\n"...)
		if _, err = lines.Write(line); err == nil {
			written++
		}
		return err == nil
	})
	if err == nil {
		err = lines.Flush()
	}
	if err != nil {
		return written, fmt.Errorf("write points: %w", err)
	}
	return written, nil
}

// truth is what a question about a prepared file must be answered with.
type truth struct {
	samples int
	// counts of the values, by their steps.
	counts []int
}

// truth goes through all points of one series in a window. It shares no code with
// the server.
func (p Points) truth(series int, start, end int64) truth {
	t := truth{counts: make([]int, valueSteps)}
	p.each(func(of, value int, timestamp int64) bool {
		if of == series && timestamp >= start && timestamp <= end {
			t.samples++
			t.counts[value]++
		}
		return true
	})
	return t
}

// quantile returns the value of the nearest rank for per out of of: 99, 100 is p99.
func (t truth) quantile(per, of int) float64 {
	rank := max(1, (t.samples*per+of-1)/of)
	for value, n := range t.counts {
		if rank -= n; rank <= 0 {
			return float64(value) / 100
		}
	}
	return 0
}

// aggregates are the figures whose truth is known exactly.
var aggregates = map[string]func(truth) float64{
	"count": func(t truth) float64 { return float64(t.samples) },
	"min":   func(t truth) float64 { return t.quantile(0, 1) },
	"max":   func(t truth) float64 { return t.quantile(1, 1) },
	"p50":   func(t truth) float64 { return t.quantile(1, 2) },
	"p90":   func(t truth) float64 { return t.quantile(9, 10) },
	"p99":   func(t truth) float64 { return t.quantile(99, 100) },
	"p99.9": func(t truth) float64 { return t.quantile(999, 1000) },
}

// Aggregates returns the names that Query.Agg may have.
func Aggregates() []string {
	var names []string
	for name := range aggregates {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}
