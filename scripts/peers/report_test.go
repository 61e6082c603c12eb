package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/scripts/lab"
	"phase0/scripts/refserver/tally"
)

// example has two clients and two rounds of every experiment, and a void run.
func example() *report {
	r := &report{Schema: schema, Rounds: 2, Tools: []presence{{"loadgen", "this commit"}, {"wrk2", ""}, {"bombardier", "v1.2.6"}}}
	for round := range 2 {
		for i, name := range []string{"loadgen", "bombardier"} {
			slower := float64(i + 1)
			base := run{
				job: job{Client: name, Round: round}, Server: tally.Tally{BusyShare: 0.5}, RPS: 100_000 / slower, CPUPerRequest: 8000 * slower,
				Claim: claim{RPS: 100_000 / slower, Percentiles: map[string]float64{"p50": 80e3, "p99": 440e6 / (slower * slower)}},
			}
			add := func(experiment string, rate int, change func(*run)) {
				x := base
				x.Experiment, x.Rate = experiment, rate
				change(&x)
				r.Runs = append(r.Runs, x)
			}
			add(closedLoop, 0, func(x *run) {
				if round == 1 && i == 1 {
					x.Void = "server 93 % busy"
				}
			})
			add(stalling, stallRate, func(x *run) { x.Truth = &truth{Percentiles: map[string]float64{"p50": 5e3, "p99": 441e6}} })
			add(pacing, paceRate, func(x *run) {
				x.Deviation = &deviation{P50: 1000, P99: 5000, Max: 9000, Steady: &deviation{P50: 900, P99: 4000, Max: 6000}}
				x.Slow = 0.05
			})
			add(steadiness, 5000, func(x *run) { x.Flags = []string{"rate not held: 1 of 5000 requests/s"} })
		}
	}
	return r
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "peers")
	if err := write(dir, example()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "peers.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Missing, and not measured: wrk2.",
		"| bombardier | 50,000 | 50,000 | 16.0 µs | 50 % | 80 % | 2.00× | 2.00× | 1 of 2 |",
		"| loadgen | p99 | 440 ms [440 ms, 440 ms] | 441 ms | −1.00 ms (−0.2 %) | 2 of 2 | 2 of 2 |",
		"| bombardier | p99 | 110 ms [110 ms, 110 ms] | 441 ms | −331 ms (−75.1 %) | 0 of 2 | 2 of 2 |",
		"| bombardier | p99.9 | not printed |",
		"| loadgen | 100,000 [100,000, 100,000] | 1.00 µs [1.00 µs, 1.00 µs] | 5.00 µs [5.00 µs, 5.00 µs] | 9.00 µs [9.00 µs, 9.00 µs] | 5 % [5 %, 5 %] | 4.00 µs [4.00 µs, 4.00 µs] | 2 of 2 |",
		"| 5,000 | bombardier | 50,000 [50,000, 50,000] | 16.0 µs [16.0 µs, 16.0 µs] | 2.00× [2.00, 2.00] |",
		"- closed, round 2, bombardier: void: server 93 % busy",
		"- steady, round 1, loadgen at 5000 rps: rate not held",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for _, name := range []string{"closed-rps.svg", "closed-cpu.svg", "stall.svg", "pace.svg", "steady.svg"} {
		svg, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(svg), "loadgen") || !strings.Contains(string(text), name) {
			t.Errorf("%s: error %v, or it is not in the report, or loadgen not in it", name, err)
		}
	}
	checkJSON(t, filepath.Join(dir, "peers.json"))
	if t.Failed() {
		t.Logf("%s", text)
	}
}

func checkJSON(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil || len(back.Runs) != 16 || back.Runs[1].Truth == nil {
		t.Errorf("error %v, %d runs", err, len(back.Runs))
	}
}

func TestDerive(t *testing.T) {
	server := tally.Tally{Requests: 1001, FirstNS: 0, LastNS: 1e9, BusyShare: 0.95}
	r := run{job: job{Experiment: closedLoop}, Server: server, Cost: lab.Cost{User: 0.5, System: 0.501}, Claim: claim{Requests: 1100, RPS: 1000, Failed: 3, Verdict: "DEGRADED"}}
	r.derive()
	if r.RPS != 1000 || math.Abs(r.CPUPerRequest-1e6) > 1 || r.Void != "server 95 % busy" || len(r.Flags) != 3 {
		t.Errorf("%v requests/s, %v ns, void %q, flags %q", r.RPS, r.CPUPerRequest, r.Void, r.Flags)
	}
	r.Void, r.Server.BusyShare, r.Server.Spin = "", 0.9, true // what a server that spins counts is judged alike
	if r.derive(); r.Void != "server 90 % busy" || !r.ServerBound {
		t.Errorf("void %q", r.Void)
	}
	r.Void, r.Server.BusyShare = "", 0.89
	if r.derive(); r.Void != "" {
		t.Errorf("void %q", r.Void)
	}
}

func TestServerBound(t *testing.T) {
	r := example()
	for i := range r.Runs {
		if x := &r.Runs[i]; x.Experiment == closedLoop && x.Client == "bombardier" {
			x.Void, x.ServerBound = "server 95 % busy", true
		}
	}
	var text strings.Builder
	if err := writeMarkdown(&text, r); err != nil {
		t.Fatal(err)
	}
	if want := "| bombardier | ≥ 50,000 [50,000, 50,000] | 50,000 [50,000, 50,000] | 16.0 µs [16.0 µs, 16.0 µs] | 50 % [50 %, 50 %] | 80 % [80 %, 80 %] | ≤ 2.00× [2.00, 2.00] | 2.00× [2.00, 2.00] | 0 of 2 |"; !strings.Contains(text.String(), want) {
		t.Errorf("the report lacks %q:\n%s", want, text.String())
	}
	for _, c := range []struct {
		ours, theirs bool
		want         string
	}{{true, false, "≥ 2×"}, {false, true, "≤ 2×"}, {true, true, lab.None}, {false, false, "2×"}} {
		if got := boundMark(c.ours, c.theirs, "2×"); got != c.want {
			t.Errorf("bounds %t and %t: %q, want %q", c.ours, c.theirs, got, c.want)
		}
	}
}
