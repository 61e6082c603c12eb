package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// smallPoints is the size of the small file to scan.
const smallPoints = 100_000

// newestMinute is how many milliseconds a query for the newest minute goes back from
// the last sample.
const newestMinute = 60_000

// file is a prepared storage file and what queries for its series must find.
type file struct {
	path  string
	bytes int64
	lines int
	// rows are the series' samples in the newest minute; values is how many it has in
	// all, p99 their nearest-rank percentile.
	rows, values int
	p99          float64
	last         int64 // its newest timestamp
}

// files are made when they are first needed.
type files struct {
	mu   sync.Mutex
	made map[string]file
}

// file returns the file of a case.
func (r *rig) file(which string) (file, error) {
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	if f, ok := r.files.made[which]; ok {
		return f, nil
	}
	points := trial.Points{N: r.options.points, Seed: r.options.seed}
	if which == caseSmall {
		points.N = smallPoints
	}
	f := file{path: filepath.Join(r.dir, fmt.Sprintf("points-%d.jsonl", len(r.files.made))), lines: points.N}
	if err := f.create(points, which == casePercent); err != nil {
		return file{}, err
	}
	if r.files.made == nil {
		r.files.made = map[string]file{}
	}
	r.files.made[which] = f
	return f, nil
}

// create writes the file, with all series made one on demand, and reads it back, so
// that it is in the page cache and its true answers are known.
func (f *file) create(p trial.Points, one bool) error {
	to, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("create points: %w", err)
	}
	out := bufio.NewWriterSize(to, 1<<20)
	var w io.Writer = out
	if one {
		w = &renamer{to: out, name: p.Name()}
	}
	_, err = p.Write(w)
	if err := errors.Join(err, out.Flush(), to.Close()); err != nil {
		return fmt.Errorf("create points: %w", err)
	}
	return f.learn(p.Name())
}

// renamer gives all lines that pass through it one name, of the same length as
// theirs. A line may come in several pieces.
type renamer struct {
	to   io.Writer
	name string
	at   int // in the line
}

const linePrefix = `{"name":"`

// Write implements io.Writer.
func (r *renamer) Write(p []byte) (int, error) {
	changed := bytes.Clone(p)
	for i, c := range p {
		if at := r.at - len(linePrefix); at >= 0 && at < len(r.name) {
			changed[i] = r.name[at]
		}
		if r.at++; c == '\n' {
			r.at = 0
		}
	}
	if _, err := r.to.Write(changed); err != nil {
		return 0, err
	}
	return len(p), nil
}

// learn reads the file and works out the answers, by other code than the server's.
func (f *file) learn(name string) error {
	from, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("read points: %w", err)
	}
	defer from.Close()
	f.last = trial.PointStart + int64(f.lines-1)*trial.PointStep
	prefix := []byte(linePrefix + name + `","value":`)
	var values []float64
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		f.bytes += int64(len(lines.Bytes())) + 1
		rest, ours := bytes.CutPrefix(lines.Bytes(), prefix)
		if !ours {
			continue
		}
		value, at, err := parsePoint(rest)
		if err != nil {
			return err
		}
		values = append(values, value)
		if at > f.last-newestMinute {
			f.rows++
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read points: %w", err)
	}
	slices.Sort(values)
	f.values, f.p99 = len(values), stat.Quantile(values, stat.P99)
	return nil
}

var errPoint = errors.New("not VALUE,\"timestamp\":TIME}")

// parsePoint reads what follows the name and "value": in a line.
func parsePoint(rest []byte) (value float64, at int64, err error) {
	number, tail, ok1 := bytes.Cut(rest, []byte(`,"timestamp":`))
	stamp, ok2 := bytes.CutSuffix(tail, []byte("}"))
	value, err1 := strconv.ParseFloat(string(number), 64)
	at, err2 := strconv.ParseInt(string(stamp), 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || math.IsNaN(value) {
		return 0, 0, fmt.Errorf("read points: %.60q: %w", rest, errPoint)
	}
	return value, at, nil
}
