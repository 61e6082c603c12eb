package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/lab"
)

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-tries", "0"}, {"-only", "nothing"}, {"-mutant", "x"}, {"more"}} {
		if _, err := parse(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: error %v", args, err)
		}
	}
	o, err := parse([]string{"-mutant", "bug=/x", "-only", "cut,mutant-bug", "-tries", "7"})
	cells := o.cells()
	if err != nil || len(cells) != 2 || cells[0].Planned != 7 || cells[1].server != "/x" || cells[1].Expects != loses {
		t.Errorf("%+v, error %v", cells, err)
	}
	var out strings.Builder
	if err := start(t.Context(), []string{"-list"}, &out); err != nil || strings.Count(out.String(), "\n") != 11 {
		t.Errorf("error %v, listed:\n%s", err, out.String())
	}
}

// Every verdict: what loses nothing where something has to get lost is no success.
func TestJudge(t *testing.T) {
	ok := trial.Toll{Accepted: 1000, Said: map[string]int{"degraded": 1}}
	for _, tt := range []struct {
		name    string
		expects expectation
		tells   bool
		change  func(*trial.Toll)
		want    string
	}{
		{"nothing happened", keeps, true, func(*trial.Toll) {}, kept},
		{"lost", keeps, false, func(t *trial.Toll) { t.Lost = 1 }, broken},
		{"twice", keeps, false, func(t *trial.Toll) { t.Duplicated = 1 }, broken},
		{"from nowhere", bound, false, func(t *trial.Toll) { t.Phantom = 1 }, broken},
		{"refused and stored", keeps, false, func(t *trial.Toll) { t.Zombie = 1 }, broken},
		{"ended", keeps, false, func(t *trial.Toll) { t.Broken = []string{"ended"} }, broken},
		{"health is silent", keeps, true, func(t *trial.Toll) { t.Said = map[string]int{"healthy": 9} }, broken},
		{"not felt", keeps, false, func(t *trial.Toll) { t.Void = []string{"not felt"} }, noVerdict},
		{"lost within the interval", bound, false, func(t *trial.Toll) { t.Lost, t.LostSeconds = 9, 0.09 }, within},
		{"and beyond", bound, false, func(t *trial.Toll) { t.Lost, t.LostSeconds = 30, 0.3 }, broken},
		{"lost as it has to", loses, false, func(t *trial.Toll) { t.Lost = 1 }, found},
		{"not to be started", loses, false, func(t *trial.Toll) { t.Restarted = true }, found},
		{"nothing lost that has to", loses, false, func(t *trial.Toll) { t.Ready, t.Restarted = time.Second, true }, unseen},
	} {
		toll := ok
		tt.change(&toll)
		c := cell{Expects: tt.expects, tells: tt.tells, Args: wal("always"), Tries: []trial.Toll{toll}}
		if c.judge(); c.Verdict != tt.want {
			t.Errorf("%s: %s, %q; want %s", tt.name, c.Verdict, c.Why, tt.want)
		}
	}
	c := cell{}
	if c.judge(); c.Verdict != notRun {
		t.Errorf("%s", c.Verdict)
	}
}

func TestConclude(t *testing.T) {
	for _, tt := range []struct {
		r    report
		want error
	}{
		{report{Cells: []*cell{{Verdict: kept}, {Verdict: found}, {Verdict: within}}}, nil},
		{report{Cells: []*cell{{Verdict: kept}, {Verdict: unseen}}}, errNotValid},
		{report{Cells: []*cell{{Verdict: noVerdict}}}, errNotValid},
		{report{Interrupted: true, Cells: []*cell{{Verdict: notRun}}}, lab.ErrInterrupted},
		{report{Interrupted: true, Cells: []*cell{{Verdict: broken}}}, errBroken},
	} {
		for _, c := range tt.r.Cells {
			c.Args = wal("always")
		}
		if err := tt.r.conclude(t.TempDir(), io.Discard); !errors.Is(err, tt.want) {
			t.Errorf("error %v, want %v", err, tt.want)
		}
	}
	for want, err := range map[int]error{0: nil, 1: io.EOF, 2: lab.ErrUsage, 3: errNotValid, 4: errBroken, 130: lab.ErrInterrupted} {
		if got := codes.Of(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func TestMoments(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range uint64(50) {
		m := moment(seed)
		if m < soonest || m >= latest || m != moment(seed) {
			t.Errorf("%v", m)
		}
		seen[m] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d moments", len(seen))
	}
}
