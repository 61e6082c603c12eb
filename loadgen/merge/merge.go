// Package merge adds up the results of load generators that ran on several
// machines at the same time against the same server. Counts and histograms are
// added and percentiles computed anew from the sum; percentiles are never averaged.
//
// Where each run stands in time is taken from its machine's clock: clocks that
// disagree shift the timelines and shorten the overlap. What casts doubt on the
// sum is a reason in its verdict, not an error.
package merge

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"phase0/loadgen/record"
)

// maxRuns bounds how many results are merged.
const maxRuns = 256

// Results adds up 2 to 256 results, in any order. It refuses a run given twice,
// results of different schema or model, and results that are sums themselves,
// because the windows of their runs are not known any more. Reasons in the verdict
// say where the runs differ otherwise.
func Results(runs ...record.Result) (record.Result, error) {
	if err := check(runs); err != nil {
		return record.Result{}, fmt.Errorf("merge results: %w", err)
	}
	runs = slices.SortedFunc(slices.Values(runs), func(a, b record.Result) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.RunID, b.RunID))
	})
	sum := describe(runs)
	sum.Generator = generators(runs)
	var doubts []string
	var err error
	if sum.Stream, doubts, err = stream(parts(runs)); err != nil {
		return record.Result{}, fmt.Errorf("merge results: %w", err)
	}
	queried, err := queries(&sum, runs)
	if err != nil {
		return record.Result{}, fmt.Errorf("merge results: queries: %w", err)
	}
	doubts = append(append(doubts, queried...), leftOut(runs)...)
	sum.Verdict = judge(runs, append(differences(runs), doubts...))
	// What is written must be readable again.
	if err := sum.Validate(); err != nil {
		return record.Result{}, fmt.Errorf("merge results: the sum is not valid: %w", err)
	}
	return sum, nil
}

func check(runs []record.Result) error {
	if len(runs) < 2 || len(runs) > maxRuns {
		return fmt.Errorf("%d given, want 2 to %d", len(runs), maxRuns)
	}
	seen := map[string]bool{}
	for _, r := range runs {
		switch {
		case seen[r.RunID]:
			return fmt.Errorf("run %s is given twice", r.RunID)
		case len(r.MergedFrom) > 0:
			return fmt.Errorf("run %s is a sum already: merge the runs it came from, %s", r.RunID, strings.Join(r.MergedFrom, ", "))
		case r.Schema != runs[0].Schema:
			return fmt.Errorf("run %s is of schema %d, run %s of %d", r.RunID, r.Schema, runs[0].RunID, runs[0].Schema)
		case r.Model != runs[0].Model:
			return fmt.Errorf("run %s is of the %s model, run %s of the %s", r.RunID, r.Model, runs[0].RunID, runs[0].Model)
		}
		seen[r.RunID] = true
	}
	return nil
}

// describe returns what the runs have in common, and their extent.
func describe(runs []record.Result) record.Result {
	first := runs[0]
	sum := record.Result{
		Schema: first.Schema, Model: first.Model, Profile: joined(runs, profile), KeepAlive: true, Seed: first.Seed,
		Start: first.Start, End: first.End,
		ToolVersion: joined(runs, toolVersion),
		Engine:      joined(runs, engine),
	}
	for _, r := range runs {
		sum.MergedFrom = append(sum.MergedFrom, r.RunID)
		sum.KeepAlive = sum.KeepAlive && r.KeepAlive
		sum.Interrupted = sum.Interrupted || r.Interrupted
		sum.PlannedSeconds = max(sum.PlannedSeconds, r.PlannedSeconds)
		sum.PlannedRequests += r.PlannedRequests
		sum.TimeoutSeconds = max(sum.TimeoutSeconds, r.TimeoutSeconds)
		if r.Seed != first.Seed {
			sum.Seed = 0
		}
		if r.End.After(sum.End) {
			sum.End = r.End
		}
	}
	sum.ElapsedSeconds = sum.End.Sub(sum.Start).Seconds()
	sum.RunID = runID(sum.MergedFrom)
	return sum
}

// runID is the same for the same runs.
func runID(of []string) string {
	h := fnv.New32a()
	for _, id := range slices.Sorted(slices.Values(of)) {
		fmt.Fprintf(h, "%q", id)
	}
	return fmt.Sprintf("merged-%08x", h.Sum32())
}

// generators adds up what the machines spent. StealShare is the highest.
func generators(runs []record.Result) record.Generator {
	sum := record.Generator{
		GoVersion: joined(runs, func(r record.Result) string { return r.Generator.GoVersion }),
		Platform:  joined(runs, func(r record.Result) string { return r.Generator.Platform }),
	}
	for _, r := range runs {
		g := r.Generator
		sum.CPUSeconds += g.CPUSeconds
		sum.GCPauseSeconds += g.GCPauseSeconds
		sum.GCs += g.GCs
		sum.StealShare = max(sum.StealShare, g.StealShare)
		sum.CPUs += g.CPUs
		sum.GOMAXPROCS += g.GOMAXPROCS
	}
	return sum
}

// queries adds up what was offered beside the loads, if all runs had that.
func queries(sum *record.Result, runs []record.Result) (doubts []string, err error) {
	var beside []part
	for _, r := range runs {
		if r.Queries != nil {
			beside = append(beside, part{id: r.RunID, start: r.Start, Stream: *r.Queries})
		}
	}
	switch {
	case len(beside) == 0:
		return nil, nil
	case len(beside) < len(runs):
		return []string{fmt.Sprintf("%d of %d runs had queries beside their load; they are left out", len(beside), len(runs))}, nil
	}
	sum.Queries = new(record.Stream)
	*sum.Queries, doubts, err = stream(beside)
	for i := range doubts {
		doubts[i] = "queries: " + doubts[i]
	}
	return doubts, err
}

// leftOut names what only single runs can say.
func leftOut(runs []record.Result) []string {
	var out []string
	for _, r := range runs {
		if r.Verification != nil || r.Freshness != nil {
			out = append(out, fmt.Sprintf("run %s also has a verification or freshness, which are not added up", r.RunID))
		}
	}
	return out
}

func parts(runs []record.Result) []part {
	out := make([]part, len(runs))
	for i, r := range runs {
		out[i] = part{id: r.RunID, start: r.Start, Stream: r.Stream}
	}
	return out
}
