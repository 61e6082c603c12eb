// Package consumer moves samples from the queue to storage. It is the only
// goroutine that pops and the only one that appends. A failed append is tried
// again with growing pauses until it succeeds: an accepted sample is dropped only
// when the process is told to give up. Meanwhile Err tells why, so that ingest can
// refuse new samples.
package consumer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/queue"
	"phase0/server/storage"
)

const (
	// batchSamples is how much is popped, appended and acknowledged at once: enough to
	// make a write's cost small beside its lines, and little enough that the depth
	// shows progress while storage is slow.
	batchSamples = 1024
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// Consumer drains a queue into a store. Create it with New.
type Consumer struct {
	queue  queue.Queue
	store  storage.Store
	log    zerolog.Logger
	stored atomic.Uint64
	failed atomic.Uint64
	cause  atomic.Pointer[error]
}

// New returns a consumer that is started by Run.
func New(q queue.Queue, s storage.Store, log zerolog.Logger) *Consumer {
	return &Consumer{queue: q, store: s, log: log}
}

// Run works until the queue is closed and drained, or until ctx ends; then what
// is left stays in the queue, counted by its depth. The error is nil after a
// complete drain.
func (c *Consumer) Run(ctx context.Context) error {
	for {
		samples, err := c.queue.Pop(ctx, batchSamples)
		if errors.Is(err, queue.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		pause := firstPause
		for len(samples) > 0 {
			n, err := c.store.Append(ctx, samples)
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
		c.queue.Ack()
	}
}

// note keeps the state of storage and logs when it changes.
func (c *Consumer) note(err error) {
	if err == nil {
		if c.cause.Swap(nil) != nil {
			c.log.Info().Msg("storage works again")
		}
		return
	}
	c.failed.Add(1)
	if c.cause.Swap(&err) == nil {
		c.log.Error().Err(err).Msg("storage failed; new samples are refused until it works again")
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
