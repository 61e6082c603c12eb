package bounded

import (
	"context"
	"time"

	"phase0/server/queue"
	"phase0/server/sample"
)

// outgoing is the consumer's side; only Pop and Ack touch it.
type outgoing struct {
	first, last *batch // in the order of arrival
	offset      int    // samples of first that are acknowledged
	ended       bool   // nothing will come in any more

	joined  []sample.Sample // samples of several small batches
	samples int             // of the last Pop
	bytes   int             // and what they took of the limit
	size    int             // and the sum of their Sample.Size
	timer   *time.Timer
}

// Pop implements queue.Queue.
func (q *Queue) Pop(ctx context.Context, want queue.Want) ([]sample.Sample, error) {
	for !q.collect() {
		if q.out.ended {
			return nil, queue.ErrClosed
		}
		if err := q.sleep(ctx); err != nil {
			return nil, err
		}
	}
	if patience := time.Until(want.Until); patience > 0 {
		q.gather(ctx, want.Samples, patience)
	}
	return q.choose(want), nil
}

// PoppedSize returns the sum of Sample.Size of what the last Pop returned, until its Ack.
func (q *Queue) PoppedSize() int { return q.out.size }

// collect moves what has come in to the consumer's side and reports whether there is
// anything.
func (q *Queue) collect() bool {
	var oldest, newest *batch
	for b := q.take(); b != nil; {
		next := b.next
		b.next = oldest
		if oldest = b; newest == nil {
			newest = b
		}
		b = next
	}
	o := &q.out
	switch {
	case oldest == nil:
	case o.first == nil:
		o.first, o.last = oldest, newest
		q.oldest.Store(oldest.at)
	default:
		o.last.next, o.last = oldest, newest
	}
	return o.first != nil
}

// take returns all that has come in, newest first.
func (q *Queue) take() *batch {
	for {
		newest := q.newest.Load()
		if newest == &q.end {
			left := q.end.next
			q.end.next, q.out.ended = nil, true
			return left
		}
		if q.newest.CompareAndSwap(newest, nil) {
			return newest
		}
	}
}

// sleep lasts until there is something to collect.
func (q *Queue) sleep(ctx context.Context) error {
	q.need.Store(1)
	defer q.need.Store(needNone)
	if q.newest.Load() != nil { // came in before the need was known
		return nil
	}
	select {
	case <-q.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gather waits until enough is there, no more fits, or the time is over.
func (q *Queue) gather(ctx context.Context, samples int, patience time.Duration) {
	if q.out.timer == nil {
		q.out.timer = time.NewTimer(patience)
	} else {
		q.out.timer.Reset(patience)
	}
	defer q.out.timer.Stop()
	defer q.need.Store(needNone)
	for !q.out.ended && !q.full.Swap(false) {
		q.need.Store(int64(samples))
		if int(q.depth.Load()>>bytesBits) >= samples {
			break
		}
		select {
		case <-q.wake:
		case <-q.out.timer.C:
			q.collect()
			return
		case <-ctx.Done():
			return
		}
		q.collect() // notices the end
	}
	q.collect()
}

// choose returns the first samples. A large batch is handed out as it is; small ones are
// joined, so that storage has more to write at once.
func (q *Queue) choose(want queue.Want) []sample.Sample {
	o := &q.out
	o.joined, o.samples, o.bytes, o.size = o.joined[:0], 0, 0, 0
	rest := o.first.samples[o.offset:]
	if o.first.next == nil || len(rest) > want.Samples/2 {
		o.samples, o.bytes = want.Fit(rest, 1)
		o.size = o.bytes
		return rest[:o.samples:o.samples]
	}
	for o.first != nil {
		rest = o.first.samples[o.offset:]
		left := queue.Want{Samples: want.Samples - o.samples, Bytes: want.Bytes - o.bytes}
		n, bytes := left.Fit(rest, 1-min(o.samples, 1))
		if n < len(rest) && o.samples > 0 {
			break // it begins the next Pop
		}
		o.joined = append(o.joined, rest[:n]...)
		o.samples += n
		o.size += bytes
		if n < len(rest) {
			o.bytes += bytes
			o.first.bytes -= bytes
			o.offset += n
			break
		}
		o.bytes += o.first.bytes
		q.drop()
	}
	return o.joined
}

// drop recycles the first batch.
func (q *Queue) drop() {
	o := &q.out
	b := o.first
	o.first, o.offset = b.next, 0
	if o.first == nil {
		o.last = nil
	}
	q.spare.put(b)
}

// Ack implements queue.Queue.
func (q *Queue) Ack() {
	o := &q.out
	if len(o.joined) == 0 && o.samples > 0 {
		// Popped straight from the first batch. With its last samples goes all that is
		// left of its bytes.
		o.offset += o.samples
		if o.offset == len(o.first.samples) {
			o.bytes = o.first.bytes
			q.drop()
		} else {
			o.first.bytes -= o.bytes
		}
	}
	q.acked.Add(uint64(o.samples))
	oldest := int64(0)
	if o.first != nil {
		oldest = o.first.at
	}
	q.oldest.Store(oldest)
	q.release(o.samples, o.bytes)
	o.samples, o.bytes, o.size, o.joined = 0, 0, 0, o.joined[:0]
}
