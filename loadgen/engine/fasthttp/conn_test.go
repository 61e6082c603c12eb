package fasthttp

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/engine/enginetest"
	"phase0/loadgen/record"
)

// loop is a stream that answers every request at once.
type loop struct {
	answer []byte
	unread []byte
}

func (l *loop) Write(p []byte) (int, error) {
	l.unread = l.answer
	return len(p), nil
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.unread)
	l.unread = l.unread[n:]
	return n, nil
}

func (l *loop) Close() error                { return nil }
func (l *loop) SetDeadline(time.Time) error { return nil }

func TestContract(t *testing.T) { enginetest.Contract(t, Engine{}) }

func TestTLSContract(t *testing.T) { enginetest.TLSContract(t, Engine{}) }

func TestExchangeDoesNotAllocate(t *testing.T) {
	b := enginetest.NewTrial(t, Engine{}, "", 0, 0)
	b.Clock = engine.StartClock()
	m := newClosed(&shared{plan: b.Plan, rec: b.Recorder, clock: b.Clock, live: map[*conn]struct{}{}})
	c := newConn(b.Request, b.Recorder.Shard(0))
	c.open(&loop{answer: []byte(enginetest.Accepted)})
	var i, ready int64
	allocs := testing.AllocsPerRun(2000, func() {
		var alive bool
		if ready, alive = m.exchange(c, i, ready); !alive {
			t.Fatal("connection ended")
		}
		i++
	})
	if allocs != 0 {
		t.Errorf("%v allocations per request, want none", allocs)
	}
}

// nothing is a stream whose writes succeed and that never has an answer.
type nothing struct{ loop }

func (*nothing) Write(p []byte) (int, error) { return len(p), nil }

func TestOfferOnIdleConnectionDoesNotAllocate(t *testing.T) {
	b := enginetest.NewTrial(t, Engine{}, "", 1000, 10_000)
	b.Clock = engine.StartClock()
	o := newOpen(&shared{plan: b.Plan, rec: b.Recorder, clock: b.Clock, live: map[*conn]struct{}{}})
	c := newConn(b.Request, b.Recorder.Shard(0))
	c.open(&nothing{})
	o.idle = append(o.idle, c)
	var i int64
	allocs := testing.AllocsPerRun(2000, func() {
		o.offer(i)
		o.next(c, false) // as its reader would after the answer
		i++
	})
	if allocs != 0 {
		t.Errorf("%v allocations per request, want none", allocs)
	}
}

func TestDeadlineIsNeverShorterThanTheTimeout(t *testing.T) {
	const timeout = time.Second
	c := newConn(&engine.Template{}, nil)
	c.open(&loop{})
	now := time.Now()
	for step := range 1000 {
		at := now.Add(time.Duration(step) * 7 * time.Millisecond)
		c.renew(at, timeout)
		if left := c.deadline.Sub(at); left < timeout || left > timeout+slack(timeout) {
			t.Fatalf("after %v the deadline is %v away", at.Sub(now), left)
		}
	}
}

// FuzzReadAnswer feeds what a server may send. Reading must end, and what is
// counted as an answer must have a status that can be recorded.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		enginetest.Accepted,
		"HTTP/1.1 100 Continue\r\n\r\n" + enginetest.Accepted,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 099 Low\r\n\r\n", "HTTP/1.1 600 High\r\n\r\n", "garbage", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := newConn(&engine.Template{}, nil)
		c.open(struct {
			io.Reader
			io.WriteCloser
			deadliner
		}{Reader: bytes.NewReader(answer)})
		status, last, err := c.readAnswer()
		if err == nil && (status < 100 || status > 599) {
			t.Errorf("answer with status %d", status)
		}
		if err != nil && !last {
			t.Errorf("connection lives on after %v", err)
		}
		if err != nil {
			_ = c.failure(err, nil)
		}
	})
}

// TLS may tell of the end together with the last data.
func TestGarbageBeforeTheEndIsGarbage(t *testing.T) {
	for text, want := range map[string]record.Kind{
		"certainly not HTTP\r\n\r\n":                       record.BadResponse,
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf": record.EOF,
	} {
		c := newConn(&engine.Template{}, nil)
		c.open(struct {
			io.Reader
			io.WriteCloser
			deadliner
		}{Reader: iotest.DataErrReader(strings.NewReader(text))})
		if _, _, err := c.readAnswer(); c.failure(err, nil) != want {
			t.Errorf("%q: %v, want %v", text, c.failure(err, nil), want)
		}
	}
}

type deadliner struct{}

func (deadliner) SetDeadline(time.Time) error { return nil }
