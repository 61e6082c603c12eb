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
		{trial.UnitSamples, "higher"},
		{trial.UnitP50, "lower"},
		{trial.UnitP99, "lower"},
		{trial.UnitCPUPerSample, "lower"},
		{trial.UnitSyncs, "lower"},
		{trial.UnitPeakMemory, "lower"},
		{trial.UnitScan, "lower"},
		{trial.UnitFreshP50, "lower"},
		{trial.UnitQueryP50, "lower"},
		{trial.UnitKnee, "higher"},
		{trial.UnitGoodputShare, "higher"},
		{trial.UnitRecover, "lower"},
		{trial.UnitReady, "lower"},
		{trial.UnitDetect, "lower"},
		{trial.UnitArrive, "lower"},
	}
}

// WriteBenchmarks writes all valid trials in Go's benchmark format, one line per
// trial and for alerts one per injection. The arm is a key of the name, so that
// `benchstat -col /arm` compares arms; the control and the arm without keep-alive have
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
		if newer := u.unit == trial.UnitSamples || u.unit == trial.UnitSyncs; newer && !occurs(r, u.unit) {
			continue // files from before it was known stay as they are
		}
		fmt.Fprintf(out, "Unit %s better=%s\n", u.unit, u.better)
	}
	fmt.Fprintln(out)
	for _, t := range inReadingOrder(r.Arms, r.Trials) {
		if t.Valid() {
			writeBenchmark(out, t)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write benchmarks: %w", err)
	}
	return nil
}

func occurs(r *experiment.Run, unit string) bool {
	return slices.ContainsFunc(r.Trials, func(t trial.Result) bool { _, ok := t.Value(unit); return ok })
}

// inReadingOrder sorts trials by experiment, case and block, and the baseline first:
// the arm that benchstat meets first becomes the base of its comparison.
func inReadingOrder(arms []trial.Arm, trials []trial.Result) []*trial.Result {
	sorted := make([]*trial.Result, len(trials))
	for i := range trials {
		sorted[i] = &trials[i]
	}
	names := experiment.Names()
	place := func(name string) int {
		if i := slices.IndexFunc(arms, func(a trial.Arm) bool { return a.Name == name }); i >= 0 {
			return i
		}
		return len(arms)
	}
	slices.SortStableFunc(sorted, func(a, b *trial.Result) int {
		return cmp.Or(
			cmp.Compare(slices.Index(names, a.Experiment), slices.Index(names, b.Experiment)),
			cmp.Compare(len(a.Case), len(b.Case)), // numbers at the end: shorter is smaller
			cmp.Compare(a.Case, b.Case),
			cmp.Compare(a.Block, b.Block),
			cmp.Compare(place(a.Arm), place(b.Arm)),
			cmp.Compare(a.Arm, b.Arm),
		)
	})
	return sorted
}

func writeBenchmark(w io.Writer, t *trial.Result) {
	name := benchmarkName(t)
	if len(t.DelaysNS) > 0 {
		for i, d := range t.DelaysNS {
			fmt.Fprintf(w, "%s 1 %d %s %d %s\n", name, d, trial.UnitDetect, t.ArrivalsNS[i], trial.UnitArrive)
		}
		return
	}
	var values strings.Builder
	for _, u := range benchUnits() {
		if v, ok := t.Value(u.unit); ok && shown(t, u.unit) {
			fmt.Fprintf(&values, " %.6g %s", v, u.unit)
		}
	}
	if values.Len() > 0 {
		fmt.Fprintf(w, "%s 1%s\n", name, values.String())
	}
}

// shown reports whether a unit says something in an experiment: a closed loop's
// percentiles follow from its rate, and an offered rate is no capacity.
func shown(t *trial.Result, unit string) bool {
	name := t.Experiment
	if offered := t.Case == experiment.DurableRate(); name == experiment.Durable {
		name = experiment.Ingest
		if offered {
			name = experiment.Response
		}
	}
	switch unit {
	case trial.UnitRPS, trial.UnitCPUPerSample:
		return name == experiment.Ingest || name == experiment.Ladder
	case trial.UnitP50, trial.UnitP99:
		return name == experiment.Response || name == experiment.SlowClient || name == experiment.Mixed || name == experiment.Ladder
	case trial.UnitPeakMemory:
		return name == experiment.Ingest || name == experiment.Query || name == experiment.Overload
	}
	return true
}

// benchmarkName is a trial's name in Go's benchmark format. No part of it ends in
// a hyphen and digits, which the format would take for GOMAXPROCS, and no value holds
// the separators of keys.
func benchmarkName(t *trial.Result) string {
	name := "Benchmark" + camel(t.Experiment)
	switch {
	case experiment.IsAgain(t.Arm):
		name += "AA"
	case experiment.IsNoKeepAlive(t.Arm):
		name += "NoKeepAlive"
	}
	name += "/arm=" + benchmarkValue(experiment.Base(t.Arm))
	if t.Case == "" {
		return name
	}
	for setting := range strings.SplitSeq(t.Case, ",") {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			key, value = "case", setting
		}
		name += "/" + key + "=" + benchmarkValue(value)
	}
	return name
}

// camel turns "slow-client" into "SlowClient".
func camel(name string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			out.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return out.String()
}

// benchmarkValue keeps a value from being read as something else.
func benchmarkValue(v string) string {
	v = strings.NewReplacer("/", "_", " ", "_", "=", ":").Replace(v)
	if digits := len(v) - len(strings.TrimRight(v, "0123456789")); digits > 0 && digits < len(v) && v[len(v)-digits-1] == '-' {
		v += "_" // would be read as GOMAXPROCS
	}
	return v
}
