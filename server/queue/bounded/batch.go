package bounded

import (
	"math/bits"
	"sync"
	"unsafe"

	"phase0/server/sample"
)

// batch is what one push brought.
type batch struct {
	samples []sample.Sample
	bytes   int   // that it takes of the limit
	at      int64 // when it was pushed
	next    *batch
}

// Capacities are powers of four. Few kinds are needed, and what is charged for a batch is
// what its memory is, not what of it is used.
const kinds = 8 // up to 4^7 = 16,384 samples, above sample.MaxBatch

func kindOf(samples int) int { return (bits.Len(uint(samples-1)) + 1) / 2 }

// batchBytes is the memory of a batch without names and labels.
func batchBytes(samples int) int {
	return int(unsafe.Sizeof(batch{})) + int(unsafe.Sizeof(sample.Sample{}))<<(2*kindOf(samples))
}

func textBytes(s *sample.Sample) int { return len(s.Name) + len(s.Labels) }

// spares keeps empty batches by capacity.
type spares [kinds]sync.Pool

func (s *spares) get(samples int) *batch {
	kind := kindOf(samples)
	if kind < kinds {
		if b, ok := s[kind].Get().(*batch); ok {
			return b
		}
	}
	return &batch{samples: make([]sample.Sample, 0, 1<<(2*kind))}
}

// put takes back what get gave. Its samples are left as they are: what they refer to is
// kept alive a little longer, which is cheaper than to clear them.
func (s *spares) put(b *batch) {
	kind := kindOf(cap(b.samples))
	b.samples, b.next = b.samples[:0], nil
	if kind < kinds {
		s[kind].Put(b)
	}
}
