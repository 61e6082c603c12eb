package knee

import (
	"testing"
	"time"

	"phase0/loadgen/record"
)

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		change func(*record.Result)
		want   Ruling
		reason string
	}{
		{"good", func(*record.Result) {}, Pass, ""},
		{"slow", func(r *record.Result) { *r = run(100, 10, 20*time.Millisecond) }, Fail, "p99<20ms: 20ms"},
		{"errors", func(r *record.Result) { *r = lose(*r, 0.02) }, Fail, "err<1%: 2%"},
		{"just achieved", func(r *record.Result) { r.AchievedRPS = 99.5 }, Pass, ""},
		{"not achieved", func(r *record.Result) { r.AchievedRPS = 99.4 }, Fail, "achieved 99.4% of the offered rate"},
		{"no achieved rate", func(r *record.Result) { r.AchievedRPS = 0 }, Fail, "achieved 0% of the offered rate"},
		{"too few requests", func(r *record.Result) { *r = run(100, 3, time.Millisecond) }, TooFew, "p99<20ms: needs 368 observations, has 300"},
		{"no request", func(r *record.Result) { r.Accounting = record.Accounting{} }, TooFew, "err<1%: no request was scheduled"},
		{"too few answers", func(r *record.Result) {
			r.ResponseTime.Percentiles[1] = record.Percentile{Quantile: 0.99, Needs: 368, Unavailable: "needs 368 observations, has 9"}
		}, Fail, "p99<20ms: needs 368 observations, has 9"},
		{"lower bound", func(r *record.Result) { r.ResponseTime.Percentiles[1].AtLeast = true }, Fail, "p99<20ms: requests were given up before their answer"},
		{"degraded by the generator", func(r *record.Result) {
			r.Verdict = record.Verdict{Level: record.Degraded, Bottleneck: "generator"}
		}, Pass, ""},
		{"spoilt by the generator", func(r *record.Result) {
			*r = lose(*r, 1)
			r.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "generator", Reasons: []string{"late", "lost"}}
		}, Void, "late"},
		{"spoilt by the machine", func(r *record.Result) {
			r.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "machine"}
		}, Void, "held back by the machine"},
		{"held back by the server", func(r *record.Result) {
			*r = lose(*r, 1)
			r.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "server", Reasons: []string{"lost"}}
		}, Fail, "err<1%: 100%"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := run(100, 10, 5*time.Millisecond)
			tt.change(&res)
			got, reason := judge(objectives(t, "p99<20ms,err<1%"), 100, res)
			if got != tt.want || reason != tt.reason {
				t.Errorf("%s, %q; want %s, %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}
