package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/bench/trial"
	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

var update = flag.Bool("update", false, "write golden files")

func TestPlan(t *testing.T) {
	o, err := parseOptions([]string{"-rounds", "3"})
	if err != nil {
		t.Fatal(err)
	}
	jobs := plan(o)
	if !reflect.DeepEqual(jobs, plan(o)) {
		t.Error("the same seed gives another order")
	}
	o.seed++
	if reflect.DeepEqual(jobs, plan(o)) {
		t.Error("another seed gives the same order")
	}
	type key struct {
		arm, load string
		round     int
	}
	seen := map[key]int{}
	for i, j := range jobs {
		seen[key{j.Arm, j.Load, j.Round}]++
		if i > 0 && j.Round < jobs[i-1].Round {
			t.Fatal("rounds are mixed")
		}
	}
	if len(seen) != 3*len(arms())*len(loads()) || len(jobs) != len(seen) {
		t.Errorf("%d runs of %d kinds", len(jobs), len(seen))
	}
	if o, _ := parseOptions(nil); o.estimate(plan(o)) > 6*time.Minute {
		t.Errorf("all takes %v", o.estimate(plan(o)))
	}
}

func TestOptions(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-seconds", "601"}, {"-rate", "1"}, {"-nonsense"}, {"more"}} {
		if _, err := parseOptions(args); !errors.Is(err, lab.ErrUsage) || exitCode(err) != lab.ExitUsage {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := parseOptions([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// example has two rounds of everything, a void run and a doubt. Figures differ by arm and
// round in a way that is easy to follow.
func example() *report {
	r := &report{Schema: schema, Seconds: 1, Rate: 2000, Seed: 1, Disk: 60e3, Conditions: lab.Conditions{
		Date: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Commit: "abc1234", GoVersion: "go1", Host: trial.Host{Kernel: "6.1", CPU: "CPU", Cores: 2, FileSystem: "ext4"},
		Placement: trial.Placement{Pinned: true, Server: []int{1}, Generator: []int{0}},
	}}
	for round := range 2 {
		for _, load := range loads() {
			for i, a := range arms() {
				x := run{job: job{Arm: a.name, Load: load, Round: round, arm: a}, Values: map[string]float64{
					unitSamples: 100_000 - 10_000*float64(i) + 1000*float64(round), unitCPU: 10_000, unitBusy: 0.95,
					unitP50: 1e5 * float64(6-i), unitP99: 1e6 * float64(6-i), unitVerified: 100_000, unitLost: 0, unitWrong: 0,
				}}
				if a.sync != "" {
					x.Values[unitSyncs], x.Values[unitSyncTime] = 0.02/float64(i), 6e4
				}
				r.Runs = append(r.Runs, x)
			}
		}
	}
	r.Runs[2].Void = "it failed"
	r.Runs[3].warnf("a doubt")
	r.Targets = judge(r)
	return r
}

func TestMarkdown(t *testing.T) {
	var text strings.Builder
	if err := writeMarkdown(&text, example()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "durability.md")
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
	for _, tc := range []struct {
		name   string
		change func(*report)
		states []state
		err    error
	}{
		{"all well", func(*report) {}, []state{reached, reached, reached}, nil},
		{"slow", func(r *report) { scale(r, armAlways, loadSingle, 0.5) }, []state{missed, reached, reached}, errMissed},
		{"slow batches", func(r *report) { scale(r, armAlways, loadBatch, 0.8) }, []state{reached, missed, reached}, errMissed},
		{"lost", func(r *report) { r.Runs[7].Values[unitLost], r.Runs[7].Values[unitWrong] = 1, 1 }, []state{reached, reached, missed}, errLost},
		{"doubled", func(r *report) { r.Runs[7].Values[unitWrong] = 1 }, []state{reached, reached, missed}, errMissed},
		{"interrupted", func(r *report) { r.interrupted = true }, []state{reached, reached, reached}, lab.ErrInterrupted},
		{"all void", func(r *report) {
			for i := range r.Runs {
				r.Runs[i].Void = "it failed"
			}
		}, []state{notMeasured, notMeasured, reached}, errNotValid},
	} {
		r := example()
		tc.change(r)
		var out strings.Builder
		err := conclude(t.TempDir(), r, &out)
		var states []state
		for _, x := range r.Targets {
			states = append(states, x.State)
		}
		if !slices.Equal(states, tc.states) || !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, %v; want %v, %v", tc.name, states, err, tc.states, tc.err)
		}
	}
}

func scale(r *report, arm, load string, by float64) {
	for i := range r.Runs {
		if x := r.Runs[i]; x.Arm == arm && x.Load == load {
			x.Values[unitSamples] *= by
		}
	}
}

// What is accepted and not in the file is lost; what is in the file and was never accepted
// is wrong, unless nobody knows.
func TestAudit(t *testing.T) {
	for _, tc := range []struct {
		load                 string
		accepted, unanswered int64
		lines                int64
		verification         *record.Verification
		lost, wrong          float64
		void                 bool
	}{
		{loadBatch, 3, 0, 3000, nil, 0, 0, false},
		{loadBatch, 3, 0, 2999, nil, 1, 1, false},
		{loadBatch, 3, 0, 4000, nil, 0, 1000, false},
		{loadBatch, 3, 1, 4000, nil, 0, 0, false},
		{loadSingle, 3, 0, 3, &record.Verification{}, 0, 0, false},
		{loadSingle, 3, 0, 3, &record.Verification{Lost: 1, Phantom: 1}, 1, 2, false},
		{loadSingle, 3, 0, 3, nil, 0, 0, true},
	} {
		var w counted
		w.load.Accounting.Accepted, w.load.Accounting.Answered, w.load.Accounting.Sent = tc.accepted, tc.accepted, tc.accepted+tc.unanswered
		w.load.Verification = tc.verification
		out := run{job: job{Load: tc.load}, Values: map[string]float64{}}
		w.audit(&out, tc.lines)
		if out.Values[unitLost] != tc.lost || out.Values[unitWrong] != tc.wrong || (out.Void != "") != tc.void {
			t.Errorf("%+v: %v, void %q", tc, out.Values, out.Void)
		}
	}
}

func TestMetric(t *testing.T) {
	text := []byte("# HELP a b\na 1\na_total 2.5e3\nb{x=\"a\"} 3\n")
	if v, ok := metric(text, "a_total"); v != 2500 || !ok {
		t.Errorf("%v, %t", v, ok)
	}
	for _, name := range []string{"b", "c", "a_"} {
		if _, ok := metric(text, name); ok {
			t.Errorf("%s was found", name)
		}
	}
}

// A run of each load with the real programs: figures that cannot depend on the machine.
func TestRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("placement and CPU time are Linux's")
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "phase0/server", "phase0/loadgen").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := &rig{options: options{bin: bin, seconds: 1, rate: 200, seed: 1}, dir: t.TempDir()}
	for i, load := range loads() {
		a := arms()[i] // in memory, always, an interval
		t.Run(load+" "+a.name, func(t *testing.T) {
			t.Parallel() // most of the time is waiting
			got := r.one(t.Context(), job{Arm: a.name, Load: load, arm: a})
			if got.Void != "" && got.Machine.Disturbed() == "" {
				t.Fatal(got)
			}
			if got.Values[unitVerified] < 100 || got.Values[unitWrong] != 0 || got.Values[unitSamples] <= 0 || got.Values[unitP50] <= 0 {
				t.Error(got)
			}
			if _, ok := got.Values[unitSyncs]; ok != (a.sync != "") {
				t.Error(got)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	took, err := probe(dir)
	left, _ := os.ReadDir(dir)
	if err != nil || took <= 0 || len(left) > 0 {
		t.Errorf("%v ns, %v, left %v", took, err, left)
	}
}
