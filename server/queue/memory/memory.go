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
	closed   bool
	closing  chan struct{}
	counters queue.Counters
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
	return nil
}

// Pop looks for samples every PollInterval.
func (q *Queue) Pop(ctx context.Context, max int) ([]sample.Sample, error) {
	for {
		samples, closed := q.tryPop(max)
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

func (q *Queue) tryPop(max int) (samples []sample.Sample, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.popped = min(max, len(q.items)-q.head)
	return q.items[q.head : q.head+q.popped : q.head+q.popped], q.closed
}

// Ack drops what the last Pop returned.
func (q *Queue) Ack() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.head += q.popped
	q.counters.Ack(q.popped)
	q.popped = 0
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

// Stats implements queue.Queue.
func (q *Queue) Stats() queue.Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counters.Stats()
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
