package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"phase0/loadgen/record"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const (
	ms      = int64(time.Millisecond)
	planned = 10 * time.Second
	perRun  = 1000 // requests
)

// requests records n requests that are spread evenly over the planned time.
func requests(rec *record.Recorder, seed uint64, n int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range int64(n) {
		s := rec.Shard(int(i))
		due := i * int64(planned) / int64(n)
		f := record.Flight{Index: i, Intended: due, Actual: due + rng.Int64N(ms)}
		s.Sent(f)
		s.Lag(f, 0)
		if rng.IntN(100) == 0 {
			s.TimedOut(f, f.Actual+2000*ms)
			continue
		}
		s.Answered(f, f.Actual+1+int64(rng.ExpFloat64()*float64(5*ms)), 202)
	}
}

// result is what one generator wrote that started at an offset from noon.
func result(t *testing.T, id string, offset time.Duration, seeds ...uint64) record.Result {
	t.Helper()
	n := perRun * len(seeds)
	res := record.Result{
		Schema: record.SchemaVersion, RunID: id, ToolVersion: "1.0", Engine: "epoll", Model: "open", KeepAlive: true, Seed: 1,
		Start: noon.Add(offset), End: noon.Add(offset + 12*time.Second),
		PlannedSeconds: planned.Seconds(), ElapsedSeconds: 12, TimeoutSeconds: 2,
		Stream:    stored(t, seeds...),
		Generator: record.Generator{CPUSeconds: 0.5, GCs: 3, CPUs: 2, GOMAXPROCS: 3, StealShare: 0.001, GoVersion: "go1.26", Platform: "linux/amd64"},
		Verdict:   record.Verdict{Level: record.Valid, Reasons: []string{}},
	}
	res.URL, res.Method = "http://10.0.0.1:8080/metrics", "POST"
	res.Connections = record.Connections{Allowed: 64, Peak: 3, Dials: 4}
	res.WindowSeconds, res.OfferedRPS = planned.Seconds(), float64(n)/planned.Seconds()
	res.AchievedRPS = float64(res.Accounting.Sent) / res.WindowSeconds
	res.AcceptedRPS = float64(res.Accounting.Accepted) / res.WindowSeconds
	return res
}

// streams holds what stored has recorded, by its arguments.
var streams sync.Map

// stored records once what several tests use; what it returns shares memory with
// all its copies.
func stored(t *testing.T, seeds ...uint64) record.Stream {
	t.Helper()
	key := fmt.Sprint(seeds)
	if st, ok := streams.Load(key); ok {
		return st.(record.Stream)
	}
	rec := record.New(planned+4*time.Second, 1)
	for _, seed := range seeds {
		requests(rec, seed, perRun)
	}
	var st record.Stream
	if err := rec.Fill(&st, int64(perRun*len(seeds))); err != nil {
		t.Fatal(err)
	}
	streams.Store(key, st)
	return st
}

func merged(t *testing.T, runs ...record.Result) record.Result {
	t.Helper()
	sum, err := Results(runs...)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestTwoHalvesAreTheWhole(t *testing.T) {
	whole := result(t, "whole", 0, 1, 2)
	sum := merged(t, result(t, "b", 0, 2), result(t, "a", 0, 1))
	want := whole.Stream
	want.Connections = record.Connections{Allowed: 128, Peak: 6, Dials: 8}
	if math.Abs(sum.AcceptedRPS-want.AcceptedRPS) > 1e-9 {
		t.Errorf("accepted %v rps, want %v", sum.AcceptedRPS, want.AcceptedRPS)
	}
	want.AcceptedRPS = sum.AcceptedRPS // but for the last digit
	if !reflect.DeepEqual(sum.Stream, want) {
		t.Errorf("got\n%+v, want\n%+v", sum.Stream, want)
	}
	if v := sum.Verdict; v.Level != record.Valid || len(v.Reasons) != 0 || v.Bottleneck != "" {
		t.Errorf("verdict %+v, want VALID", v)
	}
	if g := sum.Generator; g.CPUSeconds != 1 || g.CPUs != 4 || g.GOMAXPROCS != 6 || g.GCs != 6 || g.StealShare != 0.001 || g.Platform != "linux/amd64" {
		t.Errorf("generator %+v", g)
	}
	if !slices.Equal(sum.MergedFrom, []string{"a", "b"}) || !strings.HasPrefix(sum.RunID, "merged-") {
		t.Errorf("run %s, merged from %v", sum.RunID, sum.MergedFrom)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	runs := []record.Result{result(t, "a", 0, 1), result(t, "b", 300*time.Millisecond, 2), result(t, "c", 0, 3)}
	want := merged(t, runs...)
	for seed := range uint64(2) {
		rand.New(rand.NewPCG(seed, 3)).Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		if got := merged(t, runs...); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: got\n%+v, want\n%+v", seed, got, want)
		}
	}
}

func TestMergedResultIsReadable(t *testing.T) {
	want := merged(t, result(t, "a", 0, 1), result(t, "b", 700*time.Millisecond, 2))
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := record.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// sending is a part that sent 1,000 requests in 10 s, of which the server accepted
// 900, the last one at an offset from its start.
func sending(at, last time.Duration) part {
	return part{start: noon.Add(at), Stream: record.Stream{
		WindowSeconds: planned.Seconds(),
		OfferedRPS:    100, AchievedRPS: 100, AcceptedRPS: 900 / last.Seconds(),
		Accounting: record.Accounting{Scheduled: 1000, Sent: 1000, Accepted: 900},
	}}
}

func TestRatesNeedWindowsThatOverlap(t *testing.T) {
	tests := []struct {
		name         string
		offset, last time.Duration // of the second run
		window       float64       // s
		offered      float64       // rps
		accepted     float64       // rps
		doubt        string
	}{
		{"together", 0, planned, 10, 200, 180, ""},
		{"nearly together", 500 * time.Millisecond, planned, 10.5, 200, 180, ""},
		{"just together enough", 526 * time.Millisecond, planned, 10.526, 200, 180, ""},
		{"late answers", 0, 15 * time.Second, 10, 200, 90 + 60, ""},
		{"too far apart", 600 * time.Millisecond, planned, 10.6, 2000 / 10.6, 1800 / 10.6, "sending for 89 % of the time"},
		{"half", 5 * time.Second, planned, 15, 2000.0 / 15, 1800.0 / 15, "sending for 33 % of the time"},
		{"half and late answers", 5 * time.Second, 15 * time.Second, 15, 2000.0 / 15, 1800.0 / 20, "are counts ÷ 15 s"},
		{"one after the other", 20 * time.Second, planned, 30, 2000.0 / 30, 1800.0 / 30, "never all sending at the same time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sum := record.Stream{Accounting: record.Accounting{Scheduled: 2000, Sent: 2000, Accepted: 1800}}
			doubt := rates(&sum, []part{sending(0, planned), sending(tt.offset, tt.last)})
			for _, v := range []struct {
				name      string
				got, want float64
			}{
				{"window", sum.WindowSeconds, tt.window},
				{"offered", sum.OfferedRPS, tt.offered},
				{"achieved", sum.AchievedRPS, tt.offered},
				{"accepted", sum.AcceptedRPS, tt.accepted},
			} {
				if math.Abs(v.got-v.want) > 1e-6 {
					t.Errorf("%s %v, want %v", v.name, v.got, v.want)
				}
			}
			if (doubt == "") != (tt.doubt == "") || !strings.Contains(doubt, tt.doubt) {
				t.Errorf("doubt %q, want %q", doubt, tt.doubt)
			}
		})
	}
}

func TestRatesOfNothing(t *testing.T) {
	var sum record.Stream
	doubt := rates(&sum, []part{{start: noon}, {start: noon}})
	if doubt != "" || sum.WindowSeconds != 0 || sum.AchievedRPS != 0 || sum.AcceptedRPS != 0 {
		t.Errorf("doubt %q, %+v", doubt, sum)
	}
}

func TestRunsApartAreDegraded(t *testing.T) {
	sum := merged(t, result(t, "a", 0, 1), result(t, "b", 5*time.Second, 2))
	if v := sum.Verdict; v.Level != record.Degraded || len(v.Reasons) != 1 || !strings.Contains(v.Reasons[0], "33 %") {
		t.Errorf("verdict %+v, want DEGRADED for 33 %%", v)
	}
	if math.Abs(sum.AchievedRPS-2000.0/15) > 1e-9 {
		t.Errorf("achieved %v rps", sum.AchievedRPS)
	}
}

func TestClosedModelHasNoOfferedRate(t *testing.T) {
	a, b := sending(0, planned), sending(5*time.Second, planned)
	a.OfferedRPS, b.OfferedRPS = 0, 0
	var sum record.Stream
	if rates(&sum, []part{a, b}); sum.OfferedRPS != 0 {
		t.Errorf("offered %v rps", sum.OfferedRPS)
	}
}

func TestTimelinesMeetInTime(t *testing.T) {
	sum := merged(t, result(t, "a", 0, 1), result(t, "b", 4*time.Second, 2))
	slices := sum.Timeline.Slices
	if len(slices) < 14 || slices[3].Sent != 100 || slices[4].Sent != 200 || slices[13].Sent != 100 {
		t.Errorf("slices %+v, want 100 sent in each, but 200 in those from 4 s to 10 s", slices)
	}
	if slices[0].P50NS == 0 || slices[5].P50NS == 0 {
		t.Errorf("p50 is %d ns where one run answered, %d where two did; want both, from the added histograms", slices[0].P50NS, slices[5].P50NS)
	}
}

func TestVerdictIsTheWorst(t *testing.T) {
	degraded := record.Verdict{Level: record.Degraded, Reasons: []string{"slow"}, Bottleneck: "server"}
	invalid := record.Verdict{Level: record.Invalid, Reasons: []string{"late", "lost"}, Bottleneck: "generator"}
	valid := record.Verdict{Level: record.Valid, Reasons: []string{}}
	tests := []struct {
		name       string
		a, b, want record.Verdict
	}{
		{"valid", valid, valid, valid},
		{"one degraded", valid, degraded, record.Verdict{Level: record.Degraded, Reasons: []string{"run b: slow"}, Bottleneck: "server"}},
		{"worst first", invalid, degraded, record.Verdict{Level: record.Invalid, Reasons: []string{"run a: late", "run a: lost", "run b: slow"}, Bottleneck: "generator"}},
		{"worst last", degraded, invalid, record.Verdict{Level: record.Invalid, Reasons: []string{"run a: slow", "run b: late", "run b: lost"}, Bottleneck: "generator"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runs := []record.Result{{RunID: "a", Verdict: tt.a}, {RunID: "b", Verdict: tt.b}}
			if got := judge(runs, nil); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("verdict %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDifferencesDegrade(t *testing.T) {
	tests := []struct {
		want string
		edit func(*record.Result)
	}{
		{"engine: epoll, fasthttp", func(r *record.Result) { r.Engine = "fasthttp" }},
		{"tool version: 1.0, 1.1", func(r *record.Result) { r.ToolVersion = "1.1" }},
		{"keep-alive: false, true", func(r *record.Result) { r.KeepAlive = false }},
		{"timeout in seconds: 2, 5", func(r *record.Result) { r.TimeoutSeconds = 5 }},
		{"method: GET, POST", func(r *record.Result) { r.Method = "GET" }},
		{"URL: http://10.0.0.1:8080/metrics, http://[::1]:8080/", func(r *record.Result) { r.URL = "http://[::1]:8080/" }},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			a, b := result(t, "a", 0, 1), result(t, "b", 0, 2)
			tt.edit(&b)
			v := merged(t, a, b).Verdict
			if v.Level != record.Degraded || !slices.Equal(v.Reasons, []string{"the runs differ in " + tt.want}) {
				t.Errorf("verdict %+v, want DEGRADED, %q", v, tt.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	a, b := result(t, "a", 0, 1), result(t, "b", 0, 2)
	with := func(edit func(*record.Result)) record.Result {
		r := b
		edit(&r)
		return r
	}
	tests := []struct {
		name string
		runs []record.Result
		want string
	}{
		{"none", nil, "0 given"},
		{"one", []record.Result{a}, "1 given"},
		{"too many", make([]record.Result, maxRuns+1), "257 given"},
		{"a run twice", []record.Result{a, b, a}, "run a is given twice"},
		{"a sum", []record.Result{a, with(func(r *record.Result) { r.MergedFrom = []string{"x", "y"} })}, "run b is a sum already: merge the runs it came from, x, y"},
		{"another schema", []record.Result{a, with(func(r *record.Result) { r.Schema = 2 })}, "run b is of schema 2, run a of 1"},
		{"another model", []record.Result{a, with(func(r *record.Result) { r.Model = "closed" })}, "run b is of the closed model, run a of the open"},
		{"no histogram", []record.Result{a, with(func(r *record.Result) { r.SendLag.HDR = "" })}, "run b: send_lag.hdr"},
		{"nonsense", []record.Result{a, with(func(r *record.Result) { r.Accounting.Scheduled++ })}, "the sum is not valid: accounting.scheduled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Results(tt.runs...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
