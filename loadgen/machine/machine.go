// Package machine reads what the machine went through during a run, and how this
// process's threads fared on it. Read is called before and after; WatchThreads
// runs meanwhile, because a thread's figures are gone when it ends.
//
// It reads Linux's /proc. Elsewhere, and for what a kernel does not tell, all
// figures are zero. Network and CPU figures are of the whole machine, or of the
// container where that has its own.
package machine

import (
	"math"
	"time"

	"phase0/loadgen/record"
)

// Reading is the state of the machine's counters at an instant.
type Reading struct {
	at                time.Time
	all               cpuTime // of the machine
	ours              cpuTime // of the cores that this process may use
	pressure          time.Duration
	resent, duplicate uint64 // TCP segments
	overflows, missed uint64 // of listening sockets
}

// cpuTime is the CPU time of some cores since the machine started.
type cpuTime struct {
	total    time.Duration // idle or not
	stolen   time.Duration // given to others by the hypervisor
	programs time.Duration // spent in user space and in system calls
}

// plus adds two times up. A part is never larger than its total, so that only the
// total can be too large.
func (t cpuTime) plus(o cpuTime) (cpuTime, error) {
	if o.total > math.MaxInt64-t.total {
		return cpuTime{}, errCPUTime
	}
	return cpuTime{t.total + o.total, t.stolen + o.stolen, t.programs + o.programs}, nil
}

// StealShare is the share of the machine's CPU time, 0–1, that the hypervisor
// gave to others between two readings.
func (r Reading) StealShare(end Reading) float64 {
	return share(end.all.stolen-r.all.stolen, end.all.total-r.all.total)
}

// Until describes what happened between two readings. Own is the CPU time that
// this process used meanwhile.
func (r Reading) Until(end Reading, own time.Duration) record.Machine {
	others := end.ours.programs - r.ours.programs - own
	return record.Machine{
		OtherCPUShare:         share(others, end.ours.total-r.ours.total),
		CPUPressureShare:      share(end.pressure-r.pressure, end.at.Sub(r.at)),
		RetransmittedSegments: grown(r.resent, end.resent),
		DuplicateSegments:     grown(r.duplicate, end.duplicate),
		ListenOverflows:       grown(r.overflows, end.overflows),
		ListenDrops:           grown(r.missed, end.missed),
	}
}

// share is part ÷ whole within 0–1. The kernel's clocks differ by a tick, so that
// a part can seem negative or larger than the whole.
func share(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return min(max(part.Seconds()/whole.Seconds(), 0), 1)
}

// grown is how much a counter grew; 0 when it was reset.
func grown(from, to uint64) int64 {
	if to < from {
		return 0
	}
	return int64(to - from)
}
