package trial

import (
	"slices"
	"sync"
	"time"
)

// A machine that is shared may run at a tenth of its speed for a while and say so nowhere:
// nothing is stolen, nobody else works, everything takes ten times as long. A pulse finds
// out. It does a small piece of work again and again, always the same, and takes the CPU
// time of its thread, in which it does not matter who else wants the core. Cores that share
// a machine were seen to slow down together, so that it beats on one of them only.

const (
	beatEvery = 2 * time.Millisecond
	beatWork  = 8000 // multiplications, some 10 µs
	mostBeats = 1 << 20
	// A beat is slow that costs so many times the median.
	slowBeat = 3
	// What was due so long before a slow stretch runs into it, and so long after it a server
	// may be catching up. Bounds by when something was due, whatever became of it: what took
	// long is as likely to be left out as what did not.
	beforeSlow = 5 * time.Millisecond
	afterSlow  = 50 * time.Millisecond
)

type beat struct {
	at   time.Time // of its begin
	cost time.Duration
}

// pulse is started by startPulse; end must follow.
type pulse struct {
	quit  chan struct{}
	done  sync.WaitGroup
	beats []beat
	sink  uint64
}

func startPulse() *pulse {
	p := &pulse{quit: make(chan struct{})}
	p.done.Go(p.run)
	return p
}

func (p *pulse) run() {
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
		// Where the thread changed in between the difference is not that of the work.
		if known && after > before {
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

// end returns when the machine was slow.
func (p *pulse) end() slowness {
	close(p.quit)
	p.done.Wait()
	return slownessOf(p.beats)
}

// stretch is a time in which each beat was slow, from the last before it to the first after.
type stretch struct{ from, to time.Time }

// slowness is when a machine was slow while its pulse was taken; nothing where the platform
// does not tell.
type slowness struct {
	stretches []stretch
	watched   time.Duration
}

func slownessOf(beats []beat) slowness {
	if len(beats) < 2 {
		return slowness{}
	}
	s := slowness{watched: beats[len(beats)-1].at.Sub(beats[0].at)}
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
		slow := stretch{from: beats[max(0, i-1)].at}
		for i < len(beats)-1 && beats[i].cost > limit {
			i++
		}
		slow.to = beats[i].at
		s.stretches = append(s.stretches, slow)
	}
	return s
}

// share is the part of the time in which the machine was slow, 0–1.
func (s slowness) share() float64 {
	var sum time.Duration
	for _, slow := range s.stretches {
		sum += slow.to.Sub(slow.from)
	}
	if s.watched <= 0 {
		return 0
	}
	return share(sum, s.watched)
}

// met reports whether what was due at a moment met with a slow machine.
func (s slowness) met(due time.Time) bool {
	return slices.ContainsFunc(s.stretches, func(slow stretch) bool {
		return due.After(slow.from.Add(-beforeSlow)) && due.Before(slow.to.Add(afterSlow))
	})
}
