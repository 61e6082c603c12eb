package main

import (
	"errors"
	"flag"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/scripts/lab"
)

func all(string) bool { return true }

func TestPlan(t *testing.T) {
	o, err := parseOptions([]string{"-rounds", "3"})
	if err != nil {
		t.Fatal(err)
	}
	jobs := plan(o, all)
	if !reflect.DeepEqual(jobs, plan(o, all)) {
		t.Error("the same seed gives another order")
	}
	other := o
	other.seed++
	if reflect.DeepEqual(jobs, plan(other, all)) {
		t.Error("another seed gives the same order")
	}
	more := o
	more.firstRound = 3
	if reflect.DeepEqual(jobs, plan(more, all)) || plan(more, all)[0].Round != 3 {
		t.Error("added rounds repeat the first ones")
	}
	type key struct{ experiment, arm, which string }
	seen := map[key]map[int]int{}
	for _, j := range jobs {
		k := key{j.Experiment, j.Arm, j.Case}
		if seen[k] == nil {
			seen[k] = map[int]int{}
		}
		seen[k][j.Round]++
	}
	if want := 4 + 4 + 7 + 1 + 3 + 12; len(seen) != want {
		t.Errorf("%d kinds of run, want %d", len(seen), want)
	}
	for k, rounds := range seen {
		if len(rounds) != 3 || rounds[0] != 1 || rounds[1] != 1 || rounds[2] != 1 {
			t.Errorf("%v: runs by round %v, want one in each of three", k, rounds)
		}
	}
}

func TestPlanWithout(t *testing.T) {
	o, err := parseOptions([]string{"-only", "single", "-rounds", "1"})
	if err != nil {
		t.Fatal(err)
	}
	jobs := plan(o, func(arm string) bool { return arm != armInflux })
	if len(jobs) != 3 || slices.ContainsFunc(jobs, func(j job) bool { return j.Arm == armInflux || j.Experiment != singleSample }) {
		t.Errorf("%+v", jobs)
	}
	if got := o.estimate(jobs); got < 15*time.Second || got > 30*time.Second {
		t.Errorf("three runs of 5 s are estimated at %v", got)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"--only", "scan,slow", "--rounds", "7", "--points", "200000", "--add"})
	if err != nil || !reflect.DeepEqual(o.only, []string{"scan", "slow"}) || o.rounds != 7 || o.points != 200_000 || !o.add {
		t.Errorf("%+v, error %v", o, err)
	}
	for _, args := range [][]string{{"-rounds", "0"}, {"-seconds", "601"}, {"-overload", "0"}, {"-points", "99999"}, {"-only", "all"}, {"rest"}, {"-nope"}} {
		if _, err := parseOptions(args); !errors.Is(err, lab.ErrUsage) || codes().Of(err) != 2 {
			t.Errorf("%v: error %v, want a usage error", args, err)
		}
	}
	if _, err := parseOptions([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
	if err := start(t.Context(), []string{"-bin", t.TempDir()}, io.Discard, io.Discard); err == nil || codes().Of(err) != 1 || !strings.Contains(err.Error(), "server") {
		t.Errorf("without programs: error %v", err)
	}
}

func TestTemplate(t *testing.T) {
	for _, c := range []struct {
		protocol protocol
		shape    shape
		want     string
	}{
		{jsonBody, shape{1, 1, 1}, `{"name":"cpu_usage","value":1{{rand:3}}}`},
		{jsonBody, shape{1, 1, 10}, `{"name":"cpu_{{rand:1}}","value":1{{rand:3}}}`},
		{jsonBody, shape{1, 2, 100_000}, `{"metrics":[{"name":"cpu_{{rand:5}}","value":1{{rand:3}}},{"name":"cpu_{{rand:5}}","value":1{{rand:3}}}]}`},
		{lineBody, shape{1, 1, 10}, `cpu_{{rand:1}} value=1{{rand:3}}`},
		{lineBody, shape{1, 2, 1}, "cpu_usage value=1{{rand:3}}\ncpu_usage value=1{{rand:3}}"},
	} {
		if got := c.protocol.template(c.shape); got != c.want {
			t.Errorf("%v: %s, want %s", c.shape, got, c.want)
		}
	}
	lines := strings.Split(lineBody.template(shape{64, 1000, 1000}), "\n")
	slices.Sort(lines)
	if n := len(slices.Compact(lines)); n != 1000 || !strings.HasPrefix(lines[999], "cpu_999 ") {
		t.Errorf("%d different series of 1000, the last %q", n, lines[len(lines)-1])
	}
}

// What is compared to some percent is measured one after the other, in either order.
func TestNeighbours(t *testing.T) {
	orders := map[string]int{}
	jobs := plan(options{only: []string{singleSample}, rounds: 40, seed: 3}, func(string) bool { return true })
	for i, j := range jobs {
		if j.Arm != armBare {
			continue
		}
		switch {
		case i > 0 && jobs[i-1].Arm == armConcurrent && jobs[i-1].Round == j.Round:
			orders["after"]++
		case i+1 < len(jobs) && jobs[i+1].Arm == armConcurrent && jobs[i+1].Round == j.Round:
			orders["before"]++
		default:
			t.Errorf("round %d: %s stands alone", j.Round, j.Arm)
		}
	}
	if orders["after"] < 10 || orders["before"] < 10 || len(jobs) != 40*4 {
		t.Errorf("%v in %d runs", orders, len(jobs))
	}
	alone := []job{{Arm: armBare}, {Arm: armInflux}}
	if neighbours(alone, armConcurrent, armBare); alone[1].Arm != armInflux {
		t.Errorf("%v", alone)
	}
}
