// Package consumer moves samples from the queue to storage. It is the only
// goroutine that pops and the only one that appends. A failed append is tried
// again with growing pauses until it succeeds: an accepted sample is dropped only
// when the process is told to give up. Meanwhile Err tells why, so that ingest can
// refuse new samples.
//
// Appends are grouped: unless enough waits to fill one, an append begins no sooner than the
// flush interval after the last one began. So a lone sample is appended at once, and under
// load the cost of an append is shared by what came in meanwhile.
package consumer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/queue"
	"phase0/server/sample"
	"phase0/server/storage"
	"phase0/server/telemetry/timing"
)

const (
	// batchSamples and batchBytes are the most that is popped, appended and acknowledged
	// at once: enough to make a write's cost small beside its lines, and little enough
	// that the depth shows progress while storage is slow.
	batchSamples = 1024
	batchBytes   = 1 << 20
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// Config is what a consumer needs.
type Config struct {
	Queue queue.Queue
	Store storage.Store
	// FlushInterval is the least time between the beginnings of two appends that are not
	// full; 0 appends what there is at once.
	FlushInterval time.Duration
	// Tap is told of each batch; nil tells nobody.
	Tap Tap
	Log zerolog.Logger
}

// Tap sees what is stored, before it is.
type Tap interface {
	// Observe is called before a batch is appended, in the order of the batches. It copies
	// what it keeps and does not wait without bound.
	Observe([]sample.Sample)
	// Stored is called when the batch of the last Observe is in storage, before the next
	// one, and not at all when the consumer gives up.
	Stored()
}

type noTap struct{}

func (noTap) Observe([]sample.Sample) {}
func (noTap) Stored()                 {}

// Consumer drains a queue into a store. Create it with New.
type Consumer struct {
	cfg     Config
	durable queue.Durable // nil for a queue that dies with the process
	early   beginner      // nil where nobody syncs, or nothing can be done before
	begun   time.Time     // the last append
	stored  atomic.Uint64
	failed  atomic.Uint64
	cause   atomic.Pointer[error]
	stages  Stages
}

// beginner is a store whose Sync can be begun before it is due. Without that, the queue would
// fill while a second's samples go to the disk at once, and syncs of its log would wait for
// them, too.
type beginner interface{ BeginSync() }

// Stages are the durations of what happens to a batch here; the age of a batch is that of
// its oldest sample.
type Stages struct {
	Queued  timing.Histogram // from push to pop
	Stored  timing.Histogram // the append
	Visible timing.Histogram // from push to where a query finds it
}

// New returns a consumer that is started by Run.
func New(cfg Config) *Consumer {
	if cfg.Tap == nil {
		cfg.Tap = noTap{}
	}
	c := &Consumer{cfg: cfg}
	if c.durable, _ = cfg.Queue.(queue.Durable); c.durable != nil {
		c.early, _ = cfg.Store.(beginner)
	}
	return c
}

// Run works until the queue is closed and drained, or until ctx ends; then what
// is left stays in the queue, counted by its depth. The error is nil after a
// complete drain.
func (c *Consumer) Run(ctx context.Context) error {
	// A log without room may have nothing to pop and refuse all that is pushed; and so much
	// may be beyond its cursor that no more is to be added.
	if c.durable != nil && c.durable.Due() {
		if err := c.checkpoint(ctx); err != nil {
			return err
		}
	}
	for {
		samples, err := c.cfg.Queue.Pop(ctx, queue.Want{Samples: batchSamples, Bytes: batchBytes, Until: c.begun.Add(c.cfg.FlushInterval)})
		if errors.Is(err, queue.ErrClosed) {
			return c.checkpoint(ctx)
		}
		if err != nil {
			return err
		}
		c.stages.Queued.Observe(c.cfg.Queue.Stats().Age)
		c.cfg.Tap.Observe(samples)
		c.begun = time.Now()
		if err := c.append(ctx, samples); err != nil {
			return err
		}
		c.stages.Stored.Observe(time.Since(c.begun))
		c.stages.Visible.Observe(c.cfg.Queue.Stats().Age)
		c.cfg.Tap.Stored()
		c.cfg.Queue.Ack()
		if c.early != nil {
			c.early.BeginSync()
		}
		if c.durable != nil && c.durable.Due() {
			if err := c.checkpoint(ctx); err != nil {
				return err
			}
		}
	}
}

// checkpoint tells a durable queue how far the storage file is on the disk, however often it
// has to try. The error is the context's.
func (c *Consumer) checkpoint(ctx context.Context) error {
	if c.durable == nil {
		return nil
	}
	pause := firstPause
	for {
		mark, err := c.cfg.Store.Sync()
		if err == nil {
			err = c.durable.Checkpoint(mark)
		}
		c.note(err)
		if err == nil {
			return nil
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
}

// append stores all samples, however often it has to try. The error is the context's.
func (c *Consumer) append(ctx context.Context, samples []sample.Sample) error {
	pause := firstPause
	for len(samples) > 0 {
		n, err := c.cfg.Store.Append(ctx, samples)
		c.stored.Add(uint64(n))
		samples = samples[n:]
		if ctx.Err() != nil && len(samples) > 0 {
			return ctx.Err()
		}
		c.note(err)
		if err == nil {
			continue
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// note keeps the state of storage and logs when it changes.
func (c *Consumer) note(err error) {
	if err == nil {
		if c.cause.Swap(nil) != nil {
			c.cfg.Log.Info().Msg("storage works again")
		}
		return
	}
	c.failed.Add(1)
	if c.cause.Swap(&err) == nil {
		c.cfg.Log.Error().Err(err).Msg("storage failed; new samples are refused until it works again")
	}
}

// Err returns why the last append failed, nil when it did not. Safe for
// concurrent use, as are Stored and Failed.
func (c *Consumer) Err() error {
	if p := c.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// Stored returns how many samples are in the file.
func (c *Consumer) Stored() uint64 { return c.stored.Load() }

// Failed returns how many appends failed.
func (c *Consumer) Failed() uint64 { return c.failed.Load() }

// Stages returns the durations; they go on counting.
func (c *Consumer) Stages() *Stages { return &c.stages }

// sleep reports whether it lasted; false means that ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
