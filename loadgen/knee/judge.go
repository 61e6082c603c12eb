package knee

import (
	"fmt"

	"phase0/loadgen/record"
	"phase0/loadgen/slo"
)

// sustained is the share of the offered rate that must be sent. It leaves room
// for the last requests of a short run being a little late.
const sustained = 0.995

// judge says what a run at a rate tells about it, and why unless it passes.
func judge(objectives []slo.Objective, rate float64, res record.Result) (Ruling, string) {
	if v := res.Verdict; v.Level == record.Invalid && (v.Bottleneck == byGenerator || v.Bottleneck == byMachine) {
		return Void, firstReason(v)
	}
	out := slo.Check(objectives, res)
	share := res.AchievedRPS / rate
	switch {
	case out.State == slo.Missed:
		return Fail, missed(out)
	case !(share >= sustained):
		return Fail, fmt.Sprintf("achieved %s of the offered rate", slo.Percent(share))
	case out.State == slo.Unknown:
		return unknown(out, res.Accounting.Scheduled)
	default:
		return Pass, ""
	}
}

func firstReason(v record.Verdict) string {
	if len(v.Reasons) == 0 {
		return "held back by the " + v.Bottleneck
	}
	return v.Reasons[0]
}

// missed names the first objective missed and its value.
func missed(out slo.Outcome) string {
	for _, row := range out.Rows {
		if row.State == slo.Missed {
			return fmt.Sprintf("%s: %s", row.Objective, row.Seen())
		}
	}
	return ""
}

// unknown tells a run that was too small for its objectives from a server that
// answered too little or too late for them. Only the latter fails.
func unknown(out slo.Outcome, scheduled int64) (Ruling, string) {
	reason := ""
	for _, row := range out.Rows {
		if row.State != slo.Unknown {
			continue
		}
		text := fmt.Sprintf("%s: %s", row.Objective, row.Reason)
		if row.Needs <= scheduled {
			return Fail, text
		}
		if reason == "" {
			reason = text
		}
	}
	return TooFew, reason
}

// point condenses a run that was judged.
func point(rate float64, res record.Result) Point {
	p := Point{
		RunID:      res.RunID,
		Rate:       rate,
		Achieved:   res.AchievedRPS,
		P50:        percentile(res.ResponseTime, "p50", 0.5),
		P99:        percentile(res.ResponseTime, "p99", 0.99),
		Bottleneck: res.Verdict.Bottleneck,
	}
	if a := res.Accounting; a.Scheduled > 0 {
		p.ErrShare = float64(a.Scheduled-a.Accepted) / float64(a.Scheduled)
	}
	return p
}

func percentile(d record.Distribution, name string, quantile float64) record.Percentile {
	if p, ok := d.At(quantile); ok {
		return p
	}
	return record.Percentile{Name: name, Quantile: quantile, Unavailable: "not in the result"}
}
