package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

// benchUnits are the units of bench.txt in the order of a line, with the direction
// that benchstat is told.
func benchUnits() []struct{ unit, better string } {
	return []struct{ unit, better string }{
		{trial.UnitRPS, "higher"},
		{trial.UnitP50, "lower"},
		{trial.UnitP99, "lower"},
		{trial.UnitCPUPerSample, "lower"},
		{trial.UnitPeakMemory, "lower"},
		{trial.UnitScan, "lower"},
		{trial.UnitDetect, "lower"},
	}
}

// WriteBenchmarks writes all valid trials in Go's benchmark format, one line per
// trial and for alerts one per injection. The mode is a key of the name, so that
// `benchstat -col /mode` compares modes; arms that are no mode of their own have
// benchmark names of their own and do not mix with it.
func WriteBenchmarks(w io.Writer, r *experiment.Run) error {
	out := bufio.NewWriter(w)
	c := r.Conditions
	config := [][2]string{
		{"name", r.Name}, {"profile", r.Profile.Name}, {"commit", c.Commit}, {"dirty", fmt.Sprint(c.Dirty)},
		{"go", c.GoVersion}, {"kernel", c.Host.Kernel}, {"cpu", c.Host.CPU}, {"cores", fmt.Sprint(c.Host.Cores)},
		{"file-system", c.Host.FileSystem}, {"placement", c.Placement.Why}, {"seed", fmt.Sprint(r.Seed)},
		{"noisy", fmt.Sprint(r.Findings.Noisy)}, {"interrupted", fmt.Sprint(r.Interrupted)},
	}
	for _, kv := range config {
		fmt.Fprintf(out, "%s: %s\n", kv[0], kv[1])
	}
	for _, u := range benchUnits() {
		fmt.Fprintf(out, "Unit %s better=%s\n", u.unit, u.better)
	}
	fmt.Fprintln(out)
	for _, t := range inReadingOrder(r.Trials) {
		if t.Valid() {
			writeBenchmark(out, t)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write benchmarks: %w", err)
	}
	return nil
}

// inReadingOrder sorts trials by experiment, case and block, single first: the arm
// that benchstat meets first becomes the base of its comparison.
func inReadingOrder(trials []trial.Result) []*trial.Result {
	sorted := make([]*trial.Result, len(trials))
	for i := range trials {
		sorted[i] = &trials[i]
	}
	names := experiment.Names()
	arms := []string{experiment.ArmSingle, experiment.ArmConcurrent, experiment.ArmAgain, experiment.ArmNoKeepAlive}
	slices.SortStableFunc(sorted, func(a, b *trial.Result) int {
		return cmp.Or(
			cmp.Compare(slices.Index(names, a.Experiment), slices.Index(names, b.Experiment)),
			cmp.Compare(len(a.Case), len(b.Case)), // numbers at the end: shorter is smaller
			cmp.Compare(a.Case, b.Case),
			cmp.Compare(a.Block, b.Block),
			cmp.Compare(slices.Index(arms, a.Arm), slices.Index(arms, b.Arm)),
		)
	})
	return sorted
}

func writeBenchmark(w io.Writer, t *trial.Result) {
	name := benchmarkName(t)
	if t.Experiment == experiment.Alert {
		for _, d := range t.DelaysNS {
			fmt.Fprintf(w, "%s 1 %d %s\n", name, d, trial.UnitDetect)
		}
		return
	}
	var values strings.Builder
	for _, u := range benchUnits() {
		if v, ok := t.Value(u.unit); ok && shown(t.Experiment, u.unit) {
			fmt.Fprintf(&values, " %.6g %s", v, u.unit)
		}
	}
	if values.Len() > 0 {
		fmt.Fprintf(w, "%s 1%s\n", name, values.String())
	}
}

// shown reports whether a unit says something in an experiment: a closed loop's
// percentiles follow from its rate, and an offered rate is no capacity.
func shown(name, unit string) bool {
	switch unit {
	case trial.UnitRPS, trial.UnitCPUPerSample:
		return name == experiment.Ingest
	case trial.UnitP50, trial.UnitP99:
		return name == experiment.Response || name == experiment.SlowClient
	case trial.UnitPeakMemory:
		return name == experiment.Ingest || name == experiment.Query
	}
	return true
}

// benchmarkName is a trial's name in Go's benchmark format. No part of it ends in
// a hyphen and digits, which the format would take for GOMAXPROCS.
func benchmarkName(t *trial.Result) string {
	names := map[string]string{
		experiment.Ingest: "Ingest", experiment.Response: "Response", experiment.SlowClient: "SlowClient",
		experiment.Query: "Query", experiment.Alert: "Alert",
	}
	name := "Benchmark" + names[t.Experiment]
	switch t.Arm {
	case experiment.ArmAgain:
		name += "AA"
	case experiment.ArmNoKeepAlive:
		name += "NoKeepAlive"
	}
	name += "/mode=" + experiment.Mode(t.Arm)
	if t.Case != "" {
		name += "/" + t.Case
	}
	return name
}
