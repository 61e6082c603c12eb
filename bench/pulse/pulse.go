// Package pulse tells when a machine was slow. One that is shared may run at a tenth of its
// speed for a while and say so nowhere: nothing is stolen, nobody else works, everything
// takes several times as long. A pulse does a small piece of work again and again, always the
// same, and takes the CPU time of its thread, in which it does not matter who else wants the
// core. Cores that share a machine were seen to slow down together, so that it beats on one
// of them only. Where the platform does not tell a thread's CPU time nothing is ever slow.
package pulse

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	beatEvery = 2 * time.Millisecond
	beatWork  = 8000 // multiplications, some 10 µs
	mostBeats = 1 << 20
	// A beat is slow that costs so many times the median, and the machine after so many slow
	// beats: one alone may have been interrupted.
	slowBeat   = 3
	leastBeats = 3
	// What was due so long before a slow stretch runs into it, and so long after it a server
	// may be catching up. The choice looks at when something was due, not at what it took.
	beforeSlow = 5 * time.Millisecond
	afterSlow  = 50 * time.Millisecond
)

type beat struct {
	at   time.Time // of its begin
	cost time.Duration
}

// Pulse is being taken. It is begun by Start; End must follow.
type Pulse struct {
	quit  chan struct{}
	done  sync.WaitGroup
	beats []beat
	sink  uint64
}

// Start begins to take the pulse, in a goroutine that End waits for.
func Start() *Pulse {
	p := &Pulse{quit: make(chan struct{})}
	p.done.Go(p.run)
	return p
}

func (p *Pulse) run() {
	// The clock is the thread's, so that both looks at it and the work must be on the same one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for len(p.beats) < mostBeats {
		select {
		case <-tick.C:
		case <-p.quit:
			return
		}
		at := time.Now()
		before, known := threadCPU()
		p.sink = work(p.sink)
		after, _ := threadCPU()
		if known {
			p.beats = append(p.beats, beat{at, after - before})
		}
	}
}

func work(x uint64) uint64 {
	for range beatWork {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// End returns when the machine was slow.
func (p *Pulse) End() Slowness {
	close(p.quit)
	p.done.Wait()
	return slownessOf(p.beats)
}

// Stretch is a time in which each of three or more beats was slow, from the last before it to
// the first after.
type Stretch struct{ From, To time.Time }

// Slowness is when a machine was slow while its pulse was taken.
type Slowness struct {
	Stretches []Stretch
	Watched   time.Duration
}

func slownessOf(beats []beat) Slowness {
	if len(beats) < 2 {
		return Slowness{}
	}
	s := Slowness{Watched: beats[len(beats)-1].at.Sub(beats[0].at)}
	costs := make([]time.Duration, len(beats))
	for i, b := range beats {
		costs[i] = b.cost
	}
	slices.Sort(costs)
	limit := slowBeat * costs[len(costs)/2]
	for i := 0; i < len(beats); i++ {
		if beats[i].cost <= limit {
			continue
		}
		first := i
		for i < len(beats) && beats[i].cost > limit {
			i++
		}
		if i-first >= leastBeats {
			s.Stretches = append(s.Stretches, Stretch{From: beats[max(0, first-1)].at, To: beats[min(i, len(beats)-1)].at})
		}
	}
	return s
}

// Share is the part of the time in which the machine was slow, 0–1.
func (s Slowness) Share() float64 {
	if s.Watched <= 0 {
		return 0
	}
	var sum time.Duration
	for _, slow := range s.Stretches {
		sum += slow.To.Sub(slow.From)
	}
	return sum.Seconds() / s.Watched.Seconds()
}

// Met reports whether what was due at a moment met with a slow machine.
func (s Slowness) Met(due time.Time) bool {
	return slices.ContainsFunc(s.Stretches, func(slow Stretch) bool {
		return due.After(slow.From.Add(-beforeSlow)) && due.Before(slow.To.Add(afterSlow))
	})
}
