package engine

import (
	"context"
	"time"
)

// napLimit bounds an uninterruptible sleep, so that the end of a context is
// noticed soon.
const napLimit = 50 * time.Millisecond

// Clock counts nanoseconds since the start of a run. It is safe for concurrent
// use, but for Sleep.
type Clock struct{ start time.Time }

// StartClock returns a clock that starts now.
func StartClock() *Clock { return &Clock{start: time.Now()} }

// Start is the instant at which the clock showed 0.
func (c *Clock) Start() time.Time { return c.start }

// Now is the time since the start, in nanoseconds.
func (c *Clock) Now() int64 { return int64(time.Since(c.start)) }

// SleepUntil blocks the calling thread until the clock shows the offset, and
// returns false if the context ends first. It is accurate on a goroutine that is
// locked to its thread and has called Sharpen there. It spends the last stretch,
// spin, awake: waking up takes the kernel some tens of microseconds.
func (c *Clock) SleepUntil(ctx context.Context, offset int64, spin time.Duration) bool {
	for {
		left := time.Duration(offset - c.Now())
		switch {
		case left <= 0:
			return ctx.Err() == nil
		case ctx.Err() != nil:
			return false
		case left > spin:
			nap(min(left-spin, napLimit))
		}
	}
}
