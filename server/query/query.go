// Package query answers questions about what storage holds. Its contract is
// Engine, which streams the samples that match a Selector; Exec builds the
// answer of GET /query on top of any Engine: time order, limit and bound.
//
// Mechanisms are child packages: scan reads and parses the whole file for every
// question. All engines are safe for concurrent use.
package query

import (
	"context"
	"errors"

	"phase0/server/sample"
)

// ErrTooManySamples is returned by Exec when more samples match than the
// request's bound allows.
var ErrTooManySamples = errors.New("query matches too many samples")

// Selector picks samples by exact name and by time.
type Selector struct {
	Name string
	// Start and End are Unix milliseconds, both inclusive.
	Start, End int64
}

// Matches reports whether s is selected.
func (sel Selector) Matches(s sample.Sample) bool {
	return s.Timestamp >= sel.Start && s.Timestamp <= sel.End && s.Name == sel.Name
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

// MaxLineBytes bounds a line of the storage file, its line end included. What is longer
// is foreign, whatever it holds, so that engines read with buffers of a fixed size.
const MaxLineBytes = 256 << 10

// Engine streams stored samples.
type Engine interface {
	// Select calls yield once for every stored sample that sel matches, in the
	// order of the file, until yield returns false, the context ends or the
	// storage is exhausted. What was stored before the call is seen; what is
	// appended during it may or may not be. A file that does not exist yet holds
	// no samples. The error is the context's or wraps the one of reading.
	Select(ctx context.Context, sel Selector, yield func(sample.Sample) bool) (Stats, error)
}
