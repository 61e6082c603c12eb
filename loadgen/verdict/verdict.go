// Package verdict judges a run by its own figures: whether it measured what was
// asked for, and what held it back. A run that failed a gate is not dropped; its
// verdict says why and stays with its numbers.
//
// Little's law (mean number in flight = rate × mean service time) is not among
// the gates: computed from a run's own sums it is an identity, since each
// request adds its service time to both sides.
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
	nobody    = ""
)

// The gates on what became of the requests.
const (
	// Of the offered rate; the gap of an open model that kept up is far smaller.
	validRate, degradedRate = 0.999, 0.99
	// Requests lost to errors, as a share of the scheduled.
	validLoss, degradedLoss = 0.001, 0.01
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
		books, accepted, ours, loss, silence, rate, // what became of the requests
		late, cpu, runQueue, // the generator
		steal, network, // the machine
		trend,
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

func graded(invalid bool) record.Level {
	if invalid {
		return record.Invalid
	}
	return record.Degraded
}

func open(r record.Result) bool { return r.OfferedRPS > 0 }

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

// silence fails when the server accepted nothing for whole slices of a run of the
// closed model. There no request is due while none is answered, so that a server
// that was away leaves no trace in the shares.
func silence(r record.Result) *finding {
	whole := int(r.WindowSeconds / max(r.Timeline.SliceSeconds, 1e-9))
	typical, _ := r.ServiceTime.At(0.5)
	slow := float64(typical.NS)/1e9 > r.Timeline.SliceSeconds/2 // such answers leave gaps
	if open(r) || whole == 0 || r.Accounting.Accepted == 0 || slow {
		return nil
	}
	silent := whole
	for i, s := range r.Timeline.Slices {
		if i < whole && s.Accepted > 0 {
			silent--
		}
	}
	if silent == 0 {
		return nil
	}
	reason := fmt.Sprintf("nothing was accepted for %d of %d stretches of %v s", silent, whole, r.Timeline.SliceSeconds)
	return &finding{graded(silent*10 > whole), reason, server}
}

func rate(r record.Result) *finding {
	if !open(r) || r.Accounting.Scheduled == 0 {
		return nil
	}
	share := r.AchievedRPS / r.OfferedRPS
	if share >= validRate {
		return nil
	}
	who := culprit(r)
	reason := fmt.Sprintf("achieved %.1f of %.1f rps offered (%.2f %%)", r.AchievedRPS, r.OfferedRPS, 100*share)
	if who == pool {
		reason += fmt.Sprintf("; %d connections carry at most %.1f rps when an answer takes %v or longer",
			r.Connections.Allowed, carried(r), quickest(r).Round(time.Microsecond))
	}
	return &finding{graded(share < degradedRate), reason, who}
}
