// Package enginetest holds the tests that every engine must pass, against servers
// that behave and servers that do not.
package enginetest

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
	"phase0/loadgen/schedule"
)

// peer is one accepted connection of a test server.
type peer struct {
	net.Conn
	tcp    *net.TCPConn // what Conn is, or is over
	in     *bufio.Reader
	number int // of the connection, from 0
}

// next reads a whole request, or reports that there is none.
func (p *peer) next() bool {
	req, err := http.ReadRequest(p.in)
	if err != nil {
		return false
	}
	_, err = p.in.Discard(int(req.ContentLength))
	return err == nil
}

func (p *peer) say(s string) { _, _ = p.Write([]byte(s)) }

// Accepted is the answer of a server that takes every request.
const Accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"

// farewell is Accepted from a server that closes the connection then.
const farewell = "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

// always answers every request with the same bytes.
func always(answer string) func(*peer) {
	return func(p *peer) {
		for p.next() {
			p.say(answer)
		}
	}
}

// once answers the first request of a connection and closes it.
func once(answer string) func(*peer) {
	return func(p *peer) {
		if p.next() {
			p.say(answer)
		}
	}
}

// Serve runs a server that takes every request, and returns its address.
func Serve(t *testing.T) string {
	t.Helper()
	address, _ := serve(t, always(Accepted))
	return address
}

// serve runs handle for each connection and closes it afterwards. It returns
// the address and a function that ends the server and its connections.
func serve(t *testing.T, handle func(*peer)) (address string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String(), serveOn(t, ln, handle)
}

// serveOn is serve for a listener that exists. It is safe to call from any
// goroutine of a test.
func serveOn(t *testing.T, ln net.Listener, handle func(*peer)) (stop func()) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for number := 0; ; number++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				handle(&peer{Conn: c, tcp: c.(*net.TCPConn), in: bufio.NewReader(c), number: number})
				c.Close()
			})
		}
	})
	stop = func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// Trial is a plan with what a test may look at afterwards.
type Trial struct {
	engine.Plan
	Recorder *record.Recorder
	engine   engine.Engine
	out      engine.Outcome
	err      error
}

// NewTrial offers n requests at a rate; a rate of 0 means the closed model.
func NewTrial(t *testing.T, e engine.Engine, address string, rate float64, n int64) *Trial {
	t.Helper()
	b := &Trial{Recorder: record.New(10*time.Second, 2), engine: e}
	b.Plan = engine.Plan{
		Address:     address,
		Request:     template(t, engine.Request{Method: "POST", KeepAlive: true}),
		Requests:    n,
		Connections: 4,
		Timeout:     10 * time.Second, // a busy machine is no slow server
		KeepAlive:   true,
	}
	if rate > 0 {
		s, err := schedule.NewConstant(rate, 0, n)
		if err != nil {
			t.Fatal(err)
		}
		b.Schedule = s
	}
	return b
}

func template(t *testing.T, r engine.Request) *engine.Template {
	t.Helper()
	r.URL = &url.URL{Scheme: "http", Host: "test", Path: "/metrics"}
	r.RunID = "test"
	tpl, err := engine.NewTemplate(r)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// run runs the plan and fails the test if the books do not balance, the witness
// saw something else, or the run took longer than it may.
func (b *Trial) run(t *testing.T) record.Stream {
	t.Helper()
	return b.runIn(t.Context(), t)
}

func (b *Trial) runIn(ctx context.Context, t *testing.T) record.Stream {
	t.Helper()
	var w witness
	b.Recorder.Observe(&w)
	b.Clock = engine.StartClock()
	b.out, b.err = b.engine.Run(ctx, b.Plan, b.Recorder)
	var res record.Stream
	if err := b.Recorder.Fill(&res, b.out.Scheduled); err != nil {
		t.Fatal(err)
	}
	b.checkEnd(t)
	if b.err != nil {
		return res
	}
	if err := res.Accounting.Check(); err != nil {
		t.Errorf("%v\n%+v", err, res.Accounting)
	}
	w.check(t, res.Accounting)
	return res
}

// endMargin is how much later than it may a run can end on a machine that is busy.
const endMargin = 5 * time.Second

// checkEnd fails the test if the run took longer than until the last intended start
// and the timeout.
func (b *Trial) checkEnd(t *testing.T) {
	t.Helper()
	last := b.Duration
	if b.Schedule != nil {
		last = b.Schedule.Due(b.Schedule.Len() - 1)
	} else if last == 0 {
		return // as long as the server takes
	}
	limit := last + b.Timeout + engine.CloseGrace + endMargin
	if took := time.Duration(b.Clock.Now()); took > limit {
		t.Errorf("run took %v, want %v at most", took, limit)
	}
}
