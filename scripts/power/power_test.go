package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-repetitions 3 -pairs 6 -window 500ms -fresh -bin x"))
	if err != nil || o.repetitions != 3 || o.planted != 3 || o.pairs != 6 || o.window != 500*time.Millisecond || !o.fresh || !filepath.IsAbs(o.bin) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parse(strings.Fields("-repetitions 20 -planted 0")); err != nil || o.planted != 0 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range []string{"-repetitions 0", "-repetitions 5 -planted 6", "-planted -1", "-repetitions 101", "-pairs 5", "-pairs 51", "more", "-unknown", "-window x"} {
		if _, err := parse(strings.Fields(args)); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: %v, want a usage error", args, err)
		}
	}
}

func TestPlantedRepetitionsAreSpread(t *testing.T) {
	for _, o := range []options{{repetitions: 20, planted: 10}, {repetitions: 7, planted: 3}, {repetitions: 5, planted: 5}, {repetitions: 4}} {
		planted, half := 0, 0
		for i := range o.repetitions {
			if o.plants(i) {
				planted++
				if i < o.repetitions/2 {
					half++
				}
			}
		}
		if planted != o.planted || half > (planted+1)/2 || half < planted/2-1 {
			t.Errorf("%+v plants %d, %d of them in the first half", o, planted, half)
		}
		if args := benchArgs(o, o.planted > 0, "x", 1); slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, armSlower+"=") }) != (o.planted > 0) {
			t.Errorf("bench is started with %q", args)
		}
	}
}

func TestProgressTellsOfTheWhole(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, options{repetitions: 2, planted: 1, pairs: 10, window: time.Second, warmup: 800 * time.Millisecond})
	clock := time.Unix(0, 0)
	p.now = func() time.Time { return clock }
	p.begin(0)
	clock = clock.Add(80 * time.Second) // twice as long as estimated
	p.begin(1)
	if want := "[1/2] about 1:40 left · two arms that are the same\n[2/2] about 2:00 left · two arms that are the same, and a slower one\n"; out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}

// measured is a run of bench in which slower had the given share of base's capacity
// and the control the given share of slower's.
func measured(t *testing.T, slower, again float64) *experiment.Run {
	t.Helper()
	p := experiment.Quick()
	p.Experiments, p.Pairs = []string{experiment.Ingest}, 10
	arms := []trial.Arm{{Name: armBase, Command: "spin {port}"}, {Name: armSlower, Command: "spin {port}"}}
	r := &experiment.Run{Profile: p, Arms: arms, Seed: 4}
	for block := 1; block <= p.Pairs; block++ {
		for i, arm := range []string{armBase, armSlower, armSlower + "-aa"} {
			rps := 3000 * []float64{1, slower, slower * again}[i] * (1 + float64((block*7+i*3)%5-2)/500)
			r.Trials = append(r.Trials, trial.Result{
				Experiment: experiment.Ingest, Case: p.CapacityCase(), Arm: arm, Block: block,
				Values: map[string]float64{trial.UnitRPS: rps, trial.UnitServerBusy: 0.985 + float64(block)/1000},
			})
		}
	}
	r.Trials[0].Void = []string{"steal"}
	r.Conclude()
	return r
}

func TestSummarizeAndCount(t *testing.T) {
	r := &report{Schema: schema, Plan: plan{Pairs: 10, Slowdown: "5%"}}
	for _, tt := range []struct {
		slower, again            float64
		found, claimed, excluded bool
	}{
		{1 / 1.05, 1, true, false, false},
		{1, 1, false, false, false},
		{1 / 1.05, 1.05, true, true, true}, // bench stamps such a run NOISY
		{1 / 1.05, 1.015, true, false, true},
	} {
		one, err := summarize(measured(t, tt.slower, tt.again), true)
		if err != nil {
			t.Fatal(err)
		}
		if one.found() != tt.found || one.claimed() != tt.claimed || one.Same.Excludes1() != tt.excluded {
			t.Errorf("%v, %v: found %v, claimed %v, excluded %v: %s", tt.slower, tt.again, one.found(), one.claimed(), one.Same.Excludes1(), one)
		}
		if one.Trials != 30 || one.Void != 1 || one.Busy < 0.985 || one.Busy > 0.987 || one.Base < 2980 || one.Base > 3020 || one.Seed != 4 {
			t.Errorf("%+v", one)
		}
		r.Repetitions = append(r.Repetitions, one)
	}
	r.count()
	if r.Found != 3 || r.Claimed != 1 || r.Excluded != 2 || r.OK {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{"5% was called slower in 3 of 4 runs of 10 pairs (95 % interval 19–99 %)", "different in 1 of 4 runs of 10 pairs (95 % interval 1–81 %)", "left out 1 (NOISY) in 2 of them"} {
		if !strings.Contains(r.verdict(), want) {
			t.Errorf("verdict lacks %q: %s", want, r.verdict())
		}
	}
}

func TestTargets(t *testing.T) {
	narrow := func(ratio float64) stat.Effect {
		return stat.Effect{Ratio: ratio, Low: ratio - 0.01, High: ratio + 0.01, BootLow: ratio - 0.01, BootHigh: ratio + 0.01, Level: 0.95}
	}
	planted := narrow(0.95)
	for _, tt := range []struct {
		n, planted, missed, claims int
		failed                     string
	}{
		{20, 10, 0, 0, ""}, {20, 10, 1, 1, ""}, {20, 20, 2, 0, ""},
		{20, 10, 2, 0, "found in 8 of 10"}, {20, 10, 0, 2, "different in 2 of 20"}, {20, 10, 2, 2, "different in 2 of 20"},
		{10, 10, 0, 0, ""}, {10, 10, 0, 1, "different in 1 of 10"}, {40, 10, 0, 2, ""}, {40, 10, 0, 3, "different in 3 of 40"},
		{9, 9, 9, 9, ""}, {20, 9, 9, 0, ""}, {20, 0, 0, 0, ""},
	} {
		r := report{}
		for i := range tt.n {
			one := repetition{Same: narrow(1)}
			if i < tt.planted {
				one.Planted, one.Verdict = &planted, stat.Slower
			}
			if i < tt.missed {
				one.Verdict = stat.Inconclusive
			}
			if i >= tt.n-tt.claims {
				one.Same = narrow(1.1)
			}
			r.Repetitions = append(r.Repetitions, one)
		}
		r.count()
		if missed := strings.Join(r.missed(), "; "); r.OK != (missed == "" && tt.planted >= 10) || (missed == "") != (tt.failed == "") || !strings.Contains(missed, tt.failed) {
			t.Errorf("%+v: ok %v, missed %q", tt, r.OK, missed)
		}
	}
}

func TestSummarizeRefusesOtherRuns(t *testing.T) {
	if _, err := summarize(&experiment.Run{}, true); !errors.Is(err, errIncomplete) {
		t.Errorf("an empty run: %v", err)
	}
	if _, err := summarize(measured(t, 1, 1), false); !errors.Is(err, errIncomplete) {
		t.Errorf("a slower arm that was not asked for: %v", err)
	}
}

// Repetitions are added to those of the same plan, and to no others.
func TestOpenContinues(t *testing.T) {
	o, err := parse([]string{"-out", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	first, err := open(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, err := summarize(measured(t, 1/1.05, 1), true)
	if err != nil {
		t.Fatal(err)
	}
	first.Repetitions = append(first.Repetitions, one)
	if err := write(o.out, first); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(o.out, "power.md"))
	if err != nil || !strings.Contains(string(page), "| 1 | ") || !strings.Contains(string(page), "capacity is 95.2 % of") {
		t.Errorf("%v\n%s", err, page)
	}
	if again, err := open(t.Context(), o, nil); err != nil || len(again.Repetitions) != 1 {
		t.Errorf("opened again: %+v, %v", again, err)
	}
	other := o
	other.spin *= 2
	if _, err := open(t.Context(), other, nil); !errors.Is(err, errOther) {
		t.Errorf("another plan: %v", err)
	}
	other.fresh = true
	if fresh, err := open(t.Context(), other, nil); err != nil || len(fresh.Repetitions) != 0 {
		t.Errorf("fresh: %+v, %v", fresh, err)
	}
	for text, want := range map[string]string{"{": "unexpected end", `{"schema":1}`: "they have schema 1, not 2"} {
		if err := os.WriteFile(filepath.Join(o.out, "power.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s was continued: %v", text, err)
		}
	}
}

// What the script wrote itself does not make the work tree one with changes; anything
// else does.
func TestOwnOutputIsNoChange(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, args := range [][]string{
		{"init", "-q"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "a"},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Skipf("git %v: %v: %s", args, err, out)
		}
	}
	o, err := parse([]string{"-out", filepath.Join("results", "power")})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(o.out, &report{Schema: schema, Plan: plan{}}); err != nil {
		t.Fatal(err)
	}
	o.fresh = true
	for _, out := range []string{o.out, filepath.Join(dir, o.out)} {
		o.out = out
		if r, err := open(t.Context(), o, nil); err != nil || r.Conditions.Dirty || r.Conditions.Commit == "unknown" {
			t.Errorf("%s: %+v, %v", out, r.Conditions, err)
		}
	}
	if err := os.WriteFile("code.go", []byte("package a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := open(t.Context(), o, nil); err != nil || !r.Conditions.Dirty {
		t.Errorf("beside another change: %+v, %v", r.Conditions, err)
	}
}
