package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// WriteMarkdown writes report.md: the verdict, the plots, the tables, conditions,
// warnings, and how to reproduce.
func WriteMarkdown(w io.Writer, r *experiment.Run) error {
	var page strings.Builder
	fmt.Fprintf(&page, "# %s\n\n**%s**\n\n", r.Name, Sentence(r))
	fmt.Fprintf(&page, "Measured %s UTC, profile `%s`, %s.\n\n", r.Start.Format("2006-01-02 15:04"), r.Profile.Name, r.Conditions)
	writeWarnings(&page, r)
	for _, f := range figures(r) {
		fmt.Fprintf(&page, "![%s](%s)\n\n%s\n\n", altText(f.file), f.file, f.caption)
	}
	writeResults(&page, r)
	writeClaims(&page, r)
	writeAlerts(&page, r)
	writeCosts(&page, r)
	writeVoids(&page, r)
	writeConditions(&page, r)
	writeReproduction(&page, r)
	if _, err := io.WriteString(w, page.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func altText(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(file, ".svg"), "-", " ")
}

func writeWarnings(page *strings.Builder, r *experiment.Run) {
	for _, warning := range r.Warnings {
		fmt.Fprintf(page, "- warning: %s\n", cell(warning))
	}
	if len(r.Warnings) > 0 {
		page.WriteString("\n")
	}
}

// writeLine writes a table line; cells are escaped.
func writeLine(page *strings.Builder, cells ...string) {
	for _, c := range cells {
		page.WriteString("| " + cell(c) + " ")
	}
	page.WriteString("|\n")
}

// cell keeps text from breaking a table or becoming markup.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", "*", "\\*").Replace(s)
}

func writeHead(page *strings.Builder, title string, columns ...string) {
	fmt.Fprintf(page, "## %s\n\n", title)
	writeLine(page, columns...)
	page.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
}

func writeResults(page *strings.Builder, r *experiment.Run) {
	writeHead(page, "Results", "metric", "single", "concurrent", "ratio", "95 % interval", "p (Holm)", "bootstrap", "verdict", "n", "void", "note")
	for _, c := range r.Findings.Comparisons {
		writeLine(page, c.Title, figure(c, c.A), figure(c, c.B), ratio(c), interval(c), pValue(c), bootstrap(c),
			verdict(c), count(c), fmt.Sprintf("%d/%d", c.Void, c.Trials), note(c))
	}
	fmt.Fprintf(page, `
The ratio is the Hodges–Lehmann estimate over pairs of trials, turned so that above 1× concurrent is better; its interval inverts the exact
signed-rank test. p is exact, in parentheses corrected for all claims of this table. Different means: the interval lies outside ±%.1f %%, the larger
of 2 %% and what two identical arms differed by. Equivalent means: it lies inside ±2 %%. The alert row is a ratio of means over injections with a bootstrap interval.

`, r.Findings.Delta*100)
}

func pValue(c experiment.Comparison) string {
	switch {
	case !c.Measured || !c.Effect.HasP || c.Verdict == stat.Withheld:
		return none
	case c.Control:
		return fmt.Sprintf("%.2g", c.Effect.P)
	}
	return fmt.Sprintf("%.2g (%.2g)", c.Effect.P, c.HolmP)
}

func bootstrap(c experiment.Comparison) string {
	if !c.Measured || c.Verdict == stat.Withheld {
		return none
	}
	text := "[" + digits(c.Effect.BootLow) + ", " + digits(c.Effect.BootHigh) + "]"
	if !c.Effect.Agrees() && c.Effect.HasInterval() {
		text += " disagrees"
	}
	return text
}

// writeClaims sets the seed document's claims beside what was measured.
func writeClaims(page *strings.Builder, r *experiment.Run) {
	lookup := func(name, kase, unit, arm string) string {
		for _, c := range r.Findings.Comparisons {
			if c.Experiment != name || c.Case != kase || c.Unit != unit || c.Control || c.B.Arm != experiment.ArmConcurrent {
				continue
			}
			if arm == experiment.ArmSingle {
				return figure(c, c.A)
			}
			return figure(c, c.B)
		}
		return none
	}
	single, concurrent := experiment.ArmSingle, experiment.ArmConcurrent
	writeHead(page, "The seed's claims beside ours", "what", "claimed", "measured here")
	writeLine(page, "requests/s, single-threaded", "50–100 (elsewhere 200)", lookup(experiment.Ingest, r.Profile.CapacityCase(), trial.UnitRPS, single))
	writeLine(page, "requests/s, concurrent", "2,253", lookup(experiment.Ingest, r.Profile.CapacityCase(), trial.UnitRPS, concurrent))
	writeLine(page, "latency per request, single-threaded", "10–20 ms", "p50 at 200 rps "+lookup(experiment.Response, "rate=200", trial.UnitP50, single))
	writeLine(page, "the same with one slow client", "not claimed", "p50 at 200 rps "+lookup(experiment.SlowClient, "rate=200", trial.UnitP50, single))
	writeLine(page, "alert detection", "< 1 min", "mean "+lookup(experiment.Alert, experiment.AlertCase(r.Profile.AlertIntervals[0]), trial.UnitDetect, concurrent))
	page.WriteString("\nThe claims come without conditions. Ours are for loopback and bodies of one sample, under the conditions below.\n\n")
}

func writeAlerts(page *strings.Builder, r *experiment.Run) {
	interval := float64(r.Profile.AlertIntervals[0])
	var lines [][]string
	for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
		delays := delaysOf(r, arm)
		if len(delays) == 0 {
			continue
		}
		slices.Sort(delays)
		mean := 0.0
		for _, d := range delays {
			mean += d / float64(len(delays))
		}
		distance, limit := stat.UniformDistance(delays, interval), stat.StratifiedLimit(r.Profile.AlertProbes)
		fits := "compatible"
		if distance > limit {
			fits = "not compatible"
		}
		lines = append(lines, []string{
			arm, fmt.Sprint(len(delays)), nanoseconds(mean), nanoseconds(stat.Quantile(delays, stat.P50)), nanoseconds(delays[len(delays)-1]),
			sum(valuesOf(r, experiment.Alert, experiment.AlertCase(r.Profile.AlertIntervals[0]), arm, trial.UnitMissed)), sum(valuesOf(r, experiment.Alert, experiment.AlertCase(r.Profile.AlertIntervals[0]), arm, trial.UnitFalse)),
			fmt.Sprintf("%s (distance %.3f, limit %.3f)", fits, distance, limit),
		})
	}
	if len(lines) == 0 {
		return
	}
	writeHead(page, "Alert detection", "arm", "detected", "mean", "p50", "max", "missed", "false", fmt.Sprintf("uniform on 0–%v", r.Profile.AlertIntervals[0]))
	for _, line := range lines {
		writeLine(page, line...)
	}
	page.WriteString("\n")
}

func sum(values []float64) string {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return fmt.Sprintf("%.0f", total)
}

// writeCosts shows what maximum RPS cost each arm.
func writeCosts(page *strings.Builder, r *experiment.Run) {
	units := []string{trial.UnitRPS, trial.UnitServerBusy, trial.UnitCPUPerSample, trial.UnitPeakMemory, trial.UnitMemPerSample, trial.UnitQueueDepth}
	var lines [][]string
	for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent, experiment.ArmAgain, experiment.ArmNoKeepAlive} {
		line := []string{arm}
		for _, unit := range units {
			s, err := stat.Describe(valuesOf(r, experiment.Ingest, r.Profile.CapacityCase(), arm, unit))
			if err != nil {
				line = append(line, none)
				continue
			}
			line = append(line, Value(unit, s.Median))
		}
		if line[1] != none {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return
	}
	writeHead(page, "What maximum RPS costs", "arm", "accepted/s", "server's core busy", "CPU per sample", "peak memory", "memory growth per sample", "queue depth at the end")
	for _, line := range lines {
		writeLine(page, line...)
	}
	page.WriteString("\nMedians over trials.\n\n")
}

func writeVoids(page *strings.Builder, r *experiment.Run) {
	var lines [][]string
	for i := range r.Trials {
		if t := &r.Trials[i]; !t.Valid() {
			lines = append(lines, []string{fmt.Sprint(t.Order), fmt.Sprint(t.Block), strings.TrimSpace(t.Experiment + " " + t.Case), t.Arm, strings.Join(t.Void, "; ")})
		}
	}
	if len(lines) == 0 {
		page.WriteString("## Void trials\n\nNone.\n\n")
		return
	}
	writeHead(page, "Void trials", "trial", "block", "experiment", "arm", "why")
	for _, line := range lines {
		writeLine(page, line...)
	}
	page.WriteString("\n")
}

func writeConditions(page *strings.Builder, r *experiment.Run) {
	c := r.Conditions
	steal, foreign := worstMachine(r)
	writeHead(page, "Conditions", "what", "value")
	for _, line := range [][2]string{
		{"start, end (UTC)", r.Start.Format("2006-01-02 15:04:05") + ", " + r.End.Format("2006-01-02 15:04:05")},
		{"commit of the server", c.Commit + map[bool]string{true: " with uncommitted changes"}[c.Dirty]},
		{"go", c.GoVersion + " " + strings.Join(c.BuildSettings, " ")},
		{"environment", strings.Join(c.Environment, " ")},
		{"machine", fmt.Sprintf("%s, %d cores, %s memory", c.Host.CPU, c.Host.Cores, byteSize(float64(c.Host.MemoryByte)))},
		{"kernel", c.Host.Kernel + " " + c.Host.OS + ", clock " + c.Host.Clock},
		{"file system of the data", c.Host.FileSystem},
		{"placement", c.Placement.Why},
		{"GOMAXPROCS", fmt.Sprintf("server %d, query server %d, generator %d, bench %d", c.ProcsServer, c.ProcsQuery, c.ProcsGenerator, c.ProcsBench)},
		{"seed", fmt.Sprint(r.Seed)},
		{"worst trial", fmt.Sprintf("steal %.2f %%, other programs %.1f %% of the CPU time (limits %.1f %% and %.1f %%)", steal*100, foreign*100, c.Limits.Steal*100, c.Limits.Foreign*100)},
		{"trials", fmt.Sprintf("%d, warm-up %v, window %v", len(r.Trials), r.Profile.Warmup, r.Profile.Window)},
	} {
		writeLine(page, line[0], line[1])
	}
	page.WriteString("\n")
}

func worstMachine(r *experiment.Run) (steal, foreign float64) {
	for i := range r.Trials {
		steal = max(steal, r.Trials[i].Machine.Steal)
		foreign = max(foreign, r.Trials[i].Machine.Foreign)
	}
	return steal, foreign
}

// writeReproduction gives the command and, per experiment and arm, the flags of one
// trial.
func writeReproduction(page *strings.Builder, r *experiment.Run) {
	fmt.Fprintf(page, "## Reproduce\n\n```sh\nmake bench\ngo run ./bench -profile %s -seed %d -pairs %d\n```\n\n", r.Profile.Name, r.Seed, r.Profile.Pairs)
	page.WriteString("The flags of each kind of trial; ports, directories and seeds differ from trial to trial and are in `run.json`.\n\n```text\n")
	seen := map[string]bool{}
	for i := range r.Trials {
		t := &r.Trials[i]
		kind := strings.Join(strings.Fields(t.Experiment+" "+t.Case+" "+t.Arm), " ")
		if seen[kind] {
			continue
		}
		seen[kind] = true
		fmt.Fprintf(page, "%s\n  server %s\n", kind, strings.Join(t.ServerArgs, " "))
		if len(t.LoadArgs) > 0 {
			fmt.Fprintf(page, "  loadgen %s URL\n", strings.Join(t.LoadArgs, " "))
		}
	}
	page.WriteString("```\n")
}
