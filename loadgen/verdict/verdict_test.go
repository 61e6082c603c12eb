package verdict

import (
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// good is a run without fault: 2000 requests at 200 rps.
func good() record.Result {
	return record.Result{
		ElapsedSeconds: 10,
		Stream: record.Stream{
			OfferedRPS: 200, AchievedRPS: 200, AcceptedRPS: 200,
			Connections: record.Connections{Allowed: 64, Peak: 1},
			Accounting: record.Accounting{
				Scheduled: 2000, Sent: 2000, Answered: 2000, Accepted: 2000,
				StatusClasses: map[string]int64{"2xx": 2000},
				StatusCodes:   map[string]int64{"202": 2000},
			},
			ResponseTime: at(0.99, time.Millisecond),
			ServiceTime:  record.Distribution{MinNS: int64(100 * time.Microsecond)},
			OwnLateness:  at(0.99, 50*time.Microsecond),
		},
		Generator: record.Generator{CPUSeconds: 1, CPUs: 1},
	}
}

func at(q float64, d time.Duration) record.Distribution {
	return record.Distribution{Percentiles: []record.Percentile{{Quantile: q, NS: int64(d)}}}
}

// lose turns n accepted requests into requests that were never sent.
func lose(r *record.Result, n int64, k record.Kind) {
	a := &r.Accounting
	a.Sent -= n
	a.Answered -= n
	a.Accepted -= n
	a.NeverSent += n
	a.NeverSentKinds = map[string]int64{k.String(): n}
	a.StatusClasses = map[string]int64{"2xx": a.Accepted}
	a.StatusCodes = map[string]int64{"202": a.Accepted}
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name       string
		change     func(*record.Result)
		level      record.Level
		bottleneck string
		reason     string
	}{
		{"good", func(*record.Result) {}, record.Valid, "", ""},
		{"books do not balance", func(r *record.Result) { r.Accounting.Sent++ }, record.Invalid, "generator", "check accounting"},
		{"nothing accepted", func(r *record.Result) {
			r.Accounting.Accepted = 0
			r.Accounting.StatusClasses = map[string]int64{"5xx": 2000}
			r.Accounting.StatusCodes = map[string]int64{"500": 2000}
		}, record.Invalid, "server", "no request was accepted"},
		{"one of a thousand lost", func(r *record.Result) { lose(r, 2, record.Refused) }, record.Valid, "", ""},
		{"server gone, generator late too", func(r *record.Result) {
			lose(r, 1000, record.Refused)
			r.OwnLateness = at(0.99, time.Second)
		}, record.Invalid, "server", "1000 of 2000"},
		{"a few lost", func(r *record.Result) { lose(r, 10, record.Refused) }, record.Degraded, "server", "10 of 2000"},
		{"many lost", func(r *record.Result) { lose(r, 100, record.Refused) }, record.Invalid, "server", "100 of 2000"},
		{"interrupted", func(r *record.Result) { r.Interrupted = true; lose(r, 100, record.Interrupted) }, record.Valid, "", ""},
		{"no local ports", func(r *record.Result) { lose(r, 1, record.NoLocalPort) }, record.Invalid, "generator", "local port"},
		{"server too slow", func(r *record.Result) { r.AchievedRPS = 150; r.Connections.Peak = 64 }, record.Invalid, "server", "achieved 150.0 of 200.0"},
		{"a little too slow", func(r *record.Result) { r.AchievedRPS = 199 }, record.Degraded, "server", "99.50 %"},
		{"pool too small", func(r *record.Result) {
			r.AchievedRPS, r.ServiceTime.MinNS = 150, int64(time.Second)
			r.Connections.Peak = 64
		}, record.Invalid, "pool", "achieved"},
		{"late", func(r *record.Result) { r.OwnLateness = at(0.99, 300*time.Microsecond) }, record.Degraded, "generator", "own lateness reaches 300µs"},
		{"late, but little beside the answers", func(r *record.Result) {
			r.OwnLateness, r.ResponseTime = at(0.99, 300*time.Microsecond), at(0.99, 5*time.Millisecond)
		}, record.Valid, "", ""},
		{"very late", func(r *record.Result) { r.OwnLateness = at(0.99, 2*time.Millisecond) }, record.Invalid, "generator", "own lateness"},
		{"late in a short run", func(r *record.Result) { r.OwnLateness = at(0.90, 2*time.Millisecond) }, record.Invalid, "generator", "own lateness"},
		{"late because of the machine", func(r *record.Result) {
			r.OwnLateness, r.Generator.StealShare = at(0.99, 2*time.Millisecond), 0.05
		}, record.Invalid, "machine", "hypervisor"},
		{"busy", func(r *record.Result) { r.Generator.CPUSeconds = 7 }, record.Degraded, "generator", "70 % of its 1 core"},
		{"closed model, busy", func(r *record.Result) { r.OfferedRPS = 0; r.Generator.CPUSeconds = 7 }, record.Valid, "", ""},
		{"closed model, at its limit", func(r *record.Result) { r.OfferedRPS = 0; r.Generator.CPUSeconds = 9.7 }, record.Degraded, "generator", "97 %"},
		{"steal", func(r *record.Result) { r.Generator.StealShare = 0.02 }, record.Degraded, "machine", "2.0 %"},
		{"empty", func(r *record.Result) { *r = record.Result{} }, record.Invalid, "server", "no request was accepted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.change(&r)
			v := Judge(r)
			if v.Level != tt.level || v.Bottleneck != tt.bottleneck {
				t.Errorf("%s by %q, want %s by %q", v.Level, v.Bottleneck, tt.level, tt.bottleneck)
			}
			if reasons := strings.Join(v.Reasons, "; "); !strings.Contains(reasons, tt.reason) || tt.reason == "" && reasons != "" {
				t.Errorf("reasons %q, want %q", reasons, tt.reason)
			}
		})
	}
}
