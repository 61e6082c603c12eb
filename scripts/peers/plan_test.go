package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
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
		if _, err := parseOptions(args); !errors.Is(err, errUsage) {
			t.Errorf("%v: error %v, want a usage error", args, err)
		}
	}
}

func TestParseCores(t *testing.T) {
	got, err := parseCores("cpu  100 10 50 1000 20 5 5 30 7 0\ncpu0 1 2\n")
	want := cores{work: 1700 * time.Millisecond, steal: 300 * time.Millisecond, total: 12200 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, error %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if _, err := parseCores(text); !errors.Is(err, errStat) {
			t.Errorf("%q: error %v, want errStat", text, err)
		}
	}
}

func FuzzParseCores(f *testing.F) {
	f.Add("cpu  100 10 50 1000 20 5 5 30 7 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCores(text)
		if err == nil && (c.work < 0 || c.steal < 0 || c.total < c.work+c.steal) {
			t.Errorf("%q gives %+v", text, c)
		}
	})
}

func TestMachineLoad(t *testing.T) {
	before := reading{known: true}
	after := reading{known: true, own: time.Second, cores: cores{work: 10 * time.Second, steal: time.Second, total: 20 * time.Second}}
	got := after.since(before, 4)
	if got != (machineLoad{Known: true, Steal: 0.05, Foreign: 0.25}) || !strings.Contains(got.disturbed(), "hypervisor") {
		t.Errorf("%+v, %q", got, got.disturbed())
	}
	if reason := after.since(before, 9).disturbed(); !strings.Contains(reason, "hypervisor") {
		t.Errorf("said %q", reason)
	}
	if reason := (machineLoad{Foreign: 0.2}).disturbed(); !strings.Contains(reason, "other programs") {
		t.Errorf("said %q", reason)
	}
	if reason := after.since(reading{}, 0).disturbed(); reason != "" {
		t.Errorf("said %q of what is not known", reason)
	}
}
