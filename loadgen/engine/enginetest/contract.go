package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// Contract runs all tests of what package engine promises.
func Contract(t *testing.T, e engine.Engine) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T, engine.Engine)
	}{
		{"AnswersAreCountedByWhatTheyAre", overPlain.testAnswers},
		{"HugeAnswers", overPlain.testHugeAnswers},
		{"AnswersToHead", overPlain.testAnswersToHead},
		{"ErrorLatenciesStayOutOfResponseTime", testErrorLatenciesStayOutOfResponseTime},
		{"SilenceEndsAtTheTimeout", testSilenceEndsAtTheTimeout},
		{"StallShowsInResponseTimeOnly", testStallShowsInResponseTimeOnly},
		{"WaitForAPlaceToDialIsNoLateness", testWaitForAPlaceToDialIsNoLateness},
		{"RequestsWithoutAConnectionAreNeverSent", testRequestsWithoutAConnectionAreNeverSent},
		{"WithoutKeepAliveEachRequestDials", testWithoutKeepAliveEachRequestDials},
		{"IdleConnectionClosedByServerIsNoError", testIdleConnectionClosedByServerIsNoError},
		{"NoConnectionIsDialledAhead", testNoConnectionIsDialledAhead},
		{"ConnectionsStayWithinTheLimit", testConnectionsStayWithinTheLimit},
		{"NothingListening", testNothingListening},
		{"ServerThatDiesMidway", testServerThatDiesMidway},
		{"InterruptionKeepsTheBooks", testInterruptionKeepsTheBooks},
		{"LargeRequestAnsweredBeforeItIsRead", testLargeRequestAnsweredBeforeItIsRead},
		{"EachSampleIsSentOnce", testEachSampleIsSentOnce},
		{"RequestsWithDueTimesKeepTheRate", testRequestsWithDueTimesKeepTheRate},
		{"DribbleEndsAtTheTimeout", testDribbleEndsAtTheTimeout},
		{"ServerThatNeverReads", testServerThatNeverReads},
		{"AwayForAWhile", testAwayForAWhile},
		{"AwayForGood", testAwayForGood},
		{"AwayForLongerThanTheTimeout", testAwayForLongerThanTheTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, e) })
	}
}

// models runs a test in both models.
func models(t *testing.T, test func(t *testing.T, rate float64)) {
	t.Run("open", func(t *testing.T) { test(t, 500) })
	t.Run("closed", func(t *testing.T) { test(t, 0) })
}

func testErrorLatenciesStayOutOfResponseTime(t *testing.T, e engine.Engine) {
	t.Parallel()
	var n atomic.Int64
	address, _ := serve(t, func(p *peer) {
		for p.next() {
			if n.Add(1)%2 == 0 {
				p.say("HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n")
			} else {
				p.say(Accepted)
			}
		}
	})
	res := NewTrial(t, e, address, 500, 40).run(t)
	if res.ResponseTime.Count != 20 || res.ServiceTime.Count != 20 ||
		res.OtherResponseTime.Count != 20 || res.OtherServiceTime.Count != 20 {
		t.Errorf("observations: %d, %d Accepted, %d, %d other; want 20 each",
			res.ResponseTime.Count, res.ServiceTime.Count, res.OtherResponseTime.Count, res.OtherServiceTime.Count)
	}
}

func testSilenceEndsAtTheTimeout(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		address, _ := serve(t, func(p *peer) {
			for p.next() {
			}
		})
		b := NewTrial(t, e, address, rate, 6)
		b.Timeout = 100 * time.Millisecond
		res := b.run(t)
		a := res.Accounting
		if a.TimedOut+a.Open == 0 || a.Answered+a.Failed != 0 {
			t.Errorf("accounting %+v, want all without an answer for lack of time", a)
		}
		if got := res.ResponseTime.Censored; got != a.TimedOut+a.Open+a.NeverSent {
			t.Errorf("%d censored, want all %d", got, a.Scheduled)
		}
		if p50 := res.ResponseTime.Percentiles[0]; p50.Unavailable == "" {
			t.Errorf("p50 = %+v without any answer", p50)
		}
		if elapsed := time.Duration(b.Clock.Now()); elapsed > 10*time.Second {
			t.Errorf("run took %v", elapsed)
		}
	})
}

// A server that stops for a while delays all requests that become due meanwhile,
// though only one of them is in its hands.
func testStallShowsInResponseTimeOnly(t *testing.T, e engine.Engine) {
	t.Parallel()
	const stall = 400 * time.Millisecond
	address, _ := serve(t, func(p *peer) {
		for i := 0; p.next(); i++ {
			if i == 20 {
				time.Sleep(stall)
			}
			p.say(Accepted)
		}
	})
	b := NewTrial(t, e, address, 200, 160)
	b.Connections = 1
	res := b.run(t)
	response, _ := res.ResponseTime.At(0.90)
	service, _ := res.ServiceTime.At(0.90)
	if response.NS < int64(stall/2) || service.NS > int64(stall/2) {
		t.Errorf("p90 of response time %v, of service time %v; want the stall in the first only",
			time.Duration(response.NS), time.Duration(service.NS))
	}
	expectWait(t, res, stall)
}

// expectWait checks that a stall was booked as waiting for a connection, and not as
// lateness of the generator.
func expectWait(t *testing.T, res record.Stream, stall time.Duration) {
	t.Helper()
	wait, _ := res.ConnectionWait.At(0.90)
	own, _ := res.OwnLateness.At(0.90)
	if wait.NS < int64(stall/2) || own.NS > int64(stall/2) {
		t.Errorf("p90 of connection wait %v, of own lateness %v; want the stall in the first only",
			time.Duration(wait.NS), time.Duration(own.NS))
	}
}

// A server that closes each connection makes requests wait for a place to dial:
// that is waiting for a connection too, and no lateness of ours.
func testWaitForAPlaceToDialIsNoLateness(t *testing.T, e engine.Engine) {
	t.Parallel()
	const stall = 400 * time.Millisecond
	var served atomic.Int64
	address, _ := serve(t, func(p *peer) {
		if served.Add(1) == 20 {
			time.Sleep(stall)
		}
		once("HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")(p)
	})
	b := NewTrial(t, e, address, 200, 160)
	b.Connections = 1
	res := b.run(t)
	expectWait(t, res, stall)
}

func testRequestsWithoutAConnectionAreNeverSent(t *testing.T, e engine.Engine) {
	t.Parallel()
	address, _ := serve(t, func(p *peer) {
		for p.next() {
		}
	})
	b := NewTrial(t, e, address, 500, 10)
	b.Connections, b.Timeout = 1, 200*time.Millisecond
	a := b.run(t).Accounting
	if a.NeverSentKinds["no_connection"] == 0 || a.NeverSent+a.Sent != 10 {
		t.Errorf("accounting %+v, want most never sent for want of a connection", a)
	}
}

func testWithoutKeepAliveEachRequestDials(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		var conns atomic.Int64
		address, _ := serve(t, func(p *peer) {
			conns.Add(1)
			once("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")(p)
		})
		b := NewTrial(t, e, address, rate, 20)
		b.KeepAlive = false
		b.Request = template(t, engine.Request{Method: "POST"})
		a := b.run(t).Accounting
		if a.Accepted != 20 || conns.Load() != 20 || b.out.Dials != 20 {
			t.Errorf("%d Accepted, %d connections, %d dials; want 20 each", a.Accepted, conns.Load(), b.out.Dials)
		}
	})
}

func testIdleConnectionClosedByServerIsNoError(t *testing.T, e engine.Engine) {
	t.Parallel()
	address, _ := serve(t, once(Accepted)) // closes without announcing it
	b := NewTrial(t, e, address, 10, 5)
	if a := b.run(t).Accounting; a.Accepted != 5 || b.out.Dials != 5 {
		t.Errorf("%d accepted with %d dials, want 5 and 5: %+v", a.Accepted, b.out.Dials, a)
	}
}

// A connection that would be idle in front of a server that takes one at a time
// would hold up all others.
func testNoConnectionIsDialledAhead(t *testing.T, e engine.Engine) {
	t.Parallel()
	address, _ := serve(t, always(Accepted))
	b := NewTrial(t, e, address, 10, 5)
	b.Connections = 64
	b.run(t)
	if b.out.Peak > 2 { // a second one where this machine is slow to read an answer
		t.Errorf("%d connections at the same time for a server that is idle in between", b.out.Peak)
	}
}

func testConnectionsStayWithinTheLimit(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		var open, most atomic.Int64
		address, _ := serve(t, func(p *peer) {
			n := open.Add(1)
			defer open.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			for p.next() {
				time.Sleep(5 * time.Millisecond)
				p.say(Accepted)
			}
		})
		b := NewTrial(t, e, address, rate*4, 100)
		b.Connections = 3
		if a := b.run(t).Accounting; a.Accepted != 100 || most.Load() > 3 || b.out.Peak > 3 {
			t.Errorf("%d Accepted, %d connections seen, %d reported; want 100, 3, 3", a.Accepted, most.Load(), b.out.Peak)
		}
	})
}

func testNothingListening(t *testing.T, e engine.Engine) {
	models(t, func(t *testing.T, rate float64) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		b := NewTrial(t, e, ln.Addr().String(), rate, 10_000)
		b.run(t)
		if !errors.Is(b.err, engine.ErrNoServer) || !errors.Is(b.err, syscall.ECONNREFUSED) {
			t.Errorf("error %v, want no server, refused", b.err)
		}
		if elapsed := time.Duration(b.Clock.Now()); elapsed > 8*time.Second {
			t.Errorf("took %v to say so", elapsed)
		}
	})
}

func testServerThatDiesMidway(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		var n atomic.Int64
		half := make(chan struct{})
		address, stop := serve(t, func(p *peer) {
			for p.next() {
				p.say(Accepted)
				if n.Add(1) == 30 {
					close(half)
				}
			}
		})
		b := NewTrial(t, e, address, rate, 100)
		if rate == 0 {
			b.Requests, b.Duration = 0, 2*time.Second
		}
		go func() {
			<-half
			stop()
		}()
		a := b.run(t).Accounting
		if b.err != nil {
			t.Fatal(b.err)
		}
		if a.Accepted < 30 || a.NeverSentKinds["refused"] == 0 {
			t.Errorf("accounting %+v, want some accepted and then refused", a)
		}
	})
}

func testInterruptionKeepsTheBooks(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		ctx, cancel := context.WithCancel(t.Context())
		address, _ := serve(t, func(p *peer) {
			for i := 0; p.next(); i++ {
				if p.number == 0 && i == 0 {
					p.say(Accepted)
					continue
				}
				cancel() // with this request open
			}
		})
		b := NewTrial(t, e, address, rate, 100_000)
		b.Timeout = time.Minute
		res := b.runIn(ctx, t)
		if !b.out.Interrupted || res.Accounting.Open == 0 || b.err != nil {
			t.Errorf("interrupted %v, error %v, accounting %+v", b.out.Interrupted, b.err, res.Accounting)
		}
	})
}

func testLargeRequestAnsweredBeforeItIsRead(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		address, _ := serve(t, func(p *peer) {
			if _, err := p.in.ReadString('\n'); err != nil {
				return
			}
			p.say("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			_ = p.tcp.CloseWrite()
			_, _ = p.in.WriteTo(discard{})
		})
		b := NewTrial(t, e, address, rate, 4)
		b.Request = template(t, engine.Request{Method: "POST", Body: make([]byte, 4<<20), KeepAlive: true})
		if a := b.run(t).Accounting; a.StatusCodes["413"] != 4 {
			t.Errorf("accounting %+v, want four times 413", a)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func testEachSampleIsSentOnce(t *testing.T, e engine.Engine) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		const n = 200
		bodies := make(chan string, n)
		address, _ := serve(t, func(p *peer) {
			for {
				var length int
				for line := "-"; line != "\r\n"; {
					var err error
					if line, err = p.in.ReadString('\n'); err != nil {
						return
					}
					_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
				}
				body := make([]byte, length)
				if _, err := p.in.Read(body); err != nil {
					return
				}
				bodies <- string(body)
				p.say(Accepted)
			}
		})
		NewTrial(t, e, address, rate*4, n).run(t)
		close(bodies)
		seen := map[string]int{}
		for b := range bodies {
			seen[strings.ReplaceAll(b, " ", "")]++
		}
		for i := range n {
			want := fmt.Sprintf(`{"name":"loadgen_test_%d","value":%d}`, i%8, i/8)
			if seen[want] != 1 {
				t.Errorf("%s arrived %d times", want, seen[want])
			}
		}
	})
}

func testRequestsWithDueTimesKeepTheRate(t *testing.T, e engine.Engine) {
	t.Parallel()
	address, _ := serve(t, always(Accepted))
	b := NewTrial(t, e, address, 400, 100)
	res := b.run(t)
	if last := b.Recorder.LastSent(); last < b.Schedule.Due(99) {
		t.Errorf("the last request left at %v, before it was due at %v", last, b.Schedule.Due(99))
	}
	if res.SendLag.Count != 100 {
		t.Errorf("%d lags of 100", res.SendLag.Count)
	}
}
