// Package verdict judges a run by its own figures: whether it measured what was
// asked for, and what held it back. A run that failed a gate is not dropped; its
// verdict says why and stays with its numbers.
package verdict

import (
	"fmt"
	"time"

	"phase0/loadgen/record"
)

// What can hold a run back.
const (
	generator = "generator"
	pool      = "pool"
	server    = "server"
	machine   = "machine"
)

// The gates.
const (
	// Of the offered rate; the gap of an open model that kept up is far smaller.
	validRate, degradedRate = 0.999, 0.99
	// Requests lost to errors, as a share of the scheduled.
	validLoss, degradedLoss = 0.001, 0.01
	// Own lateness at p99 may be this much, or a tenth of what is reported.
	lateness      = 200 * time.Microsecond
	latenessShare = 0.1
	// Beyond this many times the gate a run is not usable.
	latenessFactor = 5
	// Of the cores that the generator may use.
	openCPU, closedCPU = 0.6, 0.9
	stealShare         = 0.01
)

// finding is a gate that was not passed.
type finding struct {
	level      record.Level
	reason     string
	bottleneck string
}

// Judge returns the verdict on a run whose other fields are filled.
func Judge(r record.Result) record.Verdict {
	v := record.Verdict{Level: record.Valid, Reasons: []string{}}
	for _, gate := range []func(record.Result) *finding{
		books, accepted, ours, loss, rate, late, cpu, steal,
	} {
		f := gate(r)
		if f == nil {
			continue
		}
		v.Reasons = append(v.Reasons, f.reason)
		if Worse(f.level, v.Level) {
			v.Level, v.Bottleneck = f.level, f.bottleneck
		}
	}
	return v
}

// Worse reports whether a is worse than b.
func Worse(a, b record.Level) bool {
	return b == record.Valid && a != record.Valid || b == record.Degraded && a == record.Invalid
}

func books(r record.Result) *finding {
	if err := r.Accounting.Check(); err != nil {
		return &finding{record.Invalid, err.Error(), generator}
	}
	return nil
}

func accepted(r record.Result) *finding {
	if r.Accounting.Accepted > 0 {
		return nil
	}
	return &finding{record.Invalid, "no request was accepted", culprit(r)}
}

// ours fails when requests were lost for want of something on our side.
func ours(r record.Result) *finding {
	n := shortages(r)
	if n == 0 {
		return nil
	}
	reason := fmt.Sprintf("%d requests found no local port or file descriptor on this machine", n)
	return &finding{record.Invalid, reason, generator}
}

func shortages(r record.Result) int64 {
	kinds := r.Accounting.NeverSentKinds
	return kinds[record.NoLocalPort.String()] + kinds[record.NoFileDescriptors.String()]
}

func loss(r record.Result) *finding {
	a := r.Accounting
	lost := a.Errors()
	if r.Interrupted {
		lost -= a.NeverSentKinds[record.Interrupted.String()]
	}
	share := float64(lost) / float64(max(a.Scheduled, 1))
	if share <= validLoss {
		return nil
	}
	reason := fmt.Sprintf("%d of %d requests were never sent, failed or timed out", lost, a.Scheduled)
	return &finding{graded(share > degradedLoss), reason, culprit(r)}
}

func rate(r record.Result) *finding {
	if r.OfferedRPS == 0 || r.Accounting.Scheduled == 0 {
		return nil
	}
	share := r.AchievedRPS / r.OfferedRPS
	if share >= validRate {
		return nil
	}
	reason := fmt.Sprintf("achieved %.1f of %.1f rps offered (%.2f %%)", r.AchievedRPS, r.OfferedRPS, 100*share)
	return &finding{graded(share < degradedRate), reason, culprit(r)}
}

func late(r record.Result) *finding {
	own, limit := ownLateness(r), latenessLimit(r)
	if own <= limit {
		return nil
	}
	reason := fmt.Sprintf("own lateness reaches %v where %v is the limit", own.Round(time.Microsecond), limit)
	who := generator
	if r.Generator.StealShare > stealShare {
		who = machine
	}
	return &finding{graded(own > latenessFactor*limit), reason, who}
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
	share, limit := cpuShare(r), closedCPU
	if r.OfferedRPS > 0 {
		limit = openCPU
	}
	if share <= limit {
		return nil
	}
	reason := fmt.Sprintf("the generator used %.0f %% of its %d core(s); the server may be able to take more", 100*share, r.Generator.CPUs)
	return &finding{record.Degraded, reason, generator}
}

// cpuShare is the generator's CPU time per wall time and core.
func cpuShare(r record.Result) float64 {
	if r.ElapsedSeconds <= 0 || r.Generator.CPUs <= 0 {
		return 0
	}
	return r.Generator.CPUSeconds / r.ElapsedSeconds / float64(r.Generator.CPUs)
}

func steal(r record.Result) *finding {
	if r.Generator.StealShare <= stealShare {
		return nil
	}
	reason := fmt.Sprintf("the hypervisor gave %.1f %% of the CPU time to others", 100*r.Generator.StealShare)
	return &finding{record.Degraded, reason, machine}
}

// culprit names what kept requests from being sent or answered.
func culprit(r record.Result) string {
	switch {
	case shortages(r) == 0 && broken(r) > r.Accounting.Scheduled/100:
		return server // it was gone or hung up, whatever else was slow
	case shortages(r) > 0,
		ownLateness(r) > latenessFactor*latenessLimit(r),
		cpuShare(r) > closedCPU:
		return generator
	case r.Connections.Peak >= r.Connections.Allowed && tooFew(r):
		return pool
	default:
		return server
	}
}

// broken counts the requests that the server refused to connect or hung up on.
func broken(r record.Result) int64 {
	a := r.Accounting
	return a.NeverSentKinds[record.Refused.String()] + a.FailedKinds[record.Reset.String()] + a.FailedKinds[record.EOF.String()]
}

// tooFew reports whether the allowed connections cannot carry the offered rate
// even when the server is as quick as in its best moment (Little's law).
func tooFew(r record.Result) bool {
	quickest := time.Duration(r.ServiceTime.MinNS).Seconds()
	return r.OfferedRPS*quickest > float64(r.Connections.Allowed)
}

func graded(invalid bool) record.Level {
	if invalid {
		return record.Invalid
	}
	return record.Degraded
}
