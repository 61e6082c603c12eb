package fasthttp

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// closed runs the closed model: a worker per connection, each sending its next
// request when it has the answer to the last.
type closed struct {
	*shared
	claimed atomic.Int64 // by workers: requests that became due or will, and beyond the limit too
	due     atomic.Int64 // requests that became due
}

func newClosed(s *shared) *closed { return &closed{shared: s} }

// run works until the plan's duration or number of requests is exhausted and
// returns how many requests became due.
func (c *closed) run() int64 {
	stopped := make(chan struct{})
	keep := context.AfterFunc(c.dialing, func() {
		defer close(stopped)
		c.stop()
	})
	var workers sync.WaitGroup
	for range c.plan.Connections {
		workers.Go(c.work)
	}
	workers.Wait()
	if !keep() {
		<-stopped
	}
	return c.due.Load()
}

// work sends requests one after another, on one connection as long as it lasts.
func (c *closed) work() {
	var cn *conn
	ready, pause := c.clock.Now(), engine.FirstPause
	for c.claim(ready) {
		if cn == nil {
			cn, ready = c.connect(ready)
		}
		if cn == nil {
			c.sleep(min(pause, c.left()))
			ready, pause = c.clock.Now(), min(2*pause, engine.LastPause)
			continue
		}
		var alive bool
		if ready, alive = c.exchange(cn, c.due.Add(1)-1, ready); !alive {
			cn, pause = nil, engine.FirstPause
		}
	}
	if cn != nil {
		c.release(cn, false)
	}
}

// claim gives the caller the right to one more request, or reports that there is
// none.
func (c *closed) claim(now int64) bool {
	return !c.over(now) && (c.plan.Requests == 0 || c.claimed.Add(1) <= c.plan.Requests)
}

// over reports whether no more requests become due.
func (c *closed) over(now int64) bool {
	return c.plan.Duration > 0 && now >= int64(c.plan.Duration) || c.dialing.Err() != nil
}

// left is how long requests become due from now on.
func (c *closed) left() time.Duration {
	if c.plan.Duration == 0 {
		return math.MaxInt64
	}
	return c.plan.Duration - time.Duration(c.clock.Now())
}

// connect makes a connection for a request that was ready at that offset, or
// records that it has none. While the server is away, and the plan has requests
// wait for it, none becomes due, and the run may end meanwhile.
func (c *closed) connect(ready int64) (*conn, int64) {
	for {
		cn, k, again := c.dial()
		if cn != nil {
			return cn, ready
		}
		if !again {
			c.unsent(ready, k)
			return nil, ready
		}
		c.sleep(min(engine.ReconnectPause, c.left()))
		if ready = c.clock.Now(); c.over(ready) {
			return nil, ready
		}
	}
}

// dial makes a connection, or tells why it cannot and whether to try again.
func (c *closed) dial() (cn *conn, k record.Kind, again bool) {
	c.mu.Lock()
	reserved := c.reserve()
	c.mu.Unlock()
	if !reserved { // only when the run was stopped
		return nil, record.Other, false
	}
	st, err := c.dialer.dial(c.dialing)
	if err != nil {
		k, again = c.lost(err)
		return nil, k, again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cn, _ = c.adopt(st)
	return cn, record.Other, false
}

func (c *closed) unsent(ready int64, k record.Kind) {
	c.due.Add(1)
	c.rec.Shard(0).NeverSent(ready, c.clock.Now(), c.endKind(k))
}

// exchange sends request i, which was ready at that offset, and waits for its
// answer. It returns when the next one is ready and whether the connection can
// carry it.
func (c *closed) exchange(cn *conn, i, ready int64) (completion int64, alive bool) {
	now := time.Now()
	cn.renew(now, c.plan.Timeout)
	f := record.Flight{Index: i, Intended: ready, Actual: int64(now.Sub(c.clock.Start()))}
	cn.shard.Sent(f)
	cn.writeErr = cn.write(i)
	status, last, err := cn.readAnswer()
	completion = c.settle(cn, f, status, err)
	if last || cn.writeErr != nil || !c.plan.KeepAlive {
		c.release(cn, err == nil)
		return c.clock.Now(), false
	}
	return completion, true
}
