// Package queue is the buffer between ingest and storage. Its contract is Queue;
// the mechanisms are child packages: memory, the seed's unbounded list, and
// bounded, which refuses what it cannot hold. Package queuetest is the suite
// that every mechanism passes.
package queue

import (
	"context"
	"errors"
	"time"

	"phase0/server/disk"
	"phase0/server/sample"
)

// ErrFull is returned by Push when the queue would exceed its limit. The sender
// is expected to come back later: this is the platform's backpressure.
var ErrFull = errors.New("queue is full")

// ErrClosed is returned by Push after Close, and by Pop when it has handed out
// everything that was pushed before Close.
var ErrClosed = errors.New("queue is closed")

// ErrUnavailable is wrapped by Push's error when a durable queue cannot keep its promise at
// present. Whether the samples survive is unknown; they are not in the queue.
var ErrUnavailable = errors.New("queue cannot be written")

// Queue is a first-in, first-out buffer of samples. Push and Stats are safe for
// concurrent use. Pop and Ack belong to one goroutine, the consumer.
type Queue interface {
	// Push appends all samples or none. It copies them, so the caller may reuse
	// the slice. It does not wait for room: it returns ErrFull. What was pushed when
	// Push has returned is before everything whose Push begins afterwards, whoever
	// pushes it.
	Push(ctx context.Context, samples []sample.Sample) error
	// Pop waits for samples and returns some of them, at least one and at most what
	// is wanted, in the order in which they were pushed. The slice is valid until Ack,
	// which must be called before the next Pop. The error is ErrClosed or the context's.
	Pop(ctx context.Context, want Want) ([]sample.Sample, error)
	// Ack says that the samples of the last Pop are stored. Only then do they
	// leave the depth.
	Ack()
	// Stats returns the counters as they are now.
	Stats() Stats
	// Close refuses further pushes and lets Pop drain what is there. It may be
	// called more than once.
	Close()
}

// Early is a Queue whose Push may wait long, for a disk. In two halves it lets the caller use
// the samples' memory for something else meanwhile.
type Early interface {
	Queue
	// Begin is the first half of a Push of at least one sample: they are copied. Unless it
	// fails, Wait of what it returns must be called, once.
	Begin(samples []sample.Sample) (Pending, error)
}

// Pending is a Push that was begun. Wait returns what Push would.
type Pending interface{ Wait() error }

// Durable is a Queue that gives out after a restart what was not stored before it. For that
// it has to know how far the storage file is. The methods belong to the consumer.
type Durable interface {
	Queue
	// Due tells that a checkpoint is worth its cost. It is cheap.
	Due() bool
	// Checkpoint says that every sample that was acknowledged is on the disk, within what
	// the mark tells of the storage file, and that nothing follows there. The queue forgets
	// those samples. It may be called again after an error.
	Checkpoint(mark disk.Mark) error
}

// Want is how much a Pop is to return.
type Want struct {
	// Samples and Bytes are the most; bytes are those of Sample.Size. One sample is
	// returned whatever its size.
	Samples int
	Bytes   int
	// Until is when Pop stops waiting for more if there is something but less than
	// Samples. A mechanism may stop sooner.
	Until time.Time
}

// Fit returns how many of the samples are wanted, from the first on, and the sum of their
// Sample.Size. So many as least says are wanted whatever their size.
func (w Want) Fit(samples []sample.Sample, least int) (n, size int) {
	for n < len(samples) && n < w.Samples {
		next := samples[n].Size()
		if n >= least && size+next > w.Bytes {
			break
		}
		size += next
		n++
	}
	return n, size
}

// Stats counts samples. Depth is what was pushed and not yet acknowledged: at 0
// every accepted sample can be queried.
type Stats struct {
	Depth  int
	Peak   int
	Pushed uint64
	Acked  uint64
	// Bytes is what the depth takes in memory at most; a mechanism without a limit to
	// it leaves it 0.
	Bytes int
	// Age is how long ago the oldest sample of the depth was pushed; 0 when it is empty,
	// and while the consumer has not looked at it yet.
	Age time.Duration
}

// Counters keeps Stats for a mechanism. It is not safe for concurrent use: the
// mechanism's own lock guards it.
type Counters struct{ s Stats }

// Push counts n samples in.
func (c *Counters) Push(n int) {
	c.s.Pushed += uint64(n)
	c.s.Depth += n
	c.s.Peak = max(c.s.Peak, c.s.Depth)
}

// Ack counts n samples out.
func (c *Counters) Ack(n int) {
	c.s.Acked += uint64(n)
	c.s.Depth -= n
}

// Stats returns a copy.
func (c *Counters) Stats() Stats { return c.s }
