package epoll

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"phase0/loadgen/engine"
	"phase0/loadgen/engine/enginetest"
	"phase0/loadgen/schedule"
)

func TestContract(t *testing.T) { enginetest.Contract(t, Engine{}) }

// rig is a loop with one connection whose other end the test holds.
func rig(t *testing.T, rate float64) (l *loop, c *conn, peer int) {
	t.Helper()
	trial := enginetest.NewTrial(t, Engine{}, "", rate, 1_000_000)
	l = &loop{
		plan: trial.Plan, clock: engine.StartClock(), shard: trial.Recorder.Shard(0),
		timeout: int64(trial.Timeout), spare: -1, learned: make([]byte, 0, learnLimit),
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = l.newConn(0)
	c.fd, c.state = ends[0], idle
	l.open++
	t.Cleanup(func() {
		_ = unix.Close(ends[0])
		_ = unix.Close(ends[1])
	})
	return l, c, ends[1]
}

// answerOne takes a request from the other end of a connection and answers it.
func answerOne(t *testing.T, peer int) {
	t.Helper()
	if n, err := unix.Read(peer, request[:]); n <= 0 || err != nil {
		t.Fatalf("read %d bytes of a request: %v", n, err)
	}
	if _, err := unix.Write(peer, accepted); err != nil {
		t.Fatal(err)
	}
}

var (
	accepted = []byte(enginetest.Accepted)
	request  [1 << 10]byte
)

func TestExchangeDoesNotAllocate(t *testing.T) {
	for _, learns := range []bool{true, false} {
		l, c, peer := rig(t, 0)
		m := &closed{loop: l}
		l.model = m
		m.free(c, 0)
		allocs := testing.AllocsPerRun(2000, func() {
			answerOne(t, peer)
			if !learns {
				l.learned = l.learned[:0]
			}
			l.read(c, false)
		})
		if allocs != 0 || m.taken < 2000 {
			t.Errorf("%v allocations per request of %d, want none", allocs, m.taken)
		}
	}
}

func TestOfferDoesNotAllocate(t *testing.T) {
	l, c, peer := rig(t, schedule.MinRate) // none is due by itself
	o := newOpen(l)
	l.model = o
	o.free(c, 0)
	allocs := testing.AllocsPerRun(2000, func() {
		o.nextDue = 0 // as if it were time
		o.tick(0)
		answerOne(t, peer)
		l.read(c, false)
	})
	if allocs != 0 || o.tail < 2000 {
		t.Errorf("%v allocations per request of %d, want none", allocs, o.tail)
	}
}

func TestInterruptionWhileResolving(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	trial := enginetest.NewTrial(t, Engine{}, "nowhere.invalid:80", 1, 1)
	trial.Clock = engine.StartClock()
	for range 20 {
		if out, err := (Engine{}).Run(ctx, trial.Plan, trial.Recorder); err != nil || !out.Interrupted || out.Scheduled != 0 {
			t.Fatalf("%+v, error %v", out, err)
		}
	}
}

func TestListKeepsTheOrder(t *testing.T) {
	var l list
	conns := make([]conn, 4)
	for i := range conns {
		l.add(&conns[i], int64(i*10))
	}
	l.remove(&conns[1])
	l.remove(&conns[0])
	if got := l.deadline(5); got != 25 {
		t.Errorf("deadline %d, want 25", got)
	}
	if l.overdue(25, 5) != nil || l.overdue(26, 5) != &conns[2] {
		t.Error("overdue is not what waits longer than the limit")
	}
	l.remove(&conns[3])
	l.remove(&conns[2])
	if l.n != 0 || l.deadline(5) != never {
		t.Errorf("%d left, deadline %d", l.n, l.deadline(5))
	}
}
