package verdict

import (
	"fmt"
	"time"

	"phase0/loadgen/record"
)

// The gates on the generator.
const (
	// Own lateness at p99 may be this much, or a tenth of what is reported.
	lateness      = 200 * time.Microsecond
	latenessShare = 0.1
	// Beyond this many times the gate a run is not usable.
	latenessFactor = 5
	// Of the cores that the generator may use. The open model needs headroom; the
	// closed one is expected to drive somebody to the limit.
	openCPU, closedCPU = 0.6, 0.9
	// Of one core, by one thread: it is at its limit.
	threadLimit = 0.95
	// Of the time, waiting for a core.
	waitShare = 0.01
	// Per turn on a core. Each wake-up costs some microseconds, on an idle machine
	// too, which at 2000 rps is already more than waitShare. What counts is when
	// turns begin later than this, or than a tenth of what is reported.
	turnWait      = 20 * time.Microsecond
	turnWaitShare = 0.1
)

func late(r record.Result) *finding {
	own, limit := ownLateness(r), latenessLimit(r)
	if own <= limit {
		return nil
	}
	reason := fmt.Sprintf("own lateness reaches %v where %v is the limit", own.Round(time.Microsecond), limit)
	return &finding{graded(own > latenessFactor*limit), reason, ourSide(r)}
}

// ownLateness is p99, or the highest percentile below it that there is.
func ownLateness(r record.Result) time.Duration {
	var ns int64
	for _, p := range r.OwnLateness.Percentiles {
		if p.Quantile <= 0.99 && p.Unavailable == "" {
			ns = p.NS
		}
	}
	return time.Duration(ns)
}

func latenessLimit(r record.Result) time.Duration {
	p99, _ := r.ResponseTime.At(0.99)
	share := time.Duration(latenessShare * float64(p99.NS))
	return max(lateness, share).Round(time.Microsecond)
}

func cpu(r record.Result) *finding {
	g := r.Generator
	all, thread, limit := closedCPU, threadLimit, "the server may be able to take more"
	if open(r) {
		all, thread, limit = openCPU, openCPU, "it may have read answers late"
	}
	var reason string
	switch share := cpuShare(r); {
	case g.BusiestThreadShare > thread:
		reason = fmt.Sprintf("the generator's busiest thread used %.0f %% of a core; %s", 100*g.BusiestThreadShare, limit)
	case share > all:
		reason = fmt.Sprintf("the generator used %.0f %% of its %d core(s); %s", 100*share, g.CPUs, limit)
	case spent(r):
		reason = fmt.Sprintf("the generator's busiest thread used %.0f %% of a core and waited for one %.0f %% of the time; %s",
			100*g.BusiestThreadShare, 100*g.BusiestThreadWaitShare, limit)
		return &finding{record.Degraded, reason, ourSide(r)}
	default:
		return nil
	}
	return &finding{record.Degraded, reason, generator}
}

// spent reports whether the generator could not have done more.
func spent(r record.Result) bool {
	g := r.Generator
	return g.BusiestThreadShare+g.BusiestThreadWaitShare > threadLimit || cpuShare(r) > closedCPU
}

// cpuShare is the generator's CPU time per wall time and core.
func cpuShare(r record.Result) float64 {
	if r.ElapsedSeconds <= 0 || r.Generator.CPUs <= 0 {
		return 0
	}
	return r.Generator.CPUSeconds / r.ElapsedSeconds / float64(r.Generator.CPUs)
}

// runQueue fails when threads of the open model waited long for a core: answers
// were read late by that. The closed model drives somebody to the limit anyway.
func runQueue(r record.Result) *finding {
	g := r.Generator
	p50, _ := r.ResponseTime.At(0.5)
	limit := max(turnWait, time.Duration(turnWaitShare*float64(p50.NS)))
	mean := time.Duration(g.RunQueueWaitMeanNS)
	if !open(r) || !waited(r) || mean <= limit {
		return nil
	}
	who, why := generator, "its threads compete with each other"
	if g.Machine.OtherCPUShare > otherShare {
		who, why = machine, fmt.Sprintf("other programs, perhaps the server, used %.0f %% of its cores", 100*g.Machine.OtherCPUShare)
	}
	reason := fmt.Sprintf("the generator's threads waited %.1f %% of the time for a core, %v per turn where %v is the limit: %s (CPU pressure %.0f %%)",
		100*g.RunQueueWaitShare, mean.Round(time.Microsecond), limit.Round(time.Microsecond), why, 100*g.Machine.CPUPressureShare)
	return &finding{record.Degraded, reason, who}
}

// waited reports whether threads waited for a core longer than waking up takes.
func waited(r record.Result) bool {
	return r.Generator.RunQueueWaitShare > waitShare && r.Generator.RunQueueWaitMeanNS > turnWait.Nanoseconds()
}
