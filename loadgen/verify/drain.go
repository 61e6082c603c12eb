package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// drain waits until the server has stored all that it has taken, for c.wait at
// most, and reports whether it was seen to. The error is the context's or that of
// a server that does not answer at all in this time.
func (c *client) drain(ctx context.Context, count func() (int64, error)) (bool, error) {
	deadline := time.Now().Add(c.wait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		h, err := c.health(ctx)
		var away *awayError
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case errors.As(err, &away):
			c.failed++
		case err != nil:
			return false, err
		case !h.known:
			return c.settle(ctx, deadline, count)
		case h.healthy && h.queue == 0:
			return true, nil
		}
		left := time.Until(deadline)
		if left <= 0 && err != nil {
			return false, fmt.Errorf("wait %v for the server: %w", c.wait, err)
		}
		if left <= 0 {
			return false, nil
		}
		if err := rest(ctx, min(pause, left)); err != nil {
			return false, err
		}
	}
}

// settleTime lies between the two reads that must agree.
const settleTime = time.Second

// settle does without GET /health: it waits until reading everything twice finds
// the same number of samples.
func (c *client) settle(ctx context.Context, deadline time.Time, count func() (int64, error)) (bool, error) {
	last, err := count()
	for err == nil {
		if time.Until(deadline) < settleTime {
			return false, nil
		}
		if err := rest(ctx, settleTime); err != nil {
			return false, err
		}
		var now int64
		if now, err = count(); err == nil && now == last {
			return true, nil
		}
		last = now
	}
	return false, err
}
