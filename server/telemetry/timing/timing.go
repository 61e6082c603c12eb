// Package timing counts durations in a histogram that is cheap enough for a hot path: an
// observation is two atomic additions, without lock or allocation.
package timing

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// buckets is how many bounds there are: a microsecond, doubled up to 33 s.
const buckets = 26

// Histogram counts durations. The zero value is ready and safe for concurrent use.
type Histogram struct {
	counts [buckets + 1]atomic.Uint64 // the last is for what is longer than every bound
	sum    atomic.Int64               // nanoseconds
}

// Observe counts one duration; a negative one counts as zero.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	// Bounds are inclusive: 1 µs is in the first bucket, 1,001 ns in the second.
	i := bits.Len64(uint64(max(d-1, 0)) / uint64(time.Microsecond))
	h.counts[min(i, buckets)].Add(1)
	h.sum.Add(int64(d))
}

// Snapshot is a histogram at one moment.
type Snapshot struct {
	Count uint64
	Sum   time.Duration
	// AtMost counts durations up to each bound, in seconds.
	AtMost map[float64]uint64
}

// Snapshot reads the histogram. Observations under way may be in one part of it and not yet
// in another.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{AtMost: make(map[float64]uint64, buckets)}
	for i := range buckets {
		s.Count += h.counts[i].Load()
		s.AtMost[(time.Microsecond << i).Seconds()] = s.Count
	}
	s.Count += h.counts[buckets].Load()
	s.Sum = time.Duration(h.sum.Load())
	return s
}
