// Package bounded is a queue with a limit. What does not fit is refused, so that
// overload turns into answers (503, Retry-After) instead of memory.
//
// Each push hands one batch over: the samples are copied into memory of their own, which
// is then linked, newest first, to what else has come in, with one compare-and-swap.
// Nobody waits for a lock. The consumer takes all that has come in with one exchange and
// turns it round. So the order is that in which the exchanges succeeded, and a push that
// begins after another has returned comes after it. Batches are used again.
package bounded

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"phase0/server/queue"
	"phase0/server/sample"
)

// Limit bounds a queue by samples and by the bytes that they take, including those that
// the consumer has popped and not acknowledged. Names and labels count with every sample,
// although samples share them: it is the most that they can take.
type Limit struct{ Samples, Bytes int }

// The depth in samples and bytes is one word, so that both are checked and taken at once.
const (
	bytesBits  = 38 // 256 GiB
	bytesMask  = 1<<bytesBits - 1
	maxSamples = 1<<(64-bytesBits) - 1
)

// needNone is the value of Queue.need while the consumer does not wait.
const needNone = math.MaxInt64

// Queue implements queue.Queue. Create it with New.
type Queue struct {
	limit Limit
	start time.Time
	wake  chan struct{} // holds a token when the consumer should look again
	spare spares

	newest atomic.Pointer[batch]
	depth  atomic.Uint64 // samples << bytesBits | bytes
	pushed atomic.Uint64
	peak   atomic.Int64
	need   atomic.Int64 // depth at which the consumer wants to be woken
	full   atomic.Bool  // a push was refused since the consumer last looked

	acked  atomic.Uint64
	oldest atomic.Int64 // when the oldest sample that the consumer knows of was pushed; 0 = none

	closing sync.Mutex
	end     batch // the newest for ever after Close
	out     outgoing
}

// New returns an empty queue.
func New(limit Limit) (*Queue, error) {
	switch {
	case limit.Samples < sample.MaxBatch || limit.Samples > maxSamples:
		return nil, fmt.Errorf("queue limit of %d samples is not between %d, the largest batch of one request, and %d", limit.Samples, sample.MaxBatch, maxSamples)
	case limit.Bytes < batchBytes(sample.MaxBatch) || limit.Bytes > bytesMask:
		return nil, fmt.Errorf("queue limit of %d bytes is not between %d, the largest batch of one request, and %d", limit.Bytes, batchBytes(sample.MaxBatch), bytesMask)
	}
	q := &Queue{limit: limit, start: time.Now(), wake: make(chan struct{}, 1)}
	q.need.Store(needNone)
	return q, nil
}

// Push implements queue.Queue.
func (q *Queue) Push(_ context.Context, samples []sample.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	held, err := q.Hold(samples)
	if err != nil {
		return err
	}
	if err := q.Put(held); err != nil {
		q.Drop(held)
		return err
	}
	return nil
}

// Held is a copy of samples that has its room in a queue, but is not in it yet.
type Held struct {
	batch   *batch
	samples int // as long as the consumer may have the batch, it is not ours to look at
	depth   int
}

// Hold is the first half of a Push: it takes room, and copies. Put or Drop must follow. The
// errors are those of Push. There is at least one sample.
func (q *Queue) Hold(samples []sample.Sample) (Held, error) {
	if q.newest.Load() == &q.end {
		return Held{}, queue.ErrClosed
	}
	bytes := batchBytes(len(samples))
	for i := range samples {
		bytes += textBytes(&samples[i])
	}
	depth, ok := q.reserve(len(samples), bytes)
	if !ok {
		if !q.full.Load() {
			q.full.Store(true)
		}
		q.wakeAt(needNone - 1)
		return Held{}, queue.ErrFull
	}
	b := q.spare.get(len(samples))
	b.samples = append(b.samples, samples...)
	b.bytes = bytes
	b.at = q.now()
	return Held{batch: b, samples: len(samples), depth: depth}, nil
}

// Put is the second half: the samples are in the queue, unless it is closed.
func (q *Queue) Put(h Held) error {
	if !q.link(h.batch) {
		return queue.ErrClosed
	}
	q.pushed.Add(uint64(h.samples))
	q.wakeAt(int64(h.depth))
	return nil
}

// Drop gives the room back instead.
func (q *Queue) Drop(h Held) {
	q.release(h.samples, h.batch.bytes)
	q.spare.put(h.batch)
}

// reserve takes room, or none. It returns the depth in samples.
func (q *Queue) reserve(samples, bytes int) (depth int, ok bool) {
	for {
		old := q.depth.Load()
		depth = int(old>>bytesBits) + samples
		if depth > q.limit.Samples || int(old&bytesMask)+bytes > q.limit.Bytes {
			return 0, false
		}
		if q.depth.CompareAndSwap(old, old+uint64(samples)<<bytesBits+uint64(bytes)) {
			break
		}
	}
	for {
		peak := q.peak.Load()
		if int64(depth) <= peak || q.peak.CompareAndSwap(peak, int64(depth)) {
			return depth, true
		}
	}
}

func (q *Queue) release(samples, bytes int) {
	q.depth.Add(-(uint64(samples)<<bytesBits + uint64(bytes)))
}

// link makes b the newest batch, unless the queue is closed.
func (q *Queue) link(b *batch) bool {
	for {
		newest := q.newest.Load()
		if newest == &q.end {
			return false
		}
		b.next = newest
		if q.newest.CompareAndSwap(newest, b) {
			return true
		}
	}
}

// wakeAt wakes the consumer if it waits for this depth. One push does, not all.
func (q *Queue) wakeAt(depth int64) {
	if need := q.need.Load(); need <= depth && q.need.CompareAndSwap(need, needNone) {
		q.signal()
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// now is never 0, which Queue.oldest takes for none.
func (q *Queue) now() int64 { return int64(time.Since(q.start)) + 1 }

// Stats implements queue.Queue.
func (q *Queue) Stats() queue.Stats {
	depth := q.depth.Load()
	s := queue.Stats{
		Depth:  int(depth >> bytesBits),
		Bytes:  int(depth & bytesMask),
		Peak:   int(q.peak.Load()),
		Pushed: q.pushed.Load(),
		Acked:  q.acked.Load(),
	}
	if oldest := q.oldest.Load(); oldest > 0 {
		s.Age = time.Duration(q.now() - oldest)
	}
	return s
}

// Close implements queue.Queue.
func (q *Queue) Close() {
	q.closing.Lock()
	defer q.closing.Unlock()
	for {
		newest := q.newest.Load()
		if newest == &q.end {
			return
		}
		// The consumer reads the link only after it has seen the end.
		q.end.next = newest
		if q.newest.CompareAndSwap(newest, &q.end) {
			break
		}
	}
	q.signal()
}
