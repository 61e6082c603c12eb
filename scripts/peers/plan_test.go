package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"phase0/scripts/lab"
)

func TestPlan(t *testing.T) {
	jobs := plan(tools(), experiments(), 3, 5, 1)
	if !reflect.DeepEqual(jobs, plan(tools(), experiments(), 3, 5, 1)) {
		t.Error("the same seed gives another order")
	}
	if reflect.DeepEqual(jobs, plan(tools(), experiments(), 3, 5, 2)) {
		t.Error("another seed gives the same order")
	}
	seen := map[job]int{}
	for _, j := range jobs {
		j.Order = 0
		seen[j]++
	}
	for _, c := range []struct {
		j    job
		want int
	}{
		{job{closedLoop, "wrk", 0, 2, 0, 5}, 1},
		{job{stalling, "wrk", stallRate, 0, 0, stallSeconds}, 0}, // has no rate
		{job{pacing, "hey", paceRate, 1, 0, paceSeconds}, 1},
		{job{steadiness, "loadgen", 80_000, 0, 0, 5}, 1},
		{job{steadiness, "vegeta", 20_000, 0, 0, 5}, 1},
		{job{steadiness, "vegeta", 40_000, 0, 0, 5}, 0}, // beyond its reach
	} {
		if seen[c.j] != c.want {
			t.Errorf("%+v is planned %d times, want %d", c.j, seen[c.j], c.want)
		}
	}
	if got := estimate([]job{{Seconds: 5}, {Seconds: 12}}); got != 18*time.Second {
		t.Errorf("estimated %v, want 18 s", got)
	}
}

// Every client's command line must carry the load that it is compared under.
func TestArgs(t *testing.T) {
	for _, tool := range tools() {
		for _, rate := range []int{0, 2000} {
			if rate == 0 && !tool.closed || rate > tool.top {
				continue
			}
			line := strings.Join(tool.args(call{url: "http://127.0.0.1:1/metrics", seconds: 7, rate: rate, latency: true, pool: 64, dir: "d"}), " ")
			want := []string{"7"}
			if tool.name != "vegeta" && tool.name != "k6" {
				want = append(want, "http://127.0.0.1:1/metrics")
			}
			if tool.name != "k6" {
				want = append(want, "64")
			}
			for _, w := range want {
				if !strings.Contains(line, w) {
					t.Errorf("%s: %q lacks %q", tool.name, line, w)
				}
			}
			if rate > 0 && !strings.Contains(line, "2000") && !strings.Contains(line, "31.25") {
				t.Errorf("%s: %q has no rate", tool.name, line)
			}
		}
	}
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"--rounds", "7", "--only", "wrk,ab", "--experiments", "pace"})
	if err != nil || o.rounds != 7 || !reflect.DeepEqual(o.only, []string{"wrk", "ab"}) || !reflect.DeepEqual(o.experiments, []string{"pace"}) {
		t.Errorf("%+v, error %v", o, err)
	}
	for _, args := range [][]string{{"--rounds", "0"}, {"--seconds", "601"}, {"--only", "curl"}, {"--experiments", "all"}, {"rest"}, {"--nope"}} {
		if _, err := parseOptions(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%v: error %v, want a usage error", args, err)
		}
	}
}
