package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Of turns a run into a document. It depends on nothing but the run.
func Of(r *experiment.Run) *Document {
	d := &Document{
		Title: r.Name, Stamps: stamps(r), Verdict: Verdict(r),
		Byline: fmt.Sprintf("Measured %s UTC, profile `%s`, %s.", r.Start.Format("2006-01-02 15:04"), r.Profile.Name, r.Conditions),
	}
	if n := len(r.Warnings); n > 0 {
		d.Byline += fmt.Sprintf(" %d %s below.", n, plural(n, "warning", "warnings"))
	}
	var pictures []Block
	for _, f := range figures(r) {
		pictures = append(pictures, f)
	}
	d.add("In pictures", pictures...)
	d.add("Results", resultBlocks(r)...)
	d.add("The seed's claims beside ours", claimBlocks(r)...)
	d.add("What every component buys", ladderBlocks(r)...)
	d.add("What durability costs and buys", durableBlocks(r)...)
	d.add("Loss to signals", killBlocks(r)...)
	d.add("Alert detection", alertBlocks(r)...)
	d.add("What maximum RPS costs", costBlocks(r)...)
	d.add("Conditions", conditionTable(r))
	d.add("What this run could have seen", sightBlocks(r)...)
	d.add("Warnings", warningList(r))
	d.add("Void trials", voidBlock(r))
	d.add("Reproduce", reproduction(r)...)
	d.add("Every comparison", expertBlocks(r)...)
	return d
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// resultBlocks is the table for everybody.
func resultBlocks(r *experiment.Run) []Block {
	a, b, onePair := pair(r)
	t := Table{Label: "Results", Columns: columns("metric", "#"+a, "#"+b, "#ratio", "#95 % interval", "verdict", "#n", "note")}
	if !onePair {
		t.Columns = columns("metric", "arms", "#baseline", "#arm", "#ratio", "#95 % interval", "verdict", "#n", "note")
	}
	for _, c := range claimed(r) {
		row := cells(c.Title, figure(c, c.A), figure(c, c.B), ratio(c), interval(c), verdict(c), count(c), note(c))
		row[5].Tone = tone(c)
		if !onePair {
			row = slices.Insert(row, 1, Cell{Text: against(c), Arm: 1 + colorOf(r, c.B.Arm)})
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{t,
		Prose("The ratio is the Hodges–Lehmann estimate over pairs of trials, turned so that above 1× the arm that is compared is better than its baseline; its interval inverts the exact signed-rank test. It is the middle of what pairs differed by, not the quotient of the two medians beside it. n counts the pairs; of alerts it counts injections (inj.)."),
		Prose(fmt.Sprintf("Different means: the interval lies outside ±%.1f %%, the larger of 2 %% and half the width of the A/A interval, that of two identical arms. Equivalent means: it lies inside ±2 %%. Each verdict holds with 95 %% confidence for itself; what holds for all of them together is in the last table.", r.Findings.Delta*100)),
		Prose("The alert rows are ratios of means over injections with bootstrap intervals; in brackets is how both arms evaluate. What each figure rests on is in the last table."),
	}
}

func against(c experiment.Comparison) string { return c.B.Arm + " against " + c.A.Arm }

// tone is how a verdict reads at a glance.
func tone(c experiment.Comparison) Tone {
	switch {
	case c.Control && c.Measured && c.Effect.Excludes1():
		return Bad
	case c.Control:
		return Neutral
	case c.Verdict == stat.Faster:
		return Good
	case c.Verdict == stat.Slower:
		return Bad
	case c.Verdict == stat.Withheld || c.Verdict == stat.Inconclusive:
		return Doubt
	}
	return Neutral
}

// claimBlocks sets the seed document's claims beside what was measured.
func claimBlocks(r *experiment.Run) []Block {
	lookup := func(name, kase, unit, arm string) string {
		for _, c := range r.Findings.Comparisons {
			if c.Experiment != name || c.Case != kase || c.Unit != unit || c.Control || c.B.Arm != experiment.ArmConcurrent {
				continue
			}
			if arm == c.A.Arm {
				return figure(c, c.A)
			}
			return figure(c, c.B)
		}
		return none
	}
	single, concurrent, alert := experiment.ArmSingle, experiment.ArmConcurrent, ""
	if c, ok := alertCellToDraw(r); ok {
		alert = c.Case()
	}
	t := Table{Label: "The seed's claims", Columns: columns("what", "claimed", "measured here"), Rows: [][]Cell{
		cells("requests/s, single-threaded", "50–100 (elsewhere 200)", lookup(experiment.Ingest, r.Profile.CapacityCase(), trial.UnitRPS, single)),
		cells("requests/s, concurrent", "2,253", lookup(experiment.Ingest, r.Profile.CapacityCase(), trial.UnitRPS, concurrent)),
		cells("latency per request, single-threaded", "10–20 ms", "p50 at 200 rps "+lookup(experiment.Response, "rate=200", trial.UnitP50, single)),
		cells("the same with one slow client", "not claimed", "p50 at 200 rps "+lookup(experiment.SlowClient, "rate=200", trial.UnitP50, single)),
		cells("query", "100M+ points in < 1 s", queryClaim(r, func(name, kase string) string { return lookup(name, kase, trial.UnitScan, concurrent) })),
		cells("alert detection", "< 1 min", "mean "+lookup(experiment.Alert, alert, trial.UnitDetect, concurrent)),
	}}
	return []Block{t, Prose("The claims come without conditions. Ours are for loopback and bodies of one sample, under the conditions below.")}
}

// queryClaim is what a query took, of all points where that was measured: those that are
// skipped are not read.
func queryClaim(r *experiment.Run, lookup func(name, kase string) string) string {
	if figure := lookup(experiment.Selectivity, "share=1"); figure != none {
		return fmt.Sprintf("p99 over all of %s points in %s", thousands(int64(r.Profile.SharePoints)), figure)
	}
	if len(r.Profile.PointCounts) == 0 {
		return none
	}
	points := slices.Max(r.Profile.PointCounts)
	return fmt.Sprintf("%.4g %% of %s points in %s", trial.DefaultShare/trial.PointSeries*100, thousands(int64(points)), lookup(experiment.Query, fmt.Sprintf("points=%d", points)))
}

// sightBlocks say how small a difference the run's noise lets one see.
func sightBlocks(r *experiment.Run) []Block {
	t := Table{Label: "Smallest visible differences", Columns: columns("comparison", "arms", "#pairs", "#difference")}
	for _, s := range r.Findings.Sights {
		difference := fmt.Sprintf("%.2g %%", s.Difference*100)
		switch {
		case s.Difference == 0:
			difference = "none"
		case s.Difference >= 1:
			difference = fmt.Sprintf("%.2g×", 1+s.Difference)
		}
		t.Rows = append(t.Rows, cells(s.Title, armsOfClaim(r, s.ID), fmt.Sprint(s.Pairs), difference))
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{Prose(fmt.Sprintf("The smallest difference that a run with this noise and this many pairs calls one in %.0f of 100 repetitions. A smaller one that was not found may still be there.", stat.Power*100)), t}
}

// armsOfClaim says which arms a comparison is of.
func armsOfClaim(r *experiment.Run, id string) string {
	i := slices.IndexFunc(r.Findings.Comparisons, func(c experiment.Comparison) bool { return c.ID == id })
	if i < 0 {
		return none
	}
	return against(r.Findings.Comparisons[i])
}

// costBlocks shows what maximum RPS cost each arm.
func costBlocks(r *experiment.Run) []Block {
	units := []string{trial.UnitRPS, trial.UnitServerBusy, trial.UnitCPUPerSample, trial.UnitPeakMemory, trial.UnitMemPerSample, trial.UnitQueueDepth}
	t := Table{Label: "What maximum RPS costs", Columns: columns("arm", "#accepted/s", "#server's core busy", "#CPU per sample", "#peak memory", "#memory growth per sample", "#queue depth at the end")}
	for _, a := range armsOf(r) {
		row := []Cell{{Text: a.label, Arm: 1 + a.color}}
		for _, unit := range units {
			text := none
			if s, err := stat.Describe(valuesOf(r, experiment.Ingest, r.Profile.CapacityCase(), a.name, unit)); err == nil {
				text = Value(unit, s.Median)
			}
			row = append(row, Cell{Text: text})
		}
		if row[1].Text != none {
			t.Rows = append(t.Rows, row)
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{t, Prose("Medians over trials.")}
}

func conditionTable(r *experiment.Run) Block {
	c := r.Conditions
	steal, foreign := worstMachine(r)
	dirty := ""
	if c.Dirty {
		dirty = " with uncommitted changes"
	}
	return Table{Label: "Conditions", Columns: columns("what", "value"), Rows: [][]Cell{
		cells("start, end (UTC)", r.Start.Format("2006-01-02 15:04:05")+", "+r.End.Format("2006-01-02 15:04:05")),
		cells("commit of the server", c.Commit+dirty),
		cells("go", c.GoVersion+" "+strings.Join(c.BuildSettings, " ")),
		cells("environment", cmp.Or(strings.Join(c.Environment, " "), "nothing that changes Go's ways")),
		cells("machine", fmt.Sprintf("%s, %d cores, %s memory", c.Host.CPU, c.Host.Cores, byteSize(float64(c.Host.MemoryByte)))),
		cells("kernel", c.Host.Kernel+" "+c.Host.OS+", clock "+c.Host.Clock),
		cells("file system of the data", c.Host.FileSystem),
		cells("placement", c.Placement.Why),
		cells("GOMAXPROCS", fmt.Sprintf("server %d, query server %d, generator %d, bench %d", c.ProcsServer, c.ProcsQuery, c.ProcsGenerator, c.ProcsBench)),
		cells("seed", fmt.Sprint(r.Seed)),
		cells("worst trial", fmt.Sprintf("steal %.2f %%, other programs %.1f %% of the CPU time (limits %.1f %% and %.1f %%)", steal*100, foreign*100, c.Limits.Steal*100, c.Limits.Foreign*100)),
		cells("trials", fmt.Sprintf("%d, warm-up %v, window %v", len(r.Trials), r.Profile.Warmup, r.Profile.Window)),
	}}
}

func worstMachine(r *experiment.Run) (steal, foreign float64) {
	for i := range r.Trials {
		steal = max(steal, r.Trials[i].Machine.Steal)
		foreign = max(foreign, r.Trials[i].Machine.Foreign)
	}
	return steal, foreign
}

func warningList(r *experiment.Run) Block {
	if len(r.Warnings) == 0 {
		return Prose("None.")
	}
	return List(r.Warnings)
}

func voidBlock(r *experiment.Run) Block {
	t := Table{Label: "Void trials", Columns: columns("#trial", "#block", "experiment", "arm", "why")}
	for i := range r.Trials {
		if v := &r.Trials[i]; !v.Valid() {
			t.Rows = append(t.Rows, cells(fmt.Sprint(v.Order), fmt.Sprint(v.Block), strings.TrimSpace(v.Experiment+" "+v.Case), v.Arm, strings.Join(v.Void, "; ")))
		}
	}
	if len(t.Rows) == 0 {
		return Prose("None.")
	}
	return t
}

// shellWords writes a command line that a shell reads as these words. Of flags that
// stand twice the last counts.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`{}*?#;&|<>()!~") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	if len(quoted) > 0 {
		quoted[0] = "bin/" + quoted[0]
	}
	return strings.Join(quoted, " ")
}

// reproduction gives the command and, per experiment and arm, the flags of one
// trial.
func reproduction(r *experiment.Run) []Block {
	var kinds strings.Builder
	seen := map[string]bool{}
	for i := range r.Trials {
		t := &r.Trials[i]
		kind := strings.Join(strings.Fields(t.Experiment+" "+t.Case+" "+t.Arm), " ")
		if seen[kind] {
			continue
		}
		seen[kind] = true
		fmt.Fprintf(&kinds, "%s\n  server %s\n", kind, strings.Join(t.ServerArgs, " "))
		switch {
		case len(t.LoadArgs) == 0:
		case t.LoadArgs[0] == "GET":
			fmt.Fprintf(&kinds, "  %s\n", strings.Join(t.LoadArgs, " "))
		default:
			fmt.Fprintf(&kinds, "  loadgen %s URL\n", strings.Join(t.LoadArgs, " "))
		}
	}
	return []Block{
		Code{Language: "sh", Text: fmt.Sprintf("git checkout %s\nmake build\n%s -seed %d", r.Conditions.Commit, shellWords(r.Conditions.Command), r.Seed)},
		Prose("The flags of each kind of trial; ports, directories and seeds differ from trial to trial and are in `run.json`."),
		Code{Language: "text", Text: kinds.String()},
	}
}
