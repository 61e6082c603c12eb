package wal

// Progress is told from time to time how far a start is: what it does, and how many of how
// many bytes it has read or written for that. Its error ends the start, which can be made
// again as if nothing had been. It may be nil.
//
// It compares the storage file with the log ("compare"), writes again what of the file may
// not be on the disk ("rewrite"), reads the whole log ("log") and syncs it ("sync").
type Progress func(step string, done, total int64) error

const (
	// tellRecords and tellLines are how many are read between two calls: some milliseconds.
	tellRecords = 1 << 14
	tellLines   = 1 << 14
	// tellBytes is how much is written between two calls.
	tellBytes = 16 << 20
)

func (p Progress) told(step string, done, total int64) error {
	if p == nil {
		return nil
	}
	return p(step, done, total)
}
