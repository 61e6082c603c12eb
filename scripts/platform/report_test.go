package main

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"phase0/bench/trial"
	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

var update = flag.Bool("update", false, "write golden files")

// example has two rounds of everything, a void run and a doubt. Figures differ by
// arm and round in a way that is easy to follow.
func example() *report {
	c := lab.Conditions{
		Date: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Commit: "abc1234", GoVersion: "go1", Host: trial.Host{Kernel: "6.1", CPU: "CPU", Cores: 2},
		Placement: trial.Placement{Pinned: true, Server: []int{1}, Generator: []int{0}},
	}
	r := &report{Schema: schema, Subjects: []presence{{"VictoriaMetrics", "Debian 1"}, {"InfluxDB", ""}}}
	for _, experiment := range experiments() {
		s := section{Experiment: experiment, Conditions: c, Settings: settings{Seconds: 5, Overload: 60, Points: 10_000_000, Seed: 1}}
		for round := range 2 {
			for i, j := range oneRound(experiment, func(arm string) bool { return arm != armInflux }) {
				j.Round, j.Order = round, i
				s.Runs = append(s.Runs, exampleRun(j, float64(i+1), float64(round)))
			}
		}
		r.Sections = append(r.Sections, s)
	}
	r.Sections[0].Runs[1].Void = "it failed"
	r.Sections[1].Runs[0].warnf("a doubt")
	r.Targets = judge(r)
	return r
}

func exampleRun(j job, place, round float64) run {
	x := run{job: j, Values: map[string]float64{
		unitRequests: (100_000 + 1000*round) / place, unitSamples: (2e6 + 1e5*round) / place, unitCPU: 500 * place, unitBusy: 0.95, unitDepth: 10, unitDepthShare: 0.001,
		unitAllocated: 4 * place, unitMemory: 100 << 20, unitP99: 1e6 * place,
	}}
	set := func(more map[string]float64) { x.Values = more }
	switch {
	case j.Experiment == scanning && j.Case == casePercent:
		set(map[string]float64{unitPercentile: 5e8 * place})
	case j.Experiment == scanning && j.Case == caseSmall:
		set(map[string]float64{unitNewest: 2e5})
	case j.Experiment == scanning:
		set(map[string]float64{unitScanned: 2e9 / place, unitNewest: 2.1e5 * place})
	case j.Experiment == overloading:
		set(map[string]float64{
			unitCapacity: 5000, unitGoodput: 4500, unitShare: 0.9, unitMemory: 100 << 20, unitBound: 150 << 20, unitAccepted: 0.1, unitRefused: 0.9, unitOther: 0,
			unitProbes: 500, unitNoRetry: round, unitDrain: 4e9, unitVerified: 300_000, unitLost: 0, unitWrong: 0,
		})
		x.Trace = []moment{{Seconds: 0, Memory: 20 << 20}, {Seconds: 1, Memory: 100 << 20, Depth: 20_000}}
	case j.Experiment == slowClients:
		set(map[string]float64{unitGrowth: 10 << 20, unitMemory: 30 << 20, unitP99Alone: 1e6, unitP99: 1.5e6 * place, unitP99Ratio: 1.5 * place, unitLateness: 5e4, unitSlowClients: 200})
	}
	return x
}

func TestMarkdown(t *testing.T) {
	var text strings.Builder
	if err := writeMarkdown(&text, example()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "platform.md")
	if *update {
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("differs from %s; see the difference with -update and git diff", golden)
	}
}

func TestTargets(t *testing.T) {
	r := example()
	for claim, want := range map[string]state{
		"requests/s at least 0.85× bareserver":                                reached, // the void run leaves one round
		"requests/s at least 1.50× victoria-metrics":                          reached,
		"requests/s at least 1.50× influxdb":                                  notMeasured,
		"queue below 1 % of what was stored":                                  reached,
		"concurrent: at least 1.5 million samples/s stored":                   reached,
		"concurrent, 8 series: at least 1.5 million samples/s stored":         missed,
		"concurrent, 8 series: at most 8 bytes allocated per sample":          reached,
		"parallel: at least 1 GB/s of file per core":                          reached,
		"memory below the bound of the configured limits":                     reached,
		"503 without Retry-After: none":                                       missed,
		"drip: others' p99 at most doubles":                                   reached,
		"claim: others' p99 at most doubles":                                  missed,
		"parallel: the newest minute of 1e7 points at most 1.10× that of 1e5": reached,
	} {
		found := false
		for _, got := range r.Targets {
			if got.Claim == claim {
				found = true
				if got.State != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		}
		if !found {
			t.Errorf("no target %q", claim)
		}
	}
	if !r.missed() || r.lost() != 0 || r.allVoid() {
		t.Errorf("missed %t, lost %v, all void %t", r.missed(), r.lost(), r.allVoid())
	}
}

// What is decided by the median is remarked where the interval says something else.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		got  target
		want state
		note bool
	}{
		{atLeast("", "", lab.Summary{N: 3, Median: 2, Low: 1.6, High: 3}, true, 1.5, ""), reached, false},
		{atLeast("", "", lab.Summary{N: 3, Median: 2, Low: 1.4, High: 3}, true, 1.5, ""), reached, true},
		{atLeast("", "", lab.Summary{N: 3, Median: 1.4, Low: 1, High: 1.6}, true, 1.5, ""), missed, true},
		{atLeast("", "", lab.Summary{N: 3, Median: 1.2, Low: 1, High: 1.4}, true, 1.5, ""), missed, false},
		{atMost("", "", lab.Summary{N: 3, Median: 8, Low: 7, High: 8}, true, 8, ""), reached, false},
		{atMost("", "", lab.Summary{N: 3, Median: 9, Low: 7, High: 10}, true, 8, ""), missed, true},
		{atMost("", "", lab.Summary{}, false, 8, ""), notMeasured, false},
		{worst("", "", nil, unitLost, 0), notMeasured, false},
		{worst("", "", []run{{Values: map[string]float64{unitLost: 0}}, {Values: map[string]float64{unitLost: 1}}}, unitLost, 0), missed, false},
	} {
		if c.got.State != c.want || (c.got.Note != "") != c.note {
			t.Errorf("%+v, want %s, note %t", c.got, c.want, c.note)
		}
	}
}

func TestCliffs(t *testing.T) {
	r := &report{Sections: []section{{Experiment: gridding}}}
	for _, s := range grid() {
		x := run{job: job{Experiment: gridding, Arm: armConcurrent, Case: s.String()}, Values: map[string]float64{unitSamples: 1000}}
		if s == (shape{64, 1, 100_000}) {
			x.Values[unitSamples] = 400
		}
		r.Sections[0].Runs = append(r.Sections[0].Runs, x)
	}
	if got := cliffs(r); len(got) != 3 { // from 1 and 16 connections, and from one series
		t.Errorf("%+v", got)
	}
}

// What is measured anew replaces its experiment, is added to it on demand, and leaves
// the others.
func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, example()); err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions([]string{"-only", "batch", "-out", dir})
	if err != nil {
		t.Fatal(err)
	}
	same := lab.Conditions{Commit: "abc1234"}
	r, err := prepare(&o, nil, same)
	if err != nil || len(r.Sections) != len(experiments()) || len(r.section(batches).Runs) != 0 || len(r.section(singleSample).Runs) == 0 || o.firstRound != 0 {
		t.Errorf("replaced: error %v, %d sections, first round %d", err, len(r.Sections), o.firstRound)
	}
	o.add = true
	if r, err = prepare(&o, nil, same); err != nil || len(r.section(batches).Runs) == 0 || o.firstRound != 2 {
		t.Errorf("added: error %v, first round %d", err, o.firstRound)
	}
	for name, change := range map[string]func(*options, *lab.Conditions){
		"another commit":   func(_ *options, c *lab.Conditions) { c.Commit = "def" },
		"changes":          func(_ *options, c *lab.Conditions) { c.Dirty = true },
		"other flags":      func(o *options, _ *lab.Conditions) { o.seconds = 7 },
		"results unusable": func(o *options, _ *lab.Conditions) { o.out = broken(t) },
	} {
		o, c := o, same
		change(&o, &c)
		if _, err := prepare(&o, nil, c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// broken returns a directory with results of another schema.
func broken(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "platform.json"), []byte(`{"schema":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWatched(t *testing.T) {
	depths := []moment{{Seconds: 1, Depth: 0}, {Seconds: 61, Depth: 5}, {Seconds: 61.5, Depth: -1}, {Seconds: 62, Depth: 0}}
	if at, ok := drainedAt(depths, 60); !ok || at != 62 {
		t.Errorf("drained at %v, %t", at, ok)
	}
	if _, ok := drainedAt(depths[:3], 60); ok {
		t.Error("drained without an empty queue after the end")
	}
	memory := []moment{{Seconds: 0.5, Memory: 900, Stored: 10}, {Seconds: 2, Memory: 100, Stored: 20}, {Seconds: 61.2, Memory: 300, Stored: 70}, {Seconds: 70, Memory: 800, Stored: 70}}
	if got := peak(memory, 1, 62); got != 300 {
		t.Errorf("peak %d, want 300", got)
	}
	for instant, want := range map[float64]int64{0: 10, 1: 10, 2: 20, 60: 20, 100: 70} {
		if got := at(memory, instant).Stored; got != want {
			t.Errorf("at %v: %d, want %d", instant, got, want)
		}
	}
	got := merged(memory, depths)
	if got[0].Depth != 0 || got[2].Depth != 5 || got[3].Depth != 0 || got[2].Memory != 300 {
		t.Errorf("%+v", got)
	}
}

func TestDrainedFromTheLastAnswerOn(t *testing.T) {
	s := &subject{between: func(a, b float64) (float64, error) { return b - a, nil }}
	w := watcher{
		subject: s,
		memory:  []moment{{Seconds: 1, Memory: 10, Stored: 0}, {Seconds: 61, Memory: 30, Stored: 600}, {Seconds: 66, Memory: 20, Stored: 700}},
		depths:  []moment{{Seconds: 61.5, Depth: 0}, {Seconds: 62, Depth: 9}, {Seconds: 66, Depth: 0}},
	}
	for elapsed, want := range map[float64]float64{62: 3, 60: 0.5, 59: 0.5} {
		out := run{Values: map[string]float64{unitCapacity: 20}}
		if err := w.fill(&out, 1, 60, elapsed); err != nil {
			t.Fatal(err)
		}
		if got := out.Values[unitDrain] / 1e9; got != want || out.Values[unitGoodput] != 10 || out.Values[unitShare] != 0.5 {
			t.Errorf("last answer after %v s: drained in %v s, want %v; %v", elapsed, got, want, out.Values)
		}
	}
	out := run{Values: map[string]float64{unitCapacity: 20}}
	if err := w.fill(&out, 1, 60, 70); err != nil || out.Values[unitDrain] != 0 || len(out.Warnings) != 1 {
		t.Errorf("never seen empty: error %v, %v, %q", err, out.Values, out.Warnings)
	}
}

func TestEverySecond(t *testing.T) {
	got := everySecond([]moment{{Seconds: 0.1, Memory: 5}, {Seconds: 0.9, Memory: 9}, {Seconds: 0.95, Memory: 7}, {Seconds: 2.5, Memory: 1}})
	if len(got) != 2 || got[0].Seconds != 0 || got[0].Memory != 9 || got[1].Seconds != 2 || got[1].Memory != 1 {
		t.Errorf("%+v", got)
	}
}

func TestShares(t *testing.T) {
	out := run{Values: map[string]float64{}}
	shares(&out, record.Result{Stream: record.Stream{Accounting: record.Accounting{Scheduled: 100, StatusCodes: map[string]int64{"202": 10, "503": 85, "500": 2}}}})
	if out.Values[unitAccepted] != 0.1 || out.Values[unitRefused] != 0.85 || out.Values[unitOther] != 0.05 {
		t.Errorf("%v", out.Values)
	}
	if ledger(&out, record.Result{}) == nil {
		t.Error("no error without a verification")
	}
	if err := ledger(&out, record.Result{Verification: &record.Verification{Lost: 1, Phantom: 2, Accepted: 50, Drained: true}}); err != nil || out.Values[unitLost] != 1 || out.Values[unitWrong] != 3 {
		t.Errorf("error %v, %v", err, out.Values)
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		unit string
		v    float64
		want string
	}{
		{unitScanned, 1.234e9, "1.23 GB/s"}, {unitShare, 0.9, "90 %"}, {unitDepthShare, 0.0042, "0.42 %"}, {unitGrowth, -1 << 20, "−1.00 MiB"},
		{unitP99Ratio, 1.5, "1.50×"}, {unitSamples, 1_500_000, "1,500,000"}, {unitLost, 0, "0"}, {unitDrain, 4e9, "4.00 s"}, {unitAllocated, 7.5, "7.50 B"},
	} {
		if got := show(c.unit, c.v); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.unit, c.v, got, c.want)
		}
	}
	if got := count(10_000_000) + " " + count(123); got != "1e7 123" {
		t.Errorf("%q", got)
	}
}

// seen is a stream of n answers that took as long.
func seen(t *testing.T, took time.Duration, n int64) record.Stream {
	t.Helper()
	histogram := hdr.New(1, int64(time.Minute), 3)
	if err := histogram.RecordValues(int64(took), n); err != nil {
		t.Fatal(err)
	}
	text, err := histogram.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	d := record.Distribution{Count: n, HDR: string(text)}
	return record.Stream{
		ResponseTime: d, ServiceTime: d, OtherResponseTime: d, OtherServiceTime: d, SendLag: d, OwnLateness: d, ConnectionWait: d,
	}
}

// One slow phase of three does not decide when it is short enough; memory and clients are
// those of the worst.
func TestCompare(t *testing.T) {
	const ms = time.Millisecond
	quiet := spell{{seen: seen(t, ms, 1000), memory: 10}, {seen: seen(t, ms, 1000), memory: 30, clients: 3}, {seen: seen(t, ms, 1000)}}
	for _, c := range []struct {
		name          string
		beside        spell
		ratio, growth float64
		void          bool
	}{
		{"twice as slow", spell{{seen(t, 2*ms, 1000), 25, 200}, {seen(t, 2*ms, 1000), 20, 190}}, 2, 15, false},
		{"a pause", spell{{seen(t, 99*ms, 10), 25, 200}, {seen(t, ms, 2000), 20, 190}}, 1, 15, false},
		{"more than a pause", spell{{seen(t, 99*ms, 100), 25, 200}, {seen(t, ms, 2000), 20, 190}}, 99, 15, false},
		{"not all came", spell{{seen(t, ms, 1000), 25, 200}, {seen(t, ms, 1000), 20, 170}}, 1, 15, true},
	} {
		out := run{Values: map[string]float64{}}
		if err := compare(&out, quiet, c.beside, 200); err != nil {
			t.Fatal(err)
		}
		v := out.Values
		if math.Abs(v[unitP99Ratio]/c.ratio-1) > 0.01 || v[unitGrowth] != c.growth || (out.Void != "") != c.void {
			t.Errorf("%s: %v, void %q", c.name, v, out.Void)
		}
	}
	stayed := slices.Clone(quiet)
	stayed[2].clients = 30
	out := run{Values: map[string]float64{}}
	if err := compare(&out, stayed, spell{{seen(t, ms, 1000), 1, 200}, {seen(t, ms, 1000), 1, 200}}, 200); err != nil || out.Void == "" {
		t.Errorf("30 stayed afterwards, and not void: %v", err)
	}
}
