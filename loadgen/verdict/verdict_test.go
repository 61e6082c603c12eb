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
		{"late because others had its core now and then", func(r *record.Result) {
			r.OwnLateness = at(0.99, 2*time.Millisecond)
			crowd(r, 0.05, 9*time.Microsecond, 0.3)
		}, record.Invalid, "machine", "own lateness"},
		{"late because it had too much to do", func(r *record.Result) {
			r.OwnLateness, r.Generator.CPUSeconds = at(0.99, 2*time.Millisecond), 7
			crowd(r, 0.05, 9*time.Microsecond, 0.2)
		}, record.Invalid, "generator", "own lateness"},
		{"busy", func(r *record.Result) { r.Generator.CPUSeconds = 7 }, record.Degraded, "generator", "70 % of its 1 core"},
		{"closed model, busy", func(r *record.Result) { r.OfferedRPS = 0; r.Generator.CPUSeconds = 7 }, record.Valid, "", ""},
		{"closed model, at its limit", func(r *record.Result) { r.OfferedRPS = 0; r.Generator.CPUSeconds = 9.7 }, record.Degraded, "generator", "97 %"},
		{"steal", func(r *record.Result) { r.Generator.StealShare = 0.02 }, record.Degraded, "machine", "2.0 %"},
		{"busiest thread near its core", func(r *record.Result) { r.Generator.CPUs, r.Generator.BusiestThreadShare = 8, 0.7 }, record.Degraded, "generator", "busiest thread used 70 % of a core"},
		{"closed model, busy thread", func(r *record.Result) { r.OfferedRPS, r.Generator.BusiestThreadShare = 0, 0.9 }, record.Valid, "", ""},
		{"closed model, thread at its limit", func(r *record.Result) {
			r.OfferedRPS, r.Generator.CPUs, r.Generator.BusiestThreadShare = 0, 8, 0.97
		}, record.Degraded, "generator", "97 % of a core; the server may be able to take more"},
		{"closed model, thread without its core", func(r *record.Result) {
			r.OfferedRPS = 0
			r.Generator.BusiestThreadShare, r.Generator.BusiestThreadWaitShare = 0.6, 0.38
			crowd(r, 0.5, time.Millisecond, 0.6)
		}, record.Degraded, "machine", "used 60 % of a core and waited for one 38 %"},
		{"turns that wake-ups explain", func(r *record.Result) { crowd(r, 0.2, 9*time.Microsecond, 0.5) }, record.Valid, "", ""},
		{"waits that are rare", func(r *record.Result) { crowd(r, 0.009, time.Millisecond, 0.5) }, record.Valid, "", ""},
		{"waits that are little beside the answers", func(r *record.Result) {
			crowd(r, 0.05, 80*time.Microsecond, 0.5)
			r.ResponseTime = at(0.5, time.Millisecond)
		}, record.Valid, "", ""},
		{"other programs took the cores", func(r *record.Result) { crowd(r, 0.05, 80*time.Microsecond, 0.5) }, record.Degraded, "machine", "waited 5.0 % of the time for a core, 80µs per turn where 20µs is the limit: other programs, perhaps the server, used 50 %"},
		{"our own threads took the cores", func(r *record.Result) { crowd(r, 0.05, 80*time.Microsecond, 0.05) }, record.Degraded, "generator", "compete with each other"},
		{"closed model, other programs", func(r *record.Result) { r.OfferedRPS = 0; crowd(r, 0.05, 80*time.Microsecond, 0.5) }, record.Valid, "", ""},
		{"other programs on idle cores", func(r *record.Result) { r.Generator.Machine.OtherCPUShare = 0.6 }, record.Valid, "", ""},
		{"the odd segment lost", func(r *record.Result) { r.Generator.Machine.RetransmittedSegments = 2 }, record.Valid, "", ""},
		{"segments again that were not lost", func(r *record.Result) {
			r.Generator.Machine.RetransmittedSegments, r.Generator.Machine.DuplicateSegments = 60, 58
		}, record.Valid, "", ""},
		{"segments lost", func(r *record.Result) {
			r.URL, r.Generator.Machine.RetransmittedSegments = "http://192.0.2.1:8080/metrics", 3
			r.Generator.Machine.ListenOverflows = 3 // of another server, then
		}, record.Degraded, "machine", "3 TCP segments were lost and sent again for 2000 requests: the network"},
		{"accept queue overflowed", func(r *record.Result) {
			r.URL = "http://[::1]:8080/metrics"
			r.Generator.Machine.RetransmittedSegments, r.Generator.Machine.ListenOverflows = 3, 5
		}, record.Degraded, "server", "accept queue overflowed 5 times"},
		{"empty", func(r *record.Result) { *r = record.Result{} }, record.Invalid, "server", "no request was accepted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.change(&r)
			check(t, r, tt.level, tt.bottleneck, tt.reason)
		})
	}
}

// check judges r; no reason means none at all.
func check(t *testing.T, r record.Result, level record.Level, bottleneck, reason string) {
	t.Helper()
	v := Judge(r)
	if v.Level != level || v.Bottleneck != bottleneck {
		t.Errorf("%s by %q, want %s by %q", v.Level, v.Bottleneck, level, bottleneck)
	}
	if reasons := strings.Join(v.Reasons, "; "); !strings.Contains(reasons, reason) || reason == "" && reasons != "" {
		t.Errorf("reasons %q, want %q", reasons, reason)
	}
	for _, reason := range v.Reasons {
		if strings.Contains(reason, "\n") {
			t.Errorf("reason of several lines: %q", reason)
		}
	}
}

// crowd lets the generator's threads wait for a share of the time, by mean per
// turn, while others use a share of the cores.
func crowd(r *record.Result, share float64, mean time.Duration, others float64) {
	r.Generator.RunQueueWaitShare, r.Generator.RunQueueWaitMeanNS = share, mean.Nanoseconds()
	r.Generator.Machine.OtherCPUShare = others
}

// behind is a run that sent three quarters of what was offered, all connections
// busy; a request took seconds from when it was due.
func behind() record.Result {
	r := good()
	r.AchievedRPS, r.AcceptedRPS, r.Connections.Peak = 150, 150, 64
	r.ResponseTime = record.Distribution{Percentiles: []record.Percentile{
		{Quantile: 0.5, NS: int64(time.Second)}, {Quantile: 0.99, NS: int64(3 * time.Second)},
	}}
	return r
}

// TestCulprit asks for more than can be had, for different causes.
func TestCulprit(t *testing.T) {
	tests := []struct {
		name       string
		change     func(*record.Result)
		bottleneck string
		reason     string
	}{
		{"server saturated: requests queue inside it", func(r *record.Result) {
			r.ServiceTime.MinNS = int64(200 * time.Microsecond)
			r.ServiceTime.Percentiles = at(0.5, 400*time.Millisecond).Percentiles
		}, "server", "achieved 150.0 of 200.0 rps offered (75.00 %)"},
		{"pool too small for the distance to the server", func(r *record.Result) {
			r.ServiceTime.MinNS = int64(400 * time.Millisecond)
			r.ServiceTime.Percentiles = at(0.5, 410*time.Millisecond).Percentiles
		}, "pool", "64 connections carry at most 160.0 rps when an answer takes 400ms or longer"},
		{"generator saturated: due requests are seen late", func(r *record.Result) {
			r.OwnLateness = at(0.99, 2900*time.Millisecond)
			r.Generator.CPUs, r.Generator.BusiestThreadShare = 8, 0.99
		}, "generator", "own lateness reaches 2.9s"},
		{"generator saturated: answers are read late", func(r *record.Result) {
			r.Generator.CPUs, r.Generator.BusiestThreadShare = 8, 0.99 // the wait is for connections then
		}, "generator", "busiest thread used 99 % of a core"},
		{"machine: steal", func(r *record.Result) {
			r.OwnLateness, r.Generator.StealShare = at(0.99, 2900*time.Millisecond), 0.3
		}, "machine", "hypervisor"},
		{"machine: other programs, seen as lateness", func(r *record.Result) {
			r.OwnLateness = at(0.99, 2900*time.Millisecond)
			crowd(r, 0.5, time.Millisecond, 0.5)
		}, "machine", "own lateness"},
		{"machine: other programs, seen as waits for connections", func(r *record.Result) {
			r.Generator.BusiestThreadShare, r.Generator.BusiestThreadWaitShare = 0.5, 0.47
			crowd(r, 0.5, time.Millisecond, 0.5)
		}, "machine", "waited for one 47 %"},
		{"server on the same cores, but our thread had time to spare", func(r *record.Result) {
			r.Generator.BusiestThreadShare, r.Generator.BusiestThreadWaitShare = 0.1, 0.1
			crowd(r, 0.1, 100*time.Microsecond, 0.8)
		}, "server", "achieved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := behind()
			tt.change(&r)
			check(t, r, record.Invalid, tt.bottleneck, tt.reason)
		})
	}
}

// TestStall judges a server that stood still for 5 s of 30 and then caught up.
func TestStall(t *testing.T) {
	r := good()
	r.ElapsedSeconds, r.WindowSeconds, r.Connections.Peak = 30, 30, 64
	r.ResponseTime, r.ConnectionWait = at(0.99, 4800*time.Millisecond), at(0.99, 4700*time.Millisecond)
	r.Timeline = timeline(30, func(i int) (int64, time.Duration) {
		switch {
		case i >= 12 && i < 17:
			return 0, 0
		case i == 17:
			return 3000, 2 * time.Second
		default:
			return 500, time.Millisecond
		}
	})
	check(t, r, record.Valid, "", "")
	lose(&r, 100, record.NoConnection)
	check(t, r, record.Invalid, "server", "100 of 2000")
}

func TestClosedModelNoticesAServerThatWasAway(t *testing.T) {
	for _, tt := range []struct {
		accepted []int64
		service  time.Duration
		want     record.Level
	}{
		{[]int64{500, 500, 500, 500}, time.Millisecond, record.Valid},
		{[]int64{500, 0, 500, 500}, time.Millisecond, record.Invalid},
		{[]int64{500}, time.Millisecond, record.Invalid}, // nothing happened after that
		{[]int64{8, 0, 0, 8}, 3 * time.Second, record.Valid},
	} {
		r := good()
		r.OfferedRPS, r.WindowSeconds = 0, 4
		r.ServiceTime = at(0.5, tt.service)
		r.Timeline = record.Timeline{SliceSeconds: 1}
		for _, n := range tt.accepted {
			r.Timeline.Slices = append(r.Timeline.Slices, record.Slice{Accepted: n})
		}
		if v := Judge(r); v.Level != tt.want || v.Level != record.Valid && v.Bottleneck != server {
			t.Errorf("%v: %+v, want %s", tt.accepted, v, tt.want)
		}
	}
}
