package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// calibrateEvery is after how many requests the extra is set anew: about 40 ms at the
// rates that this server is meant for.
const calibrateEvery = 1024

// spinner keeps the core busy. A slowdown is a share of what a request costs in all,
// most of which is spent outside of the handler, so that it is measured: CPU time of
// the process without the extra, over requests.
type spinner struct {
	spin     time.Duration
	slowdown float64
	cpu      func() time.Duration // of the whole process

	extra    atomic.Int64 // ns per request, at present
	requests atomic.Int64
	added    atomic.Int64 // ns of extra so far

	mu      sync.Mutex
	counted int64 // what the last calibration knew
	spent   int64
	used    time.Duration
}

func newSpinner(spin time.Duration, slowdown float64) *spinner {
	return &spinner{spin: spin, slowdown: slowdown, cpu: processCPU, used: processCPU()}
}

func (s *spinner) handle(ctx *fasthttp.RequestCtx) {
	s.work()
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"status":"accepted"}`)
}

// work is the cost of one request.
func (s *spinner) work() {
	spin(s.spin)
	if s.slowdown == 0 {
		return // the baseline does nothing that it would not do anyway
	}
	if extra := s.extra.Load(); extra > 0 {
		s.added.Add(int64(spin(time.Duration(extra))))
	}
	if s.requests.Add(1)%calibrateEvery == 0 {
		s.calibrate()
	}
}

// spin keeps the core busy for d by the clock, and returns for how long it did.
func spin(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	began := time.Now()
	for {
		if passed := time.Since(began); passed >= d {
			return passed
		}
	}
}

// calibrate sets the extra to the slowdown's share of what a request cost without it
// since the last time.
func (s *spinner) calibrate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, added, used := s.requests.Load(), s.added.Load(), s.cpu()
	if n := requests - s.counted; n > 0 {
		plain := float64(int64(used-s.used)-(added-s.spent)) / float64(n)
		s.extra.Store(int64(max(0, plain) * s.slowdown))
	}
	s.counted, s.spent, s.used = requests, added, used
}

// processCPU is the CPU time that this process has used, 0 where it is not told.
func processCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
