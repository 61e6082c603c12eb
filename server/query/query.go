// Package query answers questions about what storage holds. Its contract is
// Engine, which streams the samples that match a Selector or folds them into
// aggregates; Exec and AggregateRequest.Run build the answers of GET /query on top of any Engine.
//
// Mechanisms are child packages: scan reads and parses the whole file for every
// question, parallel passes over what an index rules out and uses all cores. All
// engines are safe for concurrent use and give the same answers, but for the last
// digits of sums.
package query

import (
	"context"
	"errors"

	"phase0/server/query/recent"
	"phase0/server/sample"
)

// Errors of Exec and AggregateRequest.Run about requests that ask for too much.
var (
	// ErrTooManySamples is returned when more samples match than one answer may hold.
	ErrTooManySamples = errors.New("query matches too many samples")
	// ErrTooManyBytes is returned when what matches makes a longer text than one answer may be.
	ErrTooManyBytes = errors.New("answer is too long")
	// ErrTooManyValues is returned when more samples match than percentiles may be
	// computed of.
	ErrTooManyValues = errors.New("percentiles of too many samples")
	// ErrTooManyPoints is returned when a range has more than MaxPoints steps.
	ErrTooManyPoints = errors.New("range has too many steps")
)

// Selector picks samples by exact name, time, value and labels.
type Selector struct {
	Name string
	// Start and End are Unix milliseconds, both inclusive.
	Start, End int64
	// Min and Max bound the value, both inclusive; nil does not.
	Min, Max *float64
	// Labels must match, all of them.
	Labels []Matcher
	// Bytes is how much of the beginning of the storage file counts, up to the end of a
	// line; 0 counts all of it.
	Bytes int64
}

// Within returns how much of a file of that size counts.
func (sel *Selector) Within(size int64) int64 {
	if sel.Bytes > 0 {
		return min(size, sel.Bytes)
	}
	return size
}

// Matches reports whether s is selected.
func (sel *Selector) Matches(s sample.Sample) bool {
	return sel.matchesNumbers(&s) && s.Name == sel.Name && sel.matchesLabels(s.Labels)
}

func (sel *Selector) matchesNumbers(s *sample.Sample) bool {
	return s.Timestamp >= sel.Start && s.Timestamp <= sel.End &&
		(sel.Min == nil || s.Value >= *sel.Min) && (sel.Max == nil || s.Value <= *sel.Max)
}

func (sel *Selector) matchesLabels(labels sample.Labels) bool {
	for i := range sel.Labels {
		if !sel.Labels[i].Matches(labels) {
			return false
		}
	}
	return true
}

// verdictBytes bounds the labels that a Filter remembers, twice. It is larger than for other
// texts, since a regular expression costs far more than a look at a line, and is let go with
// the query.
const verdictBytes = 4 << 20

// Filter is a Selector that remembers which sets of labels match, so that a regular
// expression is tried once for each, as long as there are not too many. It belongs to one
// goroutine.
type Filter struct {
	Selector
	verdicts recent.Map[bool]
}

// Matches is Selector.Matches.
func (f *Filter) Matches(s *sample.Sample) bool {
	return s.Name == f.Name && f.MatchesNumbers(s) && f.MatchesLabels(s.Labels)
}

// MatchesNumbers is the part of Matches about time and value.
func (f *Filter) MatchesNumbers(s *sample.Sample) bool { return f.matchesNumbers(s) }

// MatchesLabels is the part of Matches about labels.
func (f *Filter) MatchesLabels(labels sample.Labels) bool {
	if len(f.Labels) == 0 {
		return true
	}
	f.verdicts.Bytes = verdictBytes
	verdict, ok := f.verdicts.Get(string(labels))
	if !ok {
		verdict = f.matchesLabels(labels)
		f.verdicts.Put(string(labels), verdict)
	}
	return verdict
}

// Stats says what answering cost.
type Stats struct {
	Samples int64 // samples read, whether they matched or not
	Bytes   int64 // bytes of the storage file read
	Skipped int64 // torn or foreign lines in the file
	// BlocksSkipped counts the stretches of the file that an index made it unnecessary
	// to read. Of what is in them only lines that are none are counted above.
	BlocksSkipped int64
}

// Add adds what another pass over the file cost.
func (s *Stats) Add(o Stats) {
	s.Samples += o.Samples
	s.Bytes += o.Bytes
	s.Skipped += o.Skipped
	s.BlocksSkipped += o.BlocksSkipped
}

// Engine reads stored samples, from lines of at most sample.MaxLineBytes. What was stored before a call is seen; what is appended
// during it may or may not be. A file that does not exist yet holds no samples. The
// error is the context's or wraps the one of reading.
type Engine interface {
	// Select calls yield once for every stored sample that sel matches, in the order of
	// the file, until yield returns false, the context ends or the storage is exhausted.
	Select(ctx context.Context, sel Selector, yield func(sample.Sample) bool) (Stats, error)
	// Fold adds every stored sample that sel matches to f, which is empty. It ends early
	// when f is full, which f itself tells.
	Fold(ctx context.Context, sel Selector, f *Fold) (Stats, error)
}
