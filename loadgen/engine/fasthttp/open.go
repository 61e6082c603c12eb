package fasthttp

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// inlineWrite is the largest request that the sender writes itself: it fits the
// buffer of an idle socket, so that writing does not block.
const inlineWrite = 16 << 10

// The sender spends the last stretch before a request is due awake, which also
// warms the core up for the request: so long, or this share of the time between
// two requests if that is less, so that it costs little at high rates.
const (
	maxSpin   = 60 * time.Microsecond
	spinShare = 16
)

// open runs the open model. Requests from head to tail are due and wait for a
// connection; since the schedule can tell their intended starts again, these two
// numbers are the whole queue, but for those that come back to it. See absence.
//
// A connection is either idle, or busy with one request, or being closed; while
// requests wait, none is idle.
type open struct {
	*shared

	// Guarded by mu.
	head, tail int64
	absence
	idle      []*conn // used last in, first out, so that few connections do the work
	unsettled int     // requests that are assigned to a connection or a dial
	complete  bool    // the sender has nothing more to send
	announced bool    // settled is closed

	settled chan struct{}  // closed when complete and nothing waits or is unsettled
	workers sync.WaitGroup // all goroutines but the sender
}

func newOpen(s *shared) *open {
	return &open{shared: s, settled: make(chan struct{})}
}

// run offers the whole schedule and returns how many requests became due.
func (o *open) run() int64 {
	var sender sync.WaitGroup
	sender.Go(o.send)
	sender.Wait()
	o.awaitAnswers()
	o.stop()
	o.workers.Wait()
	o.giveUp()
	return o.tail
}

// send hands over each request when it is due. It keeps its thread locked until
// it ends, so that the thread with its sharpened timers ends too.
func (o *open) send() {
	runtime.LockOSThread()
	engine.Sharpen()
	for i := range o.plan.Schedule.Len() {
		due := o.due(i)
		spin := min(maxSpin, time.Duration(due-o.due(max(i-1, 0)))/spinShare)
		if !o.clock.SleepUntil(o.dialing, due, spin) {
			break
		}
		o.offer(i)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.complete = true
	o.checkSettled()
}

// offer makes request i due: it is written on an idle connection, or on one
// that is dialled for it, or waits.
func (o *open) offer(i int64) {
	o.mu.Lock()
	o.tail = i + 1
	n := len(o.idle)
	if n == 0 {
		o.mu.Unlock()
		o.refill(i)
		o.dialer.prepare()
		return
	}
	c := o.idle[n-1]
	o.idle = o.idle[:n-1]
	t := o.assign(c)
	o.mu.Unlock()
	o.write(c, t)
}

// none is the number of a request where there is none.
const none int64 = -1

// refill dials for requests that wait, as long as there are some and places for
// connections. A request that was offered just now waits from now on; all others
// have waited since they were due, however late their turn to dial comes.
func (o *open) refill(offered int64) {
	for {
		o.mu.Lock()
		i, dial := none, false
		if !o.away {
			i, dial = o.reserveNext()
		}
		o.mu.Unlock()
		if !dial {
			return
		}
		since := o.due(i)
		if i == offered {
			since = o.clock.Now()
		}
		o.dialFor(i, since)
	}
}

// reserveNext takes a place for a connection to be dialled for the request that
// waits longest, if there are both. The caller holds mu.
func (o *open) reserveNext() (i int64, ok bool) {
	if !o.waiting() || !o.reserve() {
		return none, false
	}
	o.unsettled++
	return o.pop(), true
}

// waiting reports whether a request waits. The caller holds mu.
func (o *open) waiting() bool { return len(o.returned) > 0 || o.head < o.tail }

// pop takes the request that waits longest; there must be one. The caller holds mu.
func (o *open) pop() int64 {
	if len(o.returned) > 0 {
		i := o.returned[0]
		o.returned = slices.Delete(o.returned, 0, 1)
		return i
	}
	o.head++
	return o.head - 1
}

// task is a request that has its connection and must be written on it.
type task struct {
	i      int64
	flight record.Flight
	wait   int64 // how long it waited for the connection, ns
}

// assign makes a free connection busy with the first request that waits. The
// caller holds mu and writes the task afterwards.
func (o *open) assign(c *conn) task {
	o.unsettled++
	return o.load(c, o.pop())
}

// load makes c busy with request i. The caller holds mu.
func (o *open) load(c *conn, i int64) task {
	c.writing.Lock() // does not block: next waited for the last writer
	now := time.Now()
	c.renew(now, o.plan.Timeout)
	c.busy = true
	c.flight = record.Flight{Index: i, Intended: o.due(i), Actual: int64(now.Sub(o.clock.Start()))}
	return task{i: i, flight: c.flight}
}

// write sends a task. A large request is left to a goroutine, which may block.
func (o *open) write(c *conn, t task) {
	if o.plan.Request.Size() <= inlineWrite {
		o.writeNow(c, t)
		return
	}
	o.workers.Go(func() { o.writeNow(c, t) })
}

func (o *open) writeNow(c *conn, t task) {
	defer c.writing.Unlock()
	if err := c.write(t.i); err != nil {
		// The reader goes on: there may be an answer that says why.
		o.mu.Lock()
		c.writeErr = err
		o.mu.Unlock()
	}
	c.shard.Sent(t.flight)
	c.shard.Lag(t.flight, t.wait)
}

// dialFor connects for request i, which has waited since then: at once where that
// is possible, otherwise in a goroutine.
func (o *open) dialFor(i, since int64) {
	a, ready, err := o.dialer.begin()
	switch {
	case err != nil:
		o.fail(i, err)
	case ready:
		o.launch(a.stream(), i, since)
	default:
		o.workers.Go(func() { o.dialSlowly(a, i, since) })
	}
}

// dialSlowly completes an attempt, or makes one where a is nil. When it fails,
// its place goes to the next request that waits.
func (o *open) dialSlowly(a *attempt, i, since int64) {
	st, err := o.dialer.complete(o.dialing, a)
	if err != nil {
		o.fail(i, err)
		o.refill(none)
		return
	}
	o.launch(st, i, since)
}

// launch writes request i as the first on a new connection and starts its
// reader.
func (o *open) launch(st stream, i, since int64) {
	o.mu.Lock()
	c, ok := o.adopt(st)
	if !ok {
		o.mu.Unlock()
		o.unsent(i, record.DialTimeout)
		return
	}
	t := o.load(c, i)
	t.wait = t.flight.Actual - since
	back := o.away
	o.notAway()
	o.mu.Unlock()
	o.write(c, t)
	o.workers.Go(func() { o.read(c) })
	if back {
		o.refill(none)
	}
}

// fail gives up request i, whose dial failed, or lets it wait for the server to
// come back.
func (o *open) fail(i int64, err error) {
	k, again := o.lost(err)
	if again {
		o.putBack(i, k)
		return
	}
	o.mu.Lock()
	o.notAway()
	o.mu.Unlock()
	o.unsent(i, k)
}

// unsent records that request i, which had a dial, was given up.
func (o *open) unsent(i int64, k record.Kind) {
	o.rec.Shard(int(i)).NeverSent(o.due(i), o.clock.Now(), o.endKind(k))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unsettled--
	o.checkSettled()
}

// read reads a connection's answers until it ends.
func (o *open) read(c *conn) {
	answered, alive := false, true
	for alive {
		err := c.awaitData()
		flight, event := o.wake(c, err)
		switch event {
		case stale:
			continue
		case ended:
			alive = false
		case answering:
			answered, alive = o.receive(c, flight, err)
		}
	}
	o.release(c, answered)
	o.refill(none)
}

// receive reads the answer to the request that c is busy with, unless err says
// that there is none, and records it. It reports whether the answer was complete
// and whether c lives on.
func (o *open) receive(c *conn, f record.Flight, err error) (answered, alive bool) {
	status, last := 0, true
	if err == nil {
		status, last, err = c.readAnswer()
	}
	o.settle(c, f, status, err)
	return err == nil, o.next(c, last || !o.plan.KeepAlive)
}

// event is why a reader woke up.
type event int

const (
	answering event = iota // something happened to the request in flight
	stale                  // a deadline passed that was not this request's
	ended                  // an idle connection was closed, or sent what nobody asked for
)

// wake tells what the result of waiting for data means, and takes an idle
// connection that ended out of the pool.
func (o *open) wake(c *conn, err error) (record.Flight, event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	late := err != nil && isTimeout(err)
	switch {
	case c.busy && late && o.clock.Now()-c.flight.Actual < int64(o.plan.Timeout):
		return c.flight, stale
	case c.busy:
		return c.flight, answering
	case late:
		c.relax()
		return c.flight, stale
	}
	if i := slices.Index(o.idle, c); i >= 0 {
		o.idle = slices.Delete(o.idle, i, i+1)
	}
	return c.flight, ended
}

// next lets go of the request that c has settled and takes the one that waits
// longest, if any. It reports whether c lives on.
func (o *open) next(c *conn, last bool) bool {
	freed := o.clock.Now()
	last = !c.written() || last
	o.mu.Lock()
	o.unsettled--
	c.busy = false
	if last || o.stopped || c.writeErr != nil {
		o.checkSettled()
		o.mu.Unlock()
		return false
	}
	if !o.waiting() {
		o.idle = append(o.idle, c)
		o.checkSettled()
		o.mu.Unlock()
		return true
	}
	t := o.assign(c)
	o.mu.Unlock()
	t.wait = freed - t.flight.Intended
	o.write(c, t)
	return true
}

// checkSettled announces that every request is recorded. The caller holds mu.
func (o *open) checkSettled() {
	if o.complete && !o.announced && !o.waiting() && o.unsettled == 0 {
		o.announced = true
		close(o.settled)
	}
}

// awaitAnswers blocks until every request is recorded, at most for the timeout
// after the last intended start.
func (o *open) awaitAnswers() {
	o.mu.Lock()
	last := o.due(max(o.tail-1, 0))
	o.mu.Unlock()
	left := time.Duration(last-o.clock.Now()) + o.plan.Timeout
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-o.settled:
	case <-timer.C:
	case <-o.dialing.Done():
	}
}

// giveUp records the requests that still wait.
func (o *open) giveUp() {
	k := record.NoConnection
	if o.away {
		k = o.awayKind
	}
	now := o.clock.Now()
	for o.waiting() {
		o.rec.Shard(0).NeverSent(o.due(o.pop()), now, o.endKind(k))
	}
}

func (o *open) due(i int64) int64 { return int64(o.plan.Schedule.Due(i)) }
