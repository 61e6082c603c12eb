package fasthttp

import (
	"context"
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
	begun atomic.Int64 // requests that were taken, beyond the limit too
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
	if n := c.begun.Load(); c.plan.Requests == 0 || n < c.plan.Requests {
		return n
	}
	return c.plan.Requests
}

// work sends requests one after another, on one connection as long as it lasts.
func (c *closed) work() {
	var cn *conn
	ready, pause := c.clock.Now(), engine.FirstPause
	for {
		i, ok := c.take(ready)
		if !ok {
			break
		}
		if cn == nil {
			cn = c.connect(ready)
		}
		if cn == nil {
			c.sleep(pause)
			ready, pause = c.clock.Now(), min(2*pause, engine.LastPause)
			continue
		}
		var alive bool
		if ready, alive = c.exchange(cn, i, ready); !alive {
			cn, pause = nil, engine.FirstPause
		}
	}
	if cn != nil {
		c.release(cn, false)
	}
}

// take returns the number of the next request, or false when there is none.
func (c *closed) take(now int64) (int64, bool) {
	over := c.plan.Duration > 0 && now >= int64(c.plan.Duration)
	if over || c.dialing.Err() != nil {
		return 0, false
	}
	i := c.begun.Add(1) - 1
	return i, c.plan.Requests == 0 || i < c.plan.Requests
}

// connect makes a connection, or records that the request that was ready at
// that offset has none.
func (c *closed) connect(ready int64) *conn {
	c.mu.Lock()
	reserved := c.reserve()
	c.mu.Unlock()
	if !reserved { // only when the run was stopped
		c.unsent(ready, record.Other)
		return nil
	}
	st, err := c.dialer.dial(c.dialing)
	if err != nil {
		c.unsent(ready, c.lost(err))
		return nil
	}
	c.mu.Lock()
	cn, ok := c.adopt(st)
	c.mu.Unlock()
	if !ok {
		c.unsent(ready, record.Other)
	}
	return cn
}

func (c *closed) unsent(ready int64, k record.Kind) {
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

// sleep pauses, unless the run ends first.
func (c *closed) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.dialing.Done():
	}
}
