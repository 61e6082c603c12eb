package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	bench "phase0/bench/report"
	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// Units of figures, as the benchmark prints them.
const (
	perSecond = trial.UnitRPS
	nanos     = trial.UnitP50
	share     = trial.UnitServerBusy
)

// document collects the report's lines.
type document struct{ lab.Document }

func writeMarkdown(w io.Writer, r *report) error {
	var d document
	d.opening(r)
	d.closed(r)
	d.stall(r)
	d.pace(r)
	d.steady(r)
	d.doubts(r)
	if _, err := io.WriteString(w, d.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (d *document) opening(r *report) {
	c := r.Conditions
	d.Line("# loadgen beside its peers")
	d.Line("")
	d.Line("%s", c.String("client"))
	var there, missing []string
	for _, t := range r.Tools {
		if t.Version == "" {
			missing = append(missing, t.Name)
			continue
		}
		there = append(there, t.Name+" "+t.Version)
	}
	d.Line("")
	d.Line("Clients: %s.", strings.Join(there, ", "))
	if len(missing) > 0 {
		d.Line("Missing, and not measured: %s.", strings.Join(missing, ", "))
	}
	d.Line("")
	d.Line("Figures are medians, rounds: %d; in brackets %s. Ratios pair the runs of one round; above 1× loadgen is better.", r.Rounds, lab.Intervals(r.Rounds))
	d.Line("Every run has a fresh server; all clients send the same %d-byte body over %d connections.", len(body), connections)
	if r.Interrupted {
		d.Line("")
		d.Line("**Interrupted: not all planned runs were done.**")
	}
}

// boundMark says what a ratio is where either side is a lower bound.
func boundMark(ours, theirs bool, ratio string) string {
	switch {
	case ratio == lab.None || (ours && theirs):
		return lab.None
	case ours:
		return "≥ " + ratio
	case theirs:
		return "≤ " + ratio
	}
	return ratio
}

func medianCell(unit string, runs []run, m metric) string {
	s, ok := lab.Summarize(values(runs, m))
	return lab.Cell(unit, s, ok)
}

// valid prints how many runs count.
func valid(runs []run) string {
	n := 0
	for _, r := range runs {
		if r.Void == "" {
			n++
		}
	}
	return fmt.Sprintf("%d of %d", n, len(runs))
}

func (d *document) figure(r *report, name, text string) {
	if slices.ContainsFunc(figures(r), func(f figureFile) bool { return f.file == name }) {
		d.Line("")
		d.Line("![%s](%s)", text, name)
	}
}

func (d *document) closed(r *report) {
	clients := r.clients(closedLoop, 0)
	if len(clients) == 0 {
		return
	}
	d.Line("")
	d.Line("## Closed loop: how much one core can send")
	d.Line("")
	d.Line("Every connection sends its next request when the last was answered. Requests per second by the server's count and clock, and what the client prints; CPU is user and system")
	d.Line("time of the client's process, start included, per request that arrived. A run in which the server's core was 90 %% busy or more is void for that client: the server may have held it back.")
	d.Line("The server looks for requests every %s without sleeping in between, the same for all clients; busy is what is neither waiting nor a look in vain, by its clock.", gatherFor)
	d.Line("A client whose own core is full (CPU × requests/s, client busy) is not held back by it.")
	d.Line("Where most runs of a client are, they count all the same, and ≥ and ≤ mark what is only a bound; its CPU per request is then that of a client that had to wait at times.")
	d.figure(r, "closed-rps.svg", "Requests per second in the closed loop")
	d.figure(r, "closed-cpu.svg", "CPU per request in the closed loop")
	var rows [][]string
	ours, oursBound := usable(pick{closedLoop, 0, "loadgen"}.of(r.Runs))
	for _, name := range clients {
		all := pick{closedLoop, 0, name}.of(r.Runs)
		runs, bound := usable(all)
		mark := ""
		if bound {
			mark = "≥ "
		}
		row := []string{name, mark + medianCell(perSecond, runs, rpsOf), medianCell(perSecond, runs, claimedOf), medianCell(nanos, runs, cpuOf), medianCell(share, runs, busyOf), medianCell(share, runs, fullOf)}
		if name == "loadgen" {
			row = append(row, "", "")
		} else {
			faster := lab.Times(advantage(ours, runs, rpsOf, stat.HigherIsBetter, r.Seed))
			row = append(row, boundMark(oursBound, bound, faster), lab.Times(advantage(ours, runs, cpuOf, stat.LowerIsBetter, r.Seed)))
		}
		rows = append(rows, append(row, valid(all)))
	}
	d.Table([]string{"client", "requests/s arrived", "requests/s claimed", "CPU per request", "server busy", "client busy", "loadgen: requests/s", "loadgen: CPU", "valid runs"}, rows)
}

func (d *document) stall(r *report) {
	clients := r.clients(stalling, stallRate)
	if len(clients) == 0 {
		return
	}
	d.Line("")
	d.Line("## A server that stalls: do the percentiles tell?")
	d.Line("")
	d.Line("%d requests/s are asked for during %d s; the server does nothing for %s every %s. The truth is what an exact client would report: a queue with the stalls that the server recorded,", stallRate, stallSeconds, stallFor, stallEvery)
	d.Line("its time per request right after a stall, and requests due on an even schedule whether or not earlier ones were answered. The way through the kernel is left out: some tens of microseconds.")
	d.Line("*Right*: within 2 %% or 1 ms, in that many runs.")
	d.figure(r, "stall.svg", "p99 with a stalling server against the truth")
	var rows [][]string
	for _, name := range clients {
		runs := pick{stalling, stallRate, name}.of(r.Runs)
		for _, p := range percentiles() {
			rows = append(rows, stallRow(name, p.name, runs))
		}
	}
	d.Table([]string{"client", "percentile", "claimed", "truth", "claimed − truth", "right", "valid runs"}, rows)
}

func stallRow(client, percentile string, runs []run) []string {
	a, ok := accuracyOf(runs, percentile)
	if !ok {
		why := "not printed"
		if kept, _ := usable(runs); len(kept) == 0 {
			why = "no valid run"
		}
		return []string{client, percentile, why, "", "", "", valid(runs)}
	}
	row := []string{client, percentile, lab.Cell(nanos, a.claimed, true), bench.Value(nanos, a.truth.Median)}
	relative := ""
	if a.truth.Median > timeLimit { // below it a share says nothing
		relative = strings.ReplaceAll(fmt.Sprintf(" (%+.1f %%)", a.difference.Median/a.truth.Median*100), "-", "−")
	}
	return append(row, signed(a.difference.Median)+relative, fmt.Sprintf("%d of %d", a.exact, a.claimed.N), valid(runs))
}

func signed(ns float64) string {
	if ns < 0 {
		return "−" + bench.Value(nanos, math.Abs(ns))
	}
	return "+" + bench.Value(nanos, ns)
}

func (d *document) pace(r *report) {
	clients := r.clients(pacing, paceRate)
	if len(clients) == 0 {
		return
	}
	d.Line("")
	d.Line("## Regularity: does the schedule reach the wire?")
	d.Line("")
	d.Line("%d requests/s during %d s. How far each arrival was from an even schedule, by the server's stamps; the server looks for requests without pause, so that its own waking up adds nothing.", paceRate, paceSeconds)
	d.Line("The i-th arrival is compared with start + i ÷ rate, where start makes half of them early. *Machine slow* is the share of the time in which a fixed piece of work, done every 2 ms, took more than three times as much CPU time as mostly: the whole machine is slow then, whether or not that counts as stolen. The last p99 leaves out arrivals that were due in such a stretch, up to 5 ms before or 50 ms after it.")
	d.figure(r, "pace.svg", "Deviation of arrivals from the schedule")
	var rows [][]string
	for _, name := range clients {
		runs := pick{pacing, paceRate, name}.of(r.Runs)
		row := []string{name, medianCell(perSecond, runs, rpsOf)}
		for _, field := range deviationFields() {
			row = append(row, medianCell(nanos, runs, deviationMetric(field)))
		}
		row = append(row, medianCell(share, runs, machineSlow), medianCell(nanos, runs, steadyDeviation))
		rows = append(rows, append(row, valid(runs)))
	}
	d.Table([]string{"client", "requests/s arrived", "deviation p50", "p99", "max", "machine slow", "p99 of the rest", "valid runs"}, rows)
}

func deviationFields() [3]func(deviation) int64 {
	return [...]func(deviation) int64{
		func(d deviation) int64 { return d.P50 },
		func(d deviation) int64 { return d.P99 },
		func(d deviation) int64 { return d.Max },
	}
}

func (d *document) steady(r *report) {
	var rows [][]string
	for _, rate := range steadyRates() {
		ours := pick{steadiness, rate, "loadgen"}.of(r.Runs)
		for _, name := range r.clients(steadiness, rate) {
			runs := pick{steadiness, rate, name}.of(r.Runs)
			ratio := ""
			if name != "loadgen" {
				ratio = lab.Times(advantage(ours, runs, cpuOf, stat.LowerIsBetter, r.Seed))
			}
			lag, late := "", ""
			if name == "loadgen" {
				lag, late = medianCell(nanos, runs, lagOf), medianCell(nanos, runs, lateOf)
			}
			rows = append(rows, []string{
				bench.Value(perSecond, float64(rate)), name, medianCell(perSecond, runs, rpsOf), medianCell(nanos, runs, cpuOf), ratio, lag, late, medianCell(share, runs, machineSlow), valid(runs),
			})
		}
	}
	if len(rows) == 0 {
		return
	}
	d.Line("")
	d.Line("## Cost of a steady rate")
	d.Line("")
	d.Line("What the client's process costs per request at a fixed rate, start included, and by how much loadgen sends late (p99 of its send lag, and of that part that is not waiting for")
	d.Line("a connection). loadgen may use %d connections, so that a pause of the server does not hold up its schedule; the others use %d. *Machine slow* is explained above.", steadyPool, connections)
	d.figure(r, "steady.svg", "CPU per request at fixed rates")
	d.Table([]string{"asked for", "client", "requests/s arrived", "CPU per request", "loadgen: CPU", "send lag p99", "own lateness p99", "machine slow", "valid runs"}, rows)
}

func (d *document) doubts(r *report) {
	var lines []string
	for _, x := range r.Runs {
		name := fmt.Sprintf("%s, round %d, %s", x.Experiment, x.Round+1, x.Client)
		if x.Rate > 0 {
			name += fmt.Sprintf(" at %d rps", x.Rate)
		}
		if x.Void != "" {
			lines = append(lines, fmt.Sprintf("- %s: void: %s", name, x.Void))
		}
		for _, f := range x.Flags {
			lines = append(lines, fmt.Sprintf("- %s: %s", name, f))
		}
	}
	d.Line("")
	d.Line("## Void runs and doubts")
	d.Line("")
	if len(lines) == 0 {
		d.Line("None.")
		return
	}
	d.Line("A run is void when it failed, when the server's core was %.0f %% busy or more, when other programs used more than %.0f %% of the CPU time, or the hypervisor more than %.0f %%. The last two are repeated,", busyLimit*100, lab.ForeignLimit*100, lab.StealLimit*100)
	d.Line("up to %d times in all. Doubts: a client's figure that differs from what arrived by more than 1 %%, a rate that was not held, failed requests, loadgen's own verdict.", attempts)
	d.Line("")
	for _, l := range lines {
		d.Line("%s", l)
	}
}
