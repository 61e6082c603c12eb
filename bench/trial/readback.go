package trial

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"phase0/loadgen/engine"
	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
)

// readBack is what a storage file holds of a run, as found by a reader that shares
// no code with the server: one that both used could lose a sample twice.
type readBack struct {
	lines int64 // complete ones, of all runs
	torn  int64 // of them, not a sample

	lost, duplicated, recovered, phantom, zombie int64
}

// storedLine is one line of the file.
type storedLine struct {
	Name      *string
	Value     *float64
	Timestamp *int64
}

// parseStored reads one line. Anything but one whole sample is an error.
func parseStored(line []byte) (name string, value float64, err error) {
	var s storedLine
	if err := json.Unmarshal(line, &s); err != nil {
		return "", 0, fmt.Errorf("parse stored line: %w", err)
	}
	if s.Name == nil || s.Value == nil || s.Timestamp == nil {
		return "", 0, fmt.Errorf("parse stored line: %w: %.80q", errFormat, line)
	}
	return *s.Name, *s.Value, nil
}

// readBack compares a storage file with the ledger.
func (l *ledgered) readBack(path string) (readBack, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return readBack{}, fmt.Errorf("read stored samples: %w", err)
	}
	defer file.Close()
	var found readBack
	copies := map[int64]int{} // by the sample's number; no more than there are lines
	lines := bufio.NewReaderSize(file, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // what stands after the last line end is not a line yet
		}
		if err != nil {
			return readBack{}, fmt.Errorf("read stored samples: %w", err)
		}
		found.lines++
		name, value, err := parseStored(line)
		if err != nil {
			found.torn++
			continue
		}
		l.enter(&found, copies, name, value)
	}
	l.compare(&found, copies)
	return found, nil
}

// enter counts a stored sample if it is one of the run's.
func (l *ledgered) enter(found *readBack, copies map[int64]int, name string, value float64) {
	number, ours := strings.CutPrefix(name, "loadgen_"+l.runID+"_")
	if !ours {
		return
	}
	series, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil || series < 0 || series >= engine.SeriesCount:
		found.phantom++
	case value != math.Trunc(value) || value < 0 || value > float64(ledger.MaxRequests):
		found.phantom++
	default:
		copies[int64(value)*engine.SeriesCount+series]++
	}
}

// compare judges the ledger's requests, each of which carried one sample, by the
// copies that were found.
func (l *ledgered) compare(found *readBack, copies map[int64]int) {
	for i := range l.book.Len() {
		switch outcome, stored := l.book.At(i), copies[i] > 0; {
		case outcome == ledger.Accepted && !stored:
			found.lost++
		case outcome == ledger.Ambiguous && stored:
			found.recovered++
		case outcome == ledger.Refused && stored:
			found.zombie++
		}
	}
	for number, n := range copies {
		switch {
		case l.book.At(number) == ledger.NotSent:
			found.phantom += int64(n)
		case n > 1:
			found.duplicated++
		}
	}
}

// disagrees says where the file and the server's answers tell different things, or
// returns "".
func (b readBack) disagrees(v record.Verification) string {
	var all []string
	for _, c := range []struct {
		what         string
		file, server int64
	}{
		{"lost", b.lost, v.Lost}, {"duplicated", b.duplicated, v.Duplicated}, {"stored of the unanswered", b.recovered, v.Recovered},
		{"phantom", b.phantom, v.Phantom}, {"refused and stored", b.zombie, v.Zombie},
	} {
		if c.file != c.server {
			all = append(all, fmt.Sprintf("%s: %d by the file, %d by queries", c.what, c.file, c.server))
		}
	}
	return strings.Join(all, "; ")
}
