package main

import (
	"fmt"
	"slices"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

// The targets.
const (
	wantOfBare      = 0.85
	wantOverPeers   = 1.5
	wantDepthShare  = 0.01
	wantSamples     = 1.5e6
	wantAllocated   = 8.0
	wantScanned     = 1e9
	wantSameCost    = 1.10 // "the same": the medians differ by less than a tenth
	wantPercentile  = 1e9
	wantShare       = 0.8
	wantDrain       = 5e9
	wantGrowth      = 64 << 20
	wantP99Ratio    = 2.0
	cliffConnection = 0.8 // of the rate with fewer connections
	cliffSeries     = 0.5 // of the rate with one series
)

// state says what became of a target.
type state string

const (
	reached     state = "reached"
	missed      state = "not reached"
	notMeasured state = "not measured"
)

// target is one promise with its figure.
type target struct {
	Experiment string `json:"experiment"`
	Claim      string `json:"claim"`
	State      state  `json:"state"`
	Figure     string `json:"figure"`
	// Note says what the figure leaves open, such as an interval that reaches to the
	// other side.
	Note string `json:"note,omitempty"`
}

// String is the target's line.
func (t target) String() string {
	line := fmt.Sprintf("%-12s  %-8s  %s: %s", t.State, t.Experiment, t.Claim, t.Figure)
	if t.Note != "" {
		line += " (" + t.Note + ")"
	}
	return line
}

// judge compares the figures with the targets, experiment by experiment.
func judge(r *report) []target {
	var all []target
	for _, of := range []struct {
		experiment string
		targets    func(*report) []target
	}{
		{singleSample, singleTargets}, {batches, batchTargets}, {scanning, scanTargets}, {overloading, overloadTargets}, {slowClients, slowTargets},
	} {
		if r.section(of.experiment) != nil {
			all = append(all, of.targets(r)...)
		}
	}
	return all
}

// missed reports whether some target is.
func (r *report) missed() bool {
	return slices.ContainsFunc(r.Targets, func(t target) bool { return t.State == missed })
}

// lost adds up samples that were accepted and not found again, void runs included.
func (r *report) lost() (n float64) {
	for _, s := range r.Sections {
		for _, x := range s.Runs {
			n += x.Values[unitLost]
		}
	}
	return n
}

// atLeast judges a summary by its median.
func atLeast(experiment, claim string, s lab.Summary, ok bool, want float64, figure string) target {
	return decide(experiment, claim, s, ok, figure, s.Median >= want, s.Low < want, s.High >= want)
}

func atMost(experiment, claim string, s lab.Summary, ok bool, want float64, figure string) target {
	return decide(experiment, claim, s, ok, figure, s.Median <= want, s.High > want, s.Low <= want)
}

func decide(experiment, claim string, s lab.Summary, ok bool, figure string, good, lowBad, highGood bool) target {
	t := target{Experiment: experiment, Claim: claim, State: notMeasured, Figure: figure}
	switch {
	case !ok:
		t.Figure = lab.None
	case good:
		t.State = reached
		if lowBad {
			t.Note = "the interval reaches to the other side"
		}
	default:
		t.State = missed
		if highGood {
			t.Note = "the interval reaches to the other side"
		}
	}
	return t
}

// worst judges the largest figure: what must hold in every run.
func worst(experiment, claim string, runs []run, unit string, want float64) target {
	v := values(runs, unit)
	if len(v) == 0 {
		return target{Experiment: experiment, Claim: claim, State: notMeasured, Figure: lab.None}
	}
	most := slices.Max(v)
	t := target{Experiment: experiment, Claim: claim, State: missed, Figure: fmt.Sprintf("%s at worst in %d runs", show(unit, most), len(v))}
	if most <= want {
		t.State = reached
	}
	return t
}

func singleTargets(r *report) []target {
	ours := r.of(singleSample, armConcurrent, "")
	var all []target
	for _, c := range []struct {
		arm  string
		want float64
	}{{armBare, wantOfBare}, {armVictoria, wantOverPeers}, {armInflux, wantOverPeers}} {
		theirs := r.of(singleSample, c.arm, "")
		s, ok := ratio(theirs, ours, unitRequests, stat.HigherIsBetter, r.seed(singleSample))
		t := atLeast(singleSample, fmt.Sprintf("requests/s at least %.2f× %s", c.want, c.arm), s, ok, c.want, lab.Times(s, ok))
		if n := idle(theirs); t.State != notMeasured && n > 0 && t.Note == "" {
			t.Note = fmt.Sprintf("%s had time left on its core in %d of %d runs", c.arm, n, len(theirs))
		}
		all = append(all, t)
	}
	return append(all, worst(singleSample, "queue below 1 % of what was stored", ours, unitDepthShare, wantDepthShare))
}

// idle counts runs in which the server's core was not full.
func idle(runs []run) int {
	n := 0
	for _, x := range runs {
		if busy, ok := x.Values[unitBusy]; ok && busy < busyLimit {
			n++
		}
	}
	return n
}

func batchTargets(r *report) []target {
	var all []target
	for _, arm := range []string{armConcurrent, armGenerated} {
		ours := r.of(batches, arm, "")
		s, ok := lab.Summarize(values(ours, unitSamples))
		all = append(all, atLeast(batches, arm+": at least 1.5 million samples/s stored", s, ok, wantSamples, cell(ours, unitSamples)))
		s, ok = lab.Summarize(values(ours, unitAllocated))
		all = append(all, atMost(batches, arm+": at most 8 bytes allocated per sample", s, ok, wantAllocated, cell(ours, unitAllocated)))
	}
	ours := r.of(batches, armConcurrent, "")
	for _, arm := range []string{armVictoria, armInflux} {
		s, ok := ratio(r.of(batches, arm, ""), ours, unitSamples, stat.HigherIsBetter, r.seed(batches))
		all = append(all, atLeast(batches, "faster than "+arm, s, ok, 1, lab.Times(s, ok)))
	}
	return all
}

func scanTargets(r *report) []target {
	full, small := r.of(scanning, armParallel, caseFull), r.of(scanning, armParallel, caseSmall)
	s, ok := lab.Summarize(values(full, unitScanned))
	all := []target{atLeast(scanning, "parallel: at least 1 GB/s of file per core", s, ok, wantScanned, cell(full, unitScanned))}
	s, ok = ratio(small, full, unitNewest, stat.HigherIsBetter, r.seed(scanning))
	all = append(all, atMost(scanning, fmt.Sprintf("parallel: the newest minute of %s points at most %.2f× that of %s", count(r.points()), wantSameCost, count(smallPoints)), s, ok, wantSameCost, lab.Times(s, ok)))
	percent := r.of(scanning, armParallel, casePercent)
	s, ok = lab.Summarize(values(percent, unitPercentile))
	return append(all, atMost(scanning, fmt.Sprintf("parallel: exact p99 over %s points under 1 s", count(r.points())), s, ok, wantPercentile, cell(percent, unitPercentile)))
}

func overloadTargets(r *report) []target {
	runs := r.of(overloading, armConcurrent, "")
	beyond := make([]run, len(runs))
	for i, x := range runs {
		beyond[i] = run{Values: map[string]float64{}}
		if bound := x.Values[unitBound]; bound > 0 && x.Values[unitMemory] > 0 {
			beyond[i].Values[unitShare] = x.Values[unitMemory] / bound
		}
	}
	var bad []run // refusals without advice, where there were any to look at
	for _, x := range runs {
		if x.Values[unitProbes] > 0 {
			bad = append(bad, x)
		}
	}
	s, ok := lab.Summarize(values(runs, unitShare))
	undrained := len(runs) - len(values(runs, unitDrain))
	drain := worst(overloading, "drained within 5 s", runs, unitDrain, wantDrain)
	if undrained > 0 {
		drain.State, drain.Note = missed, fmt.Sprintf("%d runs were never seen drained", undrained)
	}
	memory := worst(overloading, "memory below the bound of the configured limits", beyond, unitShare, 1)
	if memory.State != notMeasured {
		memory.Figure += ": " + cell(runs, unitMemory) + " of " + cell(runs, unitBound)
	}
	return []target{
		memory,
		atLeast(overloading, "goodput at least 80 % of capacity", s, ok, wantShare, cell(runs, unitShare)),
		worst(overloading, "everything else is answered 503", runs, unitOther, 0),
		worst(overloading, "503 without Retry-After: none", bad, unitNoRetry, 0),
		drain,
		worst(overloading, "accepted samples lost, duplicated or altered: none", runs, unitWrong, 0),
	}
}

func slowTargets(r *report) []target {
	var all []target
	for _, arm := range []string{armDrip, armClaim, armBoth} {
		runs := r.of(slowClients, arm, "")
		all = append(all, worst(slowClients, arm+": memory grows by less than 64 MiB", runs, unitGrowth, wantGrowth))
		s, ok := lab.Summarize(values(runs, unitP99Ratio))
		all = append(all, atMost(slowClients, arm+": others' p99 at most doubles", s, ok, wantP99Ratio, lab.Times(s, ok)))
	}
	return all
}

// cliff is a step in the grid.
type cliff struct {
	from, to shape
	ratio    float64
}

// cliffs looks for neighbours in the grid with a rate far below.
func cliffs(r *report) []cliff {
	rate := func(s shape) (float64, bool) {
		x, ok := lab.Summarize(values(r.of(gridding, armConcurrent, s.String()), unitSamples))
		return x.Median, ok && x.Median > 0
	}
	var found []cliff
	look := func(from, to shape, limit float64) {
		a, ok1 := rate(from)
		b, ok2 := rate(to)
		if ok1 && ok2 && b < limit*a {
			found = append(found, cliff{from, to, b / a})
		}
	}
	for _, s := range grid() {
		for _, more := range grid() {
			if more.samples == s.samples && more.series == s.series && more.connections > s.connections {
				look(s, more, cliffConnection)
			}
			if more.samples == s.samples && more.connections == s.connections && more.series > s.series {
				look(s, more, cliffSeries)
			}
		}
	}
	return found
}

func (r *report) seed(experiment string) uint64 { return r.section(experiment).Settings.Seed }

// points is the size of the large file that was scanned.
func (r *report) points() int {
	if s := r.section(scanning); s != nil {
		return s.Settings.Points
	}
	return 0
}

// count prints a number of points: 1e7 where it is a power of ten.
func count(n int) string {
	for exponent, power := 5, 100_000; power <= n; exponent, power = exponent+1, power*10 {
		if power == n {
			return fmt.Sprintf("1e%d", exponent)
		}
	}
	return fmt.Sprint(n)
}
