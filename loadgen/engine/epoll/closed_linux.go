package epoll

import (
	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// closed runs the closed model: a connection that has an answer sends its next
// request at once.
type closed struct {
	*loop
	taken    int64 // requests that became due
	redialAt int64
	pause    int64 // after the next failed dial
	ticking  bool
}

// more reports whether another request may become due.
func (c *closed) more(now int64) bool {
	over := c.plan.Duration > 0 && now >= int64(c.plan.Duration)
	return !over && !c.cancelled.Load() && (c.plan.Requests == 0 || c.taken < c.plan.Requests)
}

// tick implements model: it dials until all places are taken, or as many as there
// are requests.
func (c *closed) tick(now int64) {
	if c.ticking {
		return
	}
	c.ticking = true
	for !c.full() && now >= c.redialAt && c.more(now) && !c.enough() {
		c.dial(now)
		now = c.clock.Now()
	}
	c.ticking = false
}

// enough reports whether the connections being dialled will take all requests.
func (c *closed) enough() bool {
	return c.plan.Requests > 0 && c.taken+int64(c.dialing.n) >= c.plan.Requests
}

// free implements model.
func (c *closed) free(cn *conn, now int64) {
	c.pause, c.redialAt = int64(engine.FirstPause), 0
	if !c.more(now) {
		c.discard(cn)
		return
	}
	i := c.taken
	c.taken++
	c.write(cn, i, cn.ready, notWaited, now)
}

// unreachable implements model: a request was due and found no server.
func (c *closed) unreachable(now int64, k record.Kind) {
	if !(c.plan.Reconnect && c.connected) && c.more(now) {
		c.taken++
		c.shard.NeverSent(now, now, k)
	}
	c.redialAt = now + c.pause
	c.pause = min(2*c.pause, int64(engine.LastPause))
	if c.plan.Reconnect {
		c.pause = int64(engine.ReconnectPause)
	}
}

func (c *closed) wakeAt() (at, spin int64) {
	if c.redialAt > 0 {
		return c.redialAt, 0
	}
	return never, 0
}

func (c *closed) patient() bool { return false }

func (c *closed) over(now int64) bool { return c.flying.n == 0 && !c.more(now) }

func (c *closed) finish(int64) int64 { return c.taken }
