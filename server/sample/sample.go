// Package sample holds the one value that every component of the platform
// passes on: a number at an instant, with a name and labels. It also holds the two codecs of that
// value: the body of POST /metrics (decode.go, strict) and a line of the storage
// file (line.go, forgiving).
//
// Samples are plain values. Nothing here is safe for concurrent mutation and
// nothing needs to be: a Sample is never changed after it was decoded.
package sample

import "unsafe"

// Limits on one sample and on one request.
const (
	// MaxNameBytes bounds a name in UTF-8 bytes after unescaping.
	MaxNameBytes = 1024
	// MaxBatch bounds the samples of one request, so that one request can never
	// fill an empty queue of the smallest permitted size.
	MaxBatch = 10_000
	// MaxFutureMillis is how far ahead of the server's clock a timestamp may lie.
	// A day absorbs any time-zone mistake of a client clock while it still catches
	// microseconds and nanoseconds sent as milliseconds.
	MaxFutureMillis = 24 * 60 * 60 * 1000
)

// Sample is one measured value.
type Sample struct {
	// Name is the metric's name: valid UTF-8, not blank, at most MaxNameBytes.
	Name string
	// Labels are "" for a sample that has none.
	Labels Labels
	// Value is finite. Infinities and NaN have no JSON form and are refused.
	Value float64
	// Timestamp is in Unix milliseconds.
	Timestamp int64
}

// Size is the memory of a sample in bytes, with its name and labels, which other samples
// may share.
func (s *Sample) Size() int { return int(unsafe.Sizeof(*s)) + len(s.Name) + len(s.Labels) }
