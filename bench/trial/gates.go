package trial

import (
	"math"
	"strings"

	"phase0/loadgen/record"
)

// judgeLoad applies the gates to a window of offered load.
func (r *Result) judgeLoad(limits Limits, load Load, w window) {
	g := w.generated
	r.judgeMachine(limits)
	// A server that cannot follow is the finding of an open-loop trial, and no
	// fault of its measurement; that all connections then wait follows from it.
	serverBound := g.Verdict.Bottleneck == "server" || g.Verdict.Bottleneck == "pool"
	switch {
	case g.Interrupted:
		r.voidf("load generator was interrupted")
	case g.Verdict.Level == record.Invalid && !serverBound:
		r.voidf("load generator judged its run invalid: %s", strings.Join(g.Verdict.Reasons, "; "))
	case g.Verdict.Level != record.Valid:
		r.warnVerdict(g)
	}
	r.fillSigns(g)
	if g.Accounting.Accepted == 0 {
		r.voidf("no request was accepted")
	}
	if load.Rate > 0 && !serverBound && g.OfferedRPS > 0 {
		if off := math.Abs(g.AchievedRPS/g.OfferedRPS - 1); off > limits.OfferedError {
			r.voidf("sent %.1f rps where %.1f were to be offered", g.AchievedRPS, g.OfferedRPS)
		}
	}
	if unanswered := g.Accounting.Errors() + g.Accounting.Open; unanswered > 0 {
		r.warnf("%d of %d requests without an answer", unanswered, g.Accounting.Scheduled)
	}
	if refused := g.Accounting.Answered - g.Accounting.Accepted; refused > 0 {
		r.warnf("%d of %d requests refused", refused, g.Accounting.Scheduled)
	}
}

// warnVerdict passes on what the load generator holds against its own run.
func (r *Result) warnVerdict(g record.Result) {
	r.warnf("load generator: %s: %s", g.Verdict.Level, strings.Join(g.Verdict.Reasons, "; "))
}

// mostSlow is the share of a window that may be slow before percentiles are doubted.
const mostSlow = 0.005

// judgeMachine voids a trial that other programs or machines disturbed.
func (r *Result) judgeMachine(limits Limits) {
	if r.Machine.Slow > mostSlow {
		r.warnf("machine was slow for %.1f %% of the time, whether or not that counts as stolen: tails are its own as well", r.Machine.Slow*100)
	}
	if !r.Machine.Known {
		return
	}
	if r.Machine.Steal > limits.Steal {
		r.voidf("hypervisor took %.1f %% of the CPU time, limit %.1f %%", r.Machine.Steal*100, limits.Steal*100)
	}
	if r.Machine.Foreign > limits.Foreign {
		r.voidf("other programs used %.1f %% of the CPU time, limit %.1f %%", r.Machine.Foreign*100, limits.Foreign*100)
	}
}

// judgeBooks compares what clients were promised with what the server says and
// what the file holds.
func (r *Result) judgeBooks(b books, ended exit, data string) {
	lines, err := countLines(data)
	if err != nil {
		r.voidf("%v", err)
		return
	}
	lines -= b.prepared
	r.Accepted, r.Stored = b.accepted, lines
	if lines < b.accepted {
		r.Lost = b.accepted - lines
		r.voidf("LOST: %d samples were accepted, %d are stored", b.accepted, lines)
	}
	if lines > b.accepted+b.unknown {
		r.voidf("%d lines are stored, %d samples accepted and %d without an answer", lines, b.accepted, b.unknown)
	}
	if ended.accepted < b.accepted || ended.accepted > b.accepted+b.unknown {
		r.voidf("closing line says %d accepted, clients saw %d and %d without an answer", ended.accepted, b.accepted, b.unknown)
	}
	if ended.stored != lines {
		r.voidf("closing line says %d stored, the file has %d lines", ended.stored, lines)
	}
	if b.slowBad > 0 {
		r.warnf("%d requests of the slow client failed", b.slowBad)
	}
}
