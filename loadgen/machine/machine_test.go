package machine

import (
	"testing"
	"time"

	"phase0/loadgen/record"
)

func TestUntil(t *testing.T) {
	start := time.Now()
	before := Reading{
		at: start, pressure: time.Second, resent: 10, duplicate: 4, overflows: 5, missed: 6,
		all: cpuTime{total: 100 * time.Second, stolen: time.Second}, ours: cpuTime{total: 50 * time.Second, programs: 10 * time.Second},
	}
	after := Reading{
		at: start.Add(10 * time.Second), pressure: 3 * time.Second, resent: 13, duplicate: 6, overflows: 6, missed: 8,
		all: cpuTime{total: 120 * time.Second, stolen: 2 * time.Second}, ours: cpuTime{total: 60 * time.Second, programs: 16 * time.Second},
	}
	tests := []struct {
		name  string
		end   Reading
		own   time.Duration
		want  record.Machine
		steal float64
	}{
		{"all", after, 2 * time.Second, record.Machine{
			OtherCPUShare: 0.4, CPUPressureShare: 0.2, RetransmittedSegments: 3, DuplicateSegments: 2, ListenOverflows: 1, ListenDrops: 2,
		}, 0.05},
		{"own time is known better than the machine's", after, 7 * time.Second, record.Machine{
			CPUPressureShare: 0.2, RetransmittedSegments: 3, DuplicateSegments: 2, ListenOverflows: 1, ListenDrops: 2,
		}, 0.05},
		{"counters were reset", Reading{at: after.at}, 0, record.Machine{}, 0},
	}
	for _, tt := range tests {
		if got := before.Until(tt.end, tt.own); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if got := before.StealShare(tt.end); got != tt.steal {
			t.Errorf("%s: steal %v, want %v", tt.name, got, tt.steal)
		}
	}
}

// watched is a second of watching, without its goroutine, that a table fills.
func watched(known map[int]turns) *Threads {
	w := &Threads{elapsed: time.Second, seen: map[int]*thread{}}
	for id, t := range known {
		w.seen[id] = &thread{last: t}
	}
	w.once.Do(func() {}) // it has stopped
	return w
}

func TestFill(t *testing.T) {
	const ms = time.Millisecond
	type look struct {
		id  int
		now turns
		at  time.Duration
	}
	tests := []struct {
		name  string
		looks []look
		want  record.Generator
	}{
		{"nothing seen", nil, record.Generator{}},
		{"from what was known at the start", []look{{1, turns{ran: 700 * ms, waited: 60 * ms, count: 110}, time.Second}}, record.Generator{
			BusiestThreadShare: 0.2, BusiestThreadWaitShare: 0.01, RunQueueWaitShare: 0.01, RunQueueWaitMeanNS: 100_000,
		}},
		{"a thread that came", []look{
			{1, turns{ran: 600 * ms, waited: 60 * ms, count: 110}, time.Second},
			{2, turns{ran: 300 * ms, waited: 30 * ms, count: 100}, 500 * ms},
			{2, turns{ran: 600 * ms, waited: 90 * ms, count: 300}, time.Second},
		}, record.Generator{
			BusiestThreadShare: 0.6, BusiestThreadWaitShare: 0.09, RunQueueWaitShare: 0.1, RunQueueWaitMeanNS: 250_000,
		}},
		{"a thread that ended", []look{{2, turns{ran: 720 * ms, count: 1}, 750 * ms}}, record.Generator{BusiestThreadShare: 0.96}},
		{"a thread that ended early", []look{{2, turns{ran: 100 * ms, count: 1}, 100 * ms}}, record.Generator{BusiestThreadShare: 0.2}},
		{"another thread with its number", []look{
			{2, turns{ran: 300 * ms, waited: 50 * ms, count: 10}, 500 * ms},
			{2, turns{ran: 100 * ms, waited: 50 * ms, count: 10}, time.Second},
		}, record.Generator{
			BusiestThreadShare: 0.4, BusiestThreadWaitShare: 0.1, RunQueueWaitShare: 0.1, RunQueueWaitMeanNS: 5_000_000,
		}},
	}
	for _, tt := range tests {
		w := watched(map[int]turns{1: {ran: 500 * ms, waited: 50 * ms, count: 10}})
		for _, l := range tt.looks {
			w.note(l.id, l.now, l.at)
		}
		var got record.Generator
		w.Fill(&got)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestThreadsAreBounded(t *testing.T) {
	w := watched(nil)
	for id := range 2 * threadLimit {
		w.note(id, turns{ran: 1}, time.Second)
	}
	if len(w.seen) != threadLimit {
		t.Errorf("%d threads are told apart, want %d", len(w.seen), threadLimit)
	}
}
