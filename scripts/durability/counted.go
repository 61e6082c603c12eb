package main

import (
	"fmt"
	"math"

	bench "phase0/bench/report"
	"phase0/bench/trial"
	"phase0/loadgen/record"
)

// Units of figures. Those of trial mean here what they mean there.
const (
	unitSamples  = "samples/s"    // answered with 202, between two instants under load
	unitSyncs    = "syncs/sample" // of the log, between the same
	unitSyncTime = "sync-ns"      // mean
	unitCPU      = trial.UnitCPUPerSample
	unitBusy     = trial.UnitServerBusy
	unitP50      = trial.UnitP50
	unitP99      = trial.UnitP99
	unitVerified = "verified" // samples accepted and looked for
	unitLost     = "lost"
	unitWrong    = "wrong" // lost, or there more than once, or never sent, or refused
)

// show prints a figure.
func show(unit string, v float64) string {
	switch unit {
	case unitSamples, unitVerified:
		return bench.Value(trial.UnitPoints, v)
	case unitLost, unitWrong:
		return fmt.Sprintf("%.0f", v)
	case unitSyncs:
		if v == 0 {
			return "0"
		}
		return fmt.Sprintf("%.*f", max(0, 1-int(math.Floor(math.Log10(v)))), v) // two digits
	}
	return bench.Value(unit, v)
}

// counted is a window between two readings, and the load around it.
type counted struct {
	first, second reading
	warmup, load  record.Result
}

// fill derives the figures.
func (w counted) fill(out *run) {
	seconds := w.second.at.Sub(w.first.at).Seconds()
	accepted, syncs := w.second.accepted-w.first.accepted, w.second.syncs-w.first.syncs
	if accepted <= 0 || seconds <= 0 {
		out.Void = fmt.Sprintf("%.0f samples accepted in %.1f s", accepted, seconds)
		return
	}
	out.Values[unitSamples] = accepted / seconds
	if out.arm.sync != "" {
		out.Values[unitSyncs] = syncs / accepted
		if syncs > 0 {
			out.Values[unitSyncTime] = (w.second.syncTime - w.first.syncTime) * 1e9 / syncs
		}
	}
	if w.first.known && w.second.known {
		out.Values[unitCPU] = float64(w.second.cpu-w.first.cpu) / accepted
		out.Values[unitBusy] = min(1, (w.second.core-w.first.core).Seconds()/seconds)
	}
	for unit, quantile := range map[string]float64{unitP50: 0.5, unitP99: 0.99} {
		if p, ok := w.load.ResponseTime.At(quantile); ok && p.Unavailable == "" {
			out.Values[unit] = float64(p.NS)
		}
	}
	if refused := w.load.Accounting.Answered - w.load.Accounting.Accepted; refused > 0 {
		out.warnf("%d of %d requests refused", refused, w.load.Accounting.Scheduled)
	}
	if out.Load == loadSteady && w.load.Verdict.Level == record.Invalid {
		out.warnf("the generator calls it invalid: %.200q", w.load.Verdict.Reasons)
	}
}

// audit compares what was accepted with what is stored; lines are those of the file after
// the server's end.
func (w counted) audit(out *run, lines int64) {
	each := int64(samples(out.Load))
	accepted := each * (w.warmup.Accounting.Accepted + w.load.Accounting.Accepted)
	unknown := each * (unanswered(w.warmup) + unanswered(w.load))
	lost, extra := max(0, accepted-lines), max(0, lines-accepted-unknown)
	wrong := lost + extra
	if v := w.load.Verification; v != nil {
		lost = max(lost, v.Lost)
		wrong = max(wrong, v.Lost+v.Duplicated+v.Phantom+v.Zombie)
	} else if out.Load != loadBatch {
		out.Void = "the generator did not read back"
	}
	out.Values[unitVerified], out.Values[unitLost], out.Values[unitWrong] = float64(accepted), float64(lost), float64(wrong)
}

// unanswered counts requests of which nobody knows whether they were accepted.
func unanswered(r record.Result) int64 { return r.Accounting.Sent - r.Accounting.Answered }
