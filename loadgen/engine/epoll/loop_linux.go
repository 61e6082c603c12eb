package epoll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// Available says whether this platform has the engine.
const Available = true

const (
	never = math.MaxInt64
	// napLimit bounds a wait, so that the end of the context is noticed soon.
	napLimit = int64(50 * time.Millisecond)
	// readSize is how much is read at once.
	readSize = 64 << 10
	// learnLimit is the largest answer that is recognised as a whole.
	learnLimit = 1 << 10
)

// model decides which request a connection carries next.
type model interface {
	// free gives a connection its next request, puts it by, or ends it.
	free(c *conn, now int64)
	// unreachable tells of a dial that failed.
	unreachable(now int64, k record.Kind)
	// tick does what is due, and dials as far as there are places.
	tick(now int64)
	// wakeAt is when tick must be called again at the latest, and how long before
	// that the thread should be awake.
	wakeAt() (at, spin int64)
	// patient reports whether news of connections may wait until then.
	patient() bool
	// over reports whether all requests are recorded or must be given up.
	over(now int64) bool
	// finish records what was never sent, and returns how many requests became due.
	finish(now int64) int64
}

// loop drives all connections from one thread.
type loop struct {
	plan    engine.Plan
	clock   *engine.Clock
	shard   *record.Shard
	model   model
	poller  *poller
	timeout int64 // ns

	cancelled atomic.Bool

	targets []target // the server's addresses; the first is in use
	spare   int      // a socket that is not connected yet, or -1

	conns   []*conn // by slot
	unused  []*conn // ended, kept for their buffers
	idle    []*conn // used last in, first out, so that few connections do the work
	dialing list
	flying  list // busy
	closing list

	open      int // connections, those being dialled included
	peak      int
	dials     int64
	connected bool // some dial succeeded
	fatal     error

	buffer [readSize]byte

	// stamping: the kernel stamps what arrives, so that reading it later does not
	// make it later. Arrived is the stamp of what was read last, 0 without.
	stamping bool
	stamped  bool // a stamp was seen
	control  []byte
	arrived  int64

	// learned is the last answer that came in one piece, alone and whole, and
	// leaves the connection open: equal bytes need no parsing.
	learned       []byte
	learnedStatus int
}

// Run implements engine.Engine.
func (Engine) Run(ctx context.Context, p engine.Plan, rec *record.Recorder) (engine.Outcome, error) {
	targets, err := resolve(ctx, p.Address)
	switch {
	case ctx.Err() != nil:
		return engine.Outcome{Interrupted: true}, nil
	case err != nil:
		return engine.Outcome{}, fmt.Errorf("%w: %w", engine.ErrNoServer, err)
	}
	l := &loop{
		plan: p, clock: p.Clock, shard: rec.Shard(0), timeout: int64(p.Timeout),
		targets: targets, spare: -1, learned: make([]byte, 0, learnLimit),
	}
	if l.poller, err = newPoller(); err != nil {
		return engine.Outcome{}, err
	}
	defer l.poller.close()
	if !l.poller.supported() {
		return engine.Outcome{}, errors.New("the epoll engine needs Linux 5.11; use -engine fasthttp")
	}
	stop := context.AfterFunc(ctx, func() { l.cancelled.Store(true) })
	defer stop()
	var out engine.Outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread is not used again: its timers are sharpened and its descriptors
		// are its own.
		runtime.LockOSThread()
		engine.Sharpen()
		_ = ownDescriptors() // without them requests cost a little more
		out = l.run()
	}()
	<-done
	return out, l.fatal
}

func (l *loop) run() engine.Outcome {
	var bunch func() int64
	if l.plan.Schedule != nil {
		o := newOpen(l)
		l.model, bunch = o, func() int64 { return o.widest }
	} else {
		l.model, bunch = &closed{loop: l, pause: int64(engine.FirstPause)}, func() int64 { return 0 }
	}
	now := l.clock.Now()
	for !l.cancelled.Load() && l.fatal == nil {
		l.model.tick(now)
		if now = l.clock.Now(); l.model.over(now) {
			break
		}
		l.handle(l.wait(now))
		now = l.clock.Now()
		l.expire(now)
	}
	return engine.Outcome{
		Scheduled:   l.end(),
		Peak:        l.peak,
		Dials:       l.dials,
		Interrupted: l.cancelled.Load(),
		Bunch:       time.Duration(bunch()),
	}
}

// wait blocks until a connection has news or something is due, and returns the
// number of events.
func (l *loop) wait(now int64) int {
	at, spin := l.model.wakeAt()
	until := min(l.flying.deadline(l.timeout), l.dialing.deadline(l.timeout), l.closing.deadline(int64(engine.CloseGrace)), now+napLimit)
	if until < at {
		at, spin = until, 0
	}
	if l.stamped && l.model.patient() {
		l.poller.nap(max(at-now, 1))
		return l.poller.wait(0)
	}
	for {
		n := l.poller.wait(at - now - spin)
		if n > 0 {
			return n
		}
		if now = l.clock.Now(); now >= at || l.cancelled.Load() {
			return 0
		}
	}
}

func (l *loop) handle(n int) {
	for _, ev := range l.poller.events[:n] {
		c := l.conns[ev.Fd]
		if c.generation != ev.Pad {
			continue // it has ended since
		}
		l.react(c, ev.Events)
	}
}

// react does what an event on a connection asks for.
func (l *loop) react(c *conn, events uint32) {
	const news = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	switch c.state {
	case dialing:
		l.endDial(c)
	case idle:
		if events&news != 0 { // it was closed, or sent what nobody asked for
			l.idle = slices.DeleteFunc(l.idle, func(o *conn) bool { return o == c })
			l.destroy(c)
		}
	case busy:
		if len(c.pending) > 0 && events&unix.EPOLLOUT != 0 {
			l.push(c)
		}
		if events&news != 0 {
			l.read(c, events&^(unix.EPOLLIN|unix.EPOLLOUT) != 0)
		}
	case closing:
		l.awaitClose(c)
	}
}

// Dialling.

// dial begins a connection; the caller has made sure that there is a place. What
// becomes of it the model learns.
func (l *loop) dial(now int64) {
	l.open++
	l.dials++
	l.peak = max(l.peak, l.open)
	c := l.newConn(now)
	t := l.targets[0]
	made, err := false, error(nil)
	if c.fd = l.spare; c.fd < 0 {
		c.fd, err = t.socket()
	}
	l.spare = -1
	if err == nil {
		if l.stamping {
			stampArrivals(c.fd)
		}
		made, err = t.connect(c.fd)
	}
	switch {
	case err != nil:
		l.failDial(c, err)
	case made:
		l.adopt(c)
	default:
		l.dialing.add(c, now)
		l.watch(c)
	}
}

// newConn returns a connection in state dialing with a slot.
func (l *loop) newConn(now int64) *conn {
	var c *conn
	if n := len(l.unused); n > 0 {
		c = l.unused[n-1]
		l.unused = l.unused[:n-1]
	} else {
		c = &conn{slot: int32(len(l.conns)), request: l.plan.Request.Copy()}
		c.answer.head = l.plan.Request.Head()
		l.conns = append(l.conns, c)
	}
	c.state, c.pending, c.broken, c.watched, c.ready = dialing, nil, false, false, now
	return c
}

// endDial takes the result of a dial that took a while.
func (l *loop) endDial(c *conn) {
	made, err := engine.Established(c.fd)
	if err == nil && !made {
		return
	}
	l.dialing.remove(c)
	if err != nil {
		l.failDial(c, err)
		return
	}
	l.adopt(c)
}

// adopt makes a dialled connection one that can carry requests.
func (l *loop) adopt(c *conn) {
	l.connected = true
	c.state = idle
	l.model.free(c, l.clock.Now())
	if c.state != dialing { // it may have ended
		l.watch(c)
	}
	if l.spare < 0 && l.dials > 1 {
		// A socket made in advance takes a third off the next dial, and the server
		// knows nothing of it. On an error that dial tries again and tells.
		l.spare, _ = l.targets[0].socket()
	}
}

func (l *loop) watch(c *conn) {
	if c.watched {
		return
	}
	c.watched = true
	// It fails for want of memory only; then the connection times out.
	_ = l.poller.add(c)
}

// failDial gives up a dial. Before any has succeeded the server's next address is
// tried, and when there is none, there is no server.
func (l *loop) failDial(c *conn, err error) {
	l.discard(c)
	now := l.clock.Now()
	if !l.connected {
		if len(l.targets) > 1 {
			l.targets = l.targets[1:]
			l.dial(now)
			return
		}
		if l.fatal == nil {
			l.fatal = fmt.Errorf("%w: %w", engine.ErrNoServer, err)
		}
	}
	l.model.unreachable(now, engine.DialKind(err))
}

// Requests.

// write sends request i now, on a connection that is free. It was due at intended
// and has waited for its connection for some ns.
func (l *loop) write(c *conn, i, intended, wait, now int64) {
	c.state = busy
	c.answer.reset()
	l.plan.Request.Fill(c.request, i)
	c.flight = record.Flight{Index: i, Intended: intended, Actual: now}
	l.flying.add(c, now)
	n, errno := send(c.fd, c.request)
	c.pending = c.request[n:]
	// A connection that is broken has news to be read: an answer that says why,
	// or its end.
	c.broken = errno != 0 && errno != unix.EAGAIN
	l.shard.Sent(c.flight)
	if wait == notWaited {
		return
	}
	l.shard.Lag(c.flight, wait)
}

// notWaited marks requests of the closed model, which have no lag.
const notWaited = -1

// push writes more of a request that the socket did not take at once.
func (l *loop) push(c *conn) {
	n, errno := send(c.fd, c.pending)
	c.pending = c.pending[n:]
	c.broken = c.broken || errno != 0 && errno != unix.EAGAIN
}

// read reads what has arrived on a busy connection. Hung means that its end may
// be behind that.
func (l *loop) read(c *conn, hung bool) {
	for {
		n, errno := l.receive(c)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			l.fail(c, engine.BrokenKind(errno))
			return
		case n == 0:
			l.readEnd(c)
			return
		}
		if l.take(c, l.buffer[:n], hung) || n < readSize && !hung {
			return
		}
	}
}

func (l *loop) receive(c *conn) (n int, errno syscall.Errno) {
	if !l.stamping {
		return receive(c.fd, l.buffer[:])
	}
	n, l.arrived, errno = receiveStamped(c.fd, l.buffer[:], l.control)
	l.stamped = l.stamped || l.arrived > 0
	return n, errno
}

// startStamping lets the kernel stamp what arrives on all connections from now on.
func (l *loop) startStamping() {
	l.stamping, l.control = true, make([]byte, stampSpace)
	for _, c := range l.conns {
		if c.fd >= 0 {
			stampArrivals(c.fd)
		}
	}
}

// readEnd takes the end of a busy connection.
func (l *loop) readEnd(c *conn) {
	switch {
	case c.answer.closed():
		l.complete(c, c.answer.status, false)
	case c.broken:
		l.fail(c, record.Reset)
	default:
		l.fail(c, record.EOF)
	}
}

// take feeds the answer of a busy connection and reports whether that settled the
// request. Hung is described at read.
func (l *loop) take(c *conn, data []byte, hung bool) bool {
	fresh := !c.answer.begun()
	if fresh && bytes.Equal(data, l.learned) {
		l.complete(c, l.learnedStatus, !hung)
		return true
	}
	n, done, err := c.answer.feed(data)
	switch {
	case errors.Is(err, errTooLarge):
		l.fail(c, record.TooLarge)
		return true
	case err != nil:
		l.fail(c, record.BadResponse)
		return true
	case !done:
		return false
	}
	foreign := n < len(data)
	if fresh && !foreign && !c.answer.last() && len(data) <= learnLimit {
		l.learned, l.learnedStatus = append(l.learned[:0], data...), c.answer.status
	}
	if foreign {
		l.settle(c, c.answer.status)
		l.destroy(c)
		return true
	}
	l.complete(c, c.answer.status, !hung && !c.answer.last())
	return true
}

// complete takes a whole answer. Stays means that the connection can carry
// another request as far as the answer is concerned.
func (l *loop) complete(c *conn, status int, stays bool) {
	now := l.settle(c, status)
	switch {
	case c.broken || len(c.pending) > 0:
		l.destroy(c)
	case stays && l.plan.KeepAlive:
		c.state, c.ready = idle, now
		l.model.free(c, now)
	case status < 200:
		l.destroy(c)
	default:
		c.state = closing
		l.closing.add(c, now)
		l.awaitClose(c)
	}
}

// settle records the answer to the request that c is busy with.
func (l *loop) settle(c *conn, status int) (now int64) {
	completion, now := l.completion(c)
	l.flying.remove(c)
	if completion-c.flight.Actual > l.timeout {
		l.shard.TimedOut(c.flight, completion)
		return now
	}
	l.shard.Answered(c.flight, completion, status)
	return now
}

// completion is when the answer that was just read had arrived: by the kernel's
// stamp if there is one, otherwise now.
func (l *loop) completion(c *conn) (completion, now int64) {
	if l.arrived == 0 {
		now = l.clock.Now()
		return now, now
	}
	at := time.Now()
	now = int64(at.Sub(l.clock.Start()))
	// A step of the wall clock must not lead out of what is possible.
	completion = min(max(now-(at.UnixNano()-l.arrived), c.flight.Actual), now)
	l.arrived = 0
	return completion, now
}

// fail records that the request that c is busy with has no answer, and ends c.
func (l *loop) fail(c *conn, k record.Kind) {
	now := l.clock.Now()
	l.flying.remove(c)
	if now-c.flight.Actual > l.timeout {
		l.shard.TimedOut(c.flight, now)
	} else {
		l.shard.Failed(c.flight, now, k)
	}
	l.destroy(c)
}

// Ends.

// awaitClose drops a connection when the server has closed it. So the server's side
// keeps the port in TIME_WAIT, and the generator does not run out of them.
func (l *loop) awaitClose(c *conn) {
	n, errno := receive(c.fd, l.buffer[:])
	if errno == unix.EAGAIN || errno == unix.EINTR || n > 0 {
		return // until the grace is over
	}
	l.closing.remove(c)
	l.destroy(c)
}

// destroy ends a connection that is in no list and gives its place away.
func (l *loop) destroy(c *conn) {
	l.discard(c)
	l.model.tick(l.clock.Now())
}

// discard closes a connection and gives its place back.
func (l *loop) discard(c *conn) {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
	}
	c.fd = -1
	c.generation++
	c.state = dialing
	l.open--
	l.unused = append(l.unused, c)
}

// expire gives up what has taken too long.
func (l *loop) expire(now int64) {
	for c := l.flying.overdue(now, l.timeout); c != nil; c = l.flying.overdue(now, l.timeout) {
		l.flying.remove(c)
		l.shard.TimedOut(c.flight, now)
		l.destroy(c)
	}
	for c := l.dialing.overdue(now, l.timeout); c != nil; c = l.dialing.overdue(now, l.timeout) {
		l.dialing.remove(c)
		l.failDial(c, syscall.ETIMEDOUT)
	}
	grace := int64(engine.CloseGrace)
	for c := l.closing.overdue(now, grace); c != nil; c = l.closing.overdue(now, grace) {
		l.closing.remove(c)
		l.destroy(c)
	}
}

// end records what is still open, closes all connections and returns how many
// requests became due.
func (l *loop) end() int64 {
	now := l.clock.Now()
	for c := l.flying.first; c != nil; c = c.next {
		if now-c.flight.Actual > l.timeout {
			l.shard.TimedOut(c.flight, now)
		} else {
			l.shard.Open(c.flight, now)
		}
	}
	scheduled := l.model.finish(now)
	for _, c := range l.conns {
		if c.fd >= 0 {
			_ = unix.Close(c.fd)
		}
	}
	if l.spare >= 0 {
		_ = unix.Close(l.spare)
	}
	return scheduled
}

// full reports whether all places for connections are taken.
func (l *loop) full() bool { return l.open >= l.plan.Connections || l.fatal != nil }
