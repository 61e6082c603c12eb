package main

import (
	"errors"
	"os"
	"path/filepath"
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
	if err != nil || o.repetitions != 3 || o.pairs != 6 || o.window != 500*time.Millisecond || !o.fresh || !filepath.IsAbs(o.bin) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range []string{"-repetitions 0", "-repetitions 101", "-pairs 5", "-pairs 51", "more", "-unknown", "-window x"} {
		if _, err := parse(strings.Fields(args)); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: %v, want a usage error", args, err)
		}
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
				Values: map[string]float64{trial.UnitRPS: rps, trial.UnitServerBusy: 0.95 + float64(block)/1000},
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
		one, err := summarize(measured(t, tt.slower, tt.again))
		if err != nil {
			t.Fatal(err)
		}
		if one.found() != tt.found || one.claimed() != tt.claimed || one.Same.Excludes1() != tt.excluded {
			t.Errorf("%v, %v: found %v, claimed %v, excluded %v: %s", tt.slower, tt.again, one.found(), one.claimed(), one.Same.Excludes1(), one)
		}
		if one.Trials != 30 || one.Void != 1 || one.Busy < 0.95 || one.Busy > 0.952 || one.Base < 2980 || one.Base > 3020 || one.Seed != 4 {
			t.Errorf("%+v", one)
		}
		r.Repetitions = append(r.Repetitions, one)
	}
	r.count()
	if r.Found != 3 || r.Claimed != 1 || r.Excluded != 2 || r.OK {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{"5% was called slower in 3 of 4 runs of 10 pairs (95 % interval 19–99 %)", "different in 1 of 4 (1–81 %)", "left out 1 in 2 (NOISY)"} {
		if !strings.Contains(r.verdict(), want) {
			t.Errorf("verdict lacks %q: %s", want, r.verdict())
		}
	}
}

func TestTargets(t *testing.T) {
	slower := repetition{Verdict: stat.Slower, Same: stat.Effect{Ratio: 1, Low: 0.99, High: 1.01, BootLow: 0.99, BootHigh: 1.01, Level: 0.95}}
	missed, claims := slower, slower
	missed.Verdict = stat.Inconclusive
	claims.Same = stat.Effect{Ratio: 1.1, Low: 1.05, High: 1.2, BootLow: 1.05, BootHigh: 1.2, Level: 0.95}
	for _, tt := range []struct {
		missed, claims int
		ok             bool
	}{{0, 0, true}, {2, 0, true}, {3, 0, false}, {0, 1, true}, {0, 2, false}} {
		r := report{}
		for i := range 20 {
			one := slower
			if i < tt.missed {
				one = missed
			}
			if i >= 20-tt.claims {
				one = claims
			}
			r.Repetitions = append(r.Repetitions, one)
		}
		if r.count(); r.OK != tt.ok {
			t.Errorf("%d missed, %d claims: ok %v", tt.missed, tt.claims, r.OK)
		}
	}
}

func TestSummarizeRefusesOtherRuns(t *testing.T) {
	if _, err := summarize(&experiment.Run{}); !errors.Is(err, errIncomplete) {
		t.Errorf("an empty run: %v", err)
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
	one, err := summarize(measured(t, 1/1.05, 1))
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
	if err := os.WriteFile(filepath.Join(o.out, "power.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), o, nil); err == nil {
		t.Error("a torn power.json was continued")
	}
}
