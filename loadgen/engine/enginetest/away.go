package enginetest

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// testDribbleEndsAtTheTimeout has a server that never stops answering: each byte
// in time, the whole never.
func testDribbleEndsAtTheTimeout(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		t.Parallel()
		address, _ := serve(t, func(p *peer) {
			if !p.next() {
				return
			}
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
			for { // until the engine hangs up
				if _, err := p.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
		b := limited(NewTrial(t, e, address, rate, 4), 100*time.Millisecond)
		expectUnanswered(t, b.run(t).Accounting)
	})
}

// testServerThatNeverReads has requests that do not fit the buffers between.
func testServerThatNeverReads(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		t.Parallel()
		over := make(chan struct{})
		address, _ := serve(t, func(*peer) { <-over })
		t.Cleanup(func() { close(over) })
		b := limited(NewTrial(t, e, address, rate, 2), 200*time.Millisecond)
		b.Request = template(t, engine.Request{Method: "POST", Body: make([]byte, 32<<20), KeepAlive: true})
		expectUnanswered(t, b.run(t).Accounting)
	})
}

// limited gives a trial a timeout, and in the closed model that as duration too.
func limited(b *Trial, timeout time.Duration) *Trial {
	b.Timeout = timeout
	if b.Schedule == nil {
		b.Requests, b.Duration = 0, timeout
	}
	return b
}

// expectUnanswered checks that requests were sent and all lacked time.
func expectUnanswered(t *testing.T, a record.Accounting) {
	t.Helper()
	if a.Sent == 0 || a.TimedOut+a.Open != a.Sent {
		t.Errorf("accounting %+v, want all that were sent without an answer for lack of time", a)
	}
}

const absence = 300 * time.Millisecond

// leaving runs a server that goes away after its thirtieth answer and, if it
// returns, comes back on the same port. Away, to be asked when it is back, tells for
// how long it really was away, which is longer than absence on a busy machine.
func leaving(t *testing.T, returns bool) (address string, away func() time.Duration) {
	t.Helper()
	var gone atomic.Int64
	var served atomic.Int64
	half, back := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, func(p *peer) {
		for p.next() {
			time.Sleep(time.Millisecond) // so that the closed model does not wear the machine out
			p.say(Accepted)
			if served.Add(1) == 30 {
				close(half)
			}
		}
	})
	ended := t.Context().Done()
	go func() {
		defer close(back)
		select {
		case <-half:
		case <-ended:
			return
		}
		left := time.Now()
		stop()
		if returns {
			comeBack(t, address)
		}
		gone.Store(int64(time.Since(left)))
	}()
	t.Cleanup(func() { <-back })
	return address, func() time.Duration {
		<-back
		return time.Duration(gone.Load())
	}
}

// comeBack runs a server that takes every request, after a while.
func comeBack(t *testing.T, address string) {
	const steps = 30 // so that clients have their turns if the machine stands still meanwhile
	for range steps {
		select {
		case <-time.After(absence / steps):
		case <-t.Context().Done():
			return
		}
	}
	var ln net.Listener
	var err error
	for range 100 { // another process may have the port for a moment
		if ln, err = net.Listen("tcp", address); err == nil {
			serveOn(t, ln, func(p *peer) {
				for p.next() {
					time.Sleep(time.Millisecond)
					p.say(Accepted)
				}
			})
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error(err)
}

func testAwayForAWhile(t *testing.T, e engine.Engine) {
	t.Parallel()
	for _, reconnect := range []bool{true, false} {
		t.Run(map[bool]string{true: "reconnect", false: "give up"}[reconnect], func(t *testing.T) {
			models(t, func(t *testing.T, rate float64) {
				t.Parallel()
				length := absence / 2
				if reconnect {
					length = 2 * absence
				}
				address, away := leaving(t, true)
				b := NewTrial(t, e, address, rate, int64(length.Seconds()*rate))
				if b.Reconnect = reconnect; rate == 0 {
					b.Duration = 4 * length // for a machine that is busy
				}
				a := b.run(t).Accounting
				if b.err != nil {
					t.Fatal(b.err)
				}
				if reconnect {
					expectAllButBroken(t, b, a, away())
				} else if a.NeverSentKinds["refused"] == 0 {
					t.Errorf("accounting %+v, want some refused", a)
				}
			})
		})
	}
}

// expectAllButBroken checks that only requests that were in flight when the server
// went away were lost, one for each connection at most.
func expectAllButBroken(t *testing.T, b *Trial, a record.Accounting, away time.Duration) {
	t.Helper()
	broken := a.FailedKinds["eof"] + a.FailedKinds["reset"]
	if a.NeverSent > 0 || a.Accepted+broken != a.Scheduled || broken > int64(b.Connections) {
		t.Errorf("accounting %+v, want all accepted but those in flight", a)
	}
	if last := b.Recorder.LastAccepted(); last < absence {
		t.Errorf("the last answer came at %v, before the server was back", last)
	}
	if tries := int64(away/engine.ReconnectPause) + 2*int64(b.Connections) + 10; b.Schedule != nil && b.out.Dials > tries {
		t.Errorf("%d dials, want %d at most", b.out.Dials, tries)
	}
}

func testAwayForGood(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		t.Parallel()
		address, _ := leaving(t, false)
		b := NewTrial(t, e, address, rate, 150)
		b.Reconnect, b.Timeout = true, 2*time.Second
		if rate == 0 {
			b.Requests, b.Duration = 0, 2*time.Second
		}
		a := b.run(t).Accounting
		if b.err != nil {
			t.Fatal(b.err)
		}
		if refused := a.NeverSentKinds["refused"]; a.Accepted < 30 || (refused == 0) != (rate == 0) {
			t.Errorf("accounting %+v, want some accepted and, in the open model only, the others refused", a)
		}
	})
}

// Requests that were due just before the server came back are sent, those that had
// waited for the timeout by then are not.
func testAwayForLongerThanTheTimeout(t *testing.T, e engine.Engine) {
	t.Parallel()
	const rate, timeout = 500, absence / 3
	address, away := leaving(t, true)
	b := NewTrial(t, e, address, rate, int64((absence*3/2+2*time.Second).Seconds()*rate))
	b.Reconnect, b.Timeout = true, timeout
	a := b.run(t).Accounting
	given := a.NeverSentKinds["refused"]
	if most := int64(away().Seconds() * rate); given == 0 || given > most || b.Recorder.LastAccepted() < absence {
		t.Errorf("away for %v, %d dials: accounting %+v, want some refused, %d at most, and the last accepted", away(), b.out.Dials, a, most)
	}
}
