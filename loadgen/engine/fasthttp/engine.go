// Package fasthttp is the portable engine: a goroutine per connection, with
// fasthttp's codec for messages. The connections are dialled and owned here;
// fasthttp's Client is not used, since it shows no first byte and retries.
//
// In the open model one goroutine on a thread of its own sleeps until a request
// is due and writes it itself, so that no hand-over delays it; the connection's
// goroutine reads the answer. In the closed model each connection's goroutine
// does both, back to back.
//
// Connections over TLS are always made by a goroutine, which shakes hands too.
//
// The timeout of an answer is enforced up to a tenth late, at most 100 ms,
// because deadlines are renewed in steps; an answer in that time counts as timed
// out.
package fasthttp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// Name is the engine's name in results.
const Name = "fasthttp"

// Engine implements engine.Engine. The zero value is ready to use.
type Engine struct{}

// Run implements engine.Engine.
func (Engine) Run(ctx context.Context, p engine.Plan, rec *record.Recorder) (engine.Outcome, error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &shared{
		plan:    p,
		rec:     rec,
		clock:   p.Clock,
		dialer:  newDialer(p.Address, p.Timeout, p.TLS),
		ctx:     ctx,
		dialing: inner,
		abort:   cancel,
		live:    map[*conn]struct{}{},
	}
	defer s.dialer.close()
	var scheduled int64
	if p.Schedule != nil {
		scheduled = newOpen(s).run()
	} else {
		scheduled = newClosed(s).run()
	}
	return engine.Outcome{
		Scheduled:   scheduled,
		Peak:        s.peak,
		Dials:       s.dials,
		Interrupted: ctx.Err() != nil,
	}, s.fatal
}

// shared is what both models keep: the plan and the connections.
type shared struct {
	plan   engine.Plan
	rec    *record.Recorder
	clock  *engine.Clock
	dialer *dialer

	ctx     context.Context    // the caller's: its end interrupts the run
	dialing context.Context    // ends with ctx, or when the run is over
	abort   context.CancelFunc // ends dialing

	mu        sync.Mutex
	live      map[*conn]struct{}
	spares    []*conn // ended, kept for their buffers
	open      int     // live or being dialled
	peak      int
	dials     int64
	connected bool // some dial succeeded
	stopped   bool // connections are being closed to end the run
	fatal     error
}

// reserve takes a place for a connection that is about to be dialled, or
// reports that all are taken. The caller holds mu.
func (s *shared) reserve() bool {
	if s.open >= s.plan.Connections || s.stopped {
		return false
	}
	s.open++
	s.dials++
	s.peak = max(s.peak, s.open)
	return true
}

// adopt makes a dialled stream a live connection in a reserved place. The
// caller holds mu. A run that has stopped meanwhile refuses it.
func (s *shared) adopt(st stream) (*conn, bool) {
	s.connected = true
	if s.stopped {
		s.open--
		st.Close()
		return nil, false
	}
	c := s.spare()
	c.open(st)
	s.live[c] = struct{}{}
	return c, true
}

// spare returns a connection that is not in use. The caller holds mu.
func (s *shared) spare() *conn {
	n := len(s.spares)
	if n == 0 {
		return newConn(s.plan.Request, s.rec.Shard(int(s.dials)))
	}
	c := s.spares[n-1]
	s.spares = s.spares[:n-1]
	return c
}

// lost gives a reserved place back after a failed dial. A failure before any
// dial succeeded ends the run: there is no server. Again means that the server is
// away and the plan lets its requests wait.
func (s *shared) lost(err error) (k record.Kind, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	k = engine.DialKind(err)
	switch {
	case s.dialing.Err() != nil: // it may have failed because of that
		return k, false
	case s.connected:
		return k, s.plan.Reconnect && isAway(err, k)
	}
	s.fatal = fmt.Errorf("%w: %w", engine.ErrNoServer, err)
	s.abort()
	return k, false
}

// isAway reports whether a dial failed, with kind k, as it does while a server is
// started again. A server that breaks off a handshake is on its way out.
func isAway(err error, k record.Kind) bool {
	switch k {
	case record.Refused, record.Reset, record.Unreachable:
		return true
	case record.TLSFailure:
		return isEnd(err) || engine.BrokenKind(err) == record.Reset
	}
	return false
}

// sleep pauses, unless the run ends first.
func (s *shared) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.dialing.Done():
	}
}

// release closes a connection. After a last answer it lets the server close
// first, so that the server's side keeps the port in TIME_WAIT and the generator
// does not run out of them.
func (s *shared) release(c *conn, answered bool) {
	if answered && (c.farewell || !s.plan.KeepAlive) {
		c.awaitClose()
	}
	c.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c)
	s.spares = append(s.spares, c)
	s.open--
}

// stop closes all connections and lets no new ones come to life.
func (s *shared) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.abort()
	for c := range s.live {
		c.stream.Close()
	}
}

// endKind is k, or Interrupted if the caller ended the run.
func (s *shared) endKind(k record.Kind) record.Kind {
	if s.ctx.Err() != nil {
		return record.Interrupted
	}
	return k
}

// settle records how a request that was sent ended, and returns when. The error
// is that of reading its answer.
func (s *shared) settle(c *conn, f record.Flight, status int, err error) (now int64) {
	now = s.clock.Now()
	switch {
	case now-f.Actual > int64(s.plan.Timeout):
		c.shard.TimedOut(f, now)
	case err == nil:
		c.shard.Answered(f, now, status)
	default:
		s.settleBroken(c, f, now, err)
	}
	return now
}

func (s *shared) settleBroken(c *conn, f record.Flight, now int64, err error) {
	s.mu.Lock()
	stopped, writeErr := s.stopped, c.writeErr
	s.mu.Unlock()
	if stopped {
		c.shard.Open(f, now)
		return
	}
	c.shard.Failed(f, now, c.failure(err, writeErr))
}

// slack is by how much deadlines outlast the timeout, so that they need not be
// renewed for every request.
func slack(timeout time.Duration) time.Duration {
	return min(timeout/10, 100*time.Millisecond)
}
