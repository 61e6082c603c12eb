// Package memory is the seed's queue: a list behind one mutex. It has no limit,
// which is its lesson: when samples arrive faster than storage takes them, memory
// grows until the process dies. Its consumer polls, as the seed's does: an empty
// queue is looked at again every PollInterval, so a lone sample waits up to that
// long before it is stored.
package memory

import (
	"context"
	"sync"
	"time"

	"phase0/server/queue"
	"phase0/server/sample"
)

// PollInterval is how long Pop sleeps when it finds nothing, as in the seed.
const PollInterval = 100 * time.Millisecond

// Queue implements queue.Queue. Create it with New.
type Queue struct {
	mu       sync.Mutex
	items    []sample.Sample
	head     int // items before head were acknowledged
	popped   int // items handed out by the last Pop
	pushes   []push
	oldest   int // pushes before oldest are acknowledged
	closed   bool
	closing  chan struct{}
	counters queue.Counters
}

// push notes when the samples up to a count were pushed.
type push struct {
	upTo uint64
	at   time.Time
}

// New returns an empty queue.
func New() *Queue { return &Queue{closing: make(chan struct{})} }

// Push appends; it fails only after Close.
func (q *Queue) Push(_ context.Context, samples []sample.Sample) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return queue.ErrClosed
	}
	q.items = append(q.items, samples...)
	q.counters.Push(len(samples))
	q.pushes = append(q.pushes, push{q.counters.Stats().Pushed, time.Now()})
	return nil
}

// Pop looks for samples every PollInterval. It does not gather beyond that.
func (q *Queue) Pop(ctx context.Context, want queue.Want) ([]sample.Sample, error) {
	for {
		samples, closed := q.tryPop(want)
		if len(samples) > 0 {
			return samples, nil
		}
		if closed {
			return nil, queue.ErrClosed
		}
		timer := time.NewTimer(PollInterval)
		select {
		case <-timer.C:
		case <-q.closing:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

func (q *Queue) tryPop(want queue.Want) (samples []sample.Sample, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.popped = 0
	bytes := 0
	for i := q.head; i < len(q.items) && q.popped < want.Samples; i++ {
		if bytes += q.items[i].Size(); bytes > want.Bytes && q.popped > 0 {
			break
		}
		q.popped++
	}
	return q.items[q.head : q.head+q.popped : q.head+q.popped], q.closed
}

// Ack drops what the last Pop returned.
func (q *Queue) Ack() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.head += q.popped
	q.counters.Ack(q.popped)
	q.popped = 0
	q.forgetPushes()
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > len(q.items)/2:
		// Move the rest to the front, so that memory follows the depth. Each item
		// moves at most once per halving: constant work per sample.
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}

// forgetPushes drops the pushes of which every sample is acknowledged.
func (q *Queue) forgetPushes() {
	for q.oldest < len(q.pushes) && q.pushes[q.oldest].upTo <= q.counters.Stats().Acked {
		q.oldest++
	}
	if q.oldest > len(q.pushes)/2 {
		n := copy(q.pushes, q.pushes[q.oldest:])
		q.pushes, q.oldest = q.pushes[:n], 0
	}
}

// Stats implements queue.Queue.
func (q *Queue) Stats() queue.Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.counters.Stats()
	if q.oldest < len(q.pushes) {
		s.Age = time.Since(q.pushes[q.oldest].at)
	}
	return s
}

// Close implements queue.Queue.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.closing)
	}
}
