// Package bounded is a queue with a limit. What does not fit is refused, so that
// overload turns into answers (503, Retry-After) instead of memory. Producers
// append to one buffer while the consumer works through the other; the two are
// swapped when the consumer runs out, so a lock is held for a copy at most.
package bounded

import (
	"context"
	"fmt"
	"sync"

	"phase0/server/queue"
	"phase0/server/sample"
)

// Queue implements queue.Queue. Create it with New.
type Queue struct {
	limit int
	wake  chan struct{} // holds a token while there may be something to pop

	mu       sync.Mutex
	incoming []sample.Sample
	closed   bool
	counters queue.Counters

	// The consumer's side; only Pop and Ack touch it.
	outgoing []sample.Sample
	head     int
	popped   int
}

// New returns an empty queue that holds at most limit samples, those that the
// consumer has popped but not acknowledged included.
func New(limit int) (*Queue, error) {
	if limit < sample.MaxBatch {
		return nil, fmt.Errorf("queue limit %d is below %d, the largest batch of one request", limit, sample.MaxBatch)
	}
	return &Queue{limit: limit, wake: make(chan struct{}, 1)}, nil
}

// Push appends or returns queue.ErrFull.
func (q *Queue) Push(_ context.Context, samples []sample.Sample) error {
	if err := q.push(samples); err != nil {
		return err
	}
	q.signal()
	return nil
}

func (q *Queue) push(samples []sample.Sample) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return queue.ErrClosed
	}
	if q.counters.Stats().Depth+len(samples) > q.limit {
		return queue.ErrFull
	}
	q.incoming = append(q.incoming, samples...)
	q.counters.Push(len(samples))
	return nil
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// Pop waits for samples.
func (q *Queue) Pop(ctx context.Context, max int) ([]sample.Sample, error) {
	for q.head == len(q.outgoing) {
		if q.swap() {
			break
		}
		if q.isClosed() {
			return nil, queue.ErrClosed
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	q.popped = min(max, len(q.outgoing)-q.head)
	return q.outgoing[q.head : q.head+q.popped : q.head+q.popped], nil
}

// swap takes what has come in and leaves the emptied buffer for more.
func (q *Queue) swap() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.incoming) == 0 {
		return false
	}
	q.incoming, q.outgoing = q.outgoing[:0], q.incoming
	q.head = 0
	return true
}

// isClosed reports whether nothing will come any more. A push that won the race
// against Close is still in incoming, so that is looked at too.
func (q *Queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && len(q.incoming) == 0
}

// Ack implements queue.Queue.
func (q *Queue) Ack() {
	q.head += q.popped
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counters.Ack(q.popped)
	q.popped = 0
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
	q.closed = true
	q.mu.Unlock()
	q.signal()
}
