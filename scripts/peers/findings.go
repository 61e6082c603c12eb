package main

import (
	"slices"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

// report is everything that is written to peers.json.
type report struct {
	Schema     int            `json:"schema"`
	Conditions lab.Conditions `json:"conditions"`
	Tools      []presence     `json:"tools"`
	Seed       uint64         `json:"seed"`
	Rounds     int            `json:"rounds"`
	// Interrupted: not all planned runs were done.
	Interrupted bool  `json:"interrupted"`
	Runs        []run `json:"runs"` // in the order in which they ran, void ones included
}

// schema changes when a field changes its meaning or goes away.
const schema = 1

// presence says whether a client was there.
type presence struct {
	Name    string `json:"name"`
	Version string `json:"version"` // empty when missing
}

// pick selects the runs of one client in one case of an experiment.
type pick struct {
	experiment string
	rate       int
	client     string
}

func (p pick) of(runs []run) []run {
	var out []run
	for _, r := range runs {
		if r.Experiment == p.experiment && r.Rate == p.rate && r.Client == p.client {
			out = append(out, r)
		}
	}
	return out
}

// metric is one figure of a run; ok is false where the run has none.
type metric func(run) (value float64, ok bool)

func rpsOf(r run) (float64, bool)     { return r.RPS, r.RPS > 0 }
func claimedOf(r run) (float64, bool) { return r.Claim.RPS, r.Claim.RPS > 0 }
func cpuOf(r run) (float64, bool)     { return r.CPUPerRequest, r.CPUPerRequest > 0 }
func busyOf(r run) (float64, bool)    { return r.Server.BusyShare, r.Server.BusyShare > 0 }
func fullOf(r run) (float64, bool)    { return min(1, r.CPUPerRequest*r.RPS/1e9), r.CPUPerRequest > 0 }
func lagOf(r run) (float64, bool)     { return r.Claim.SendLagP99, r.Claim.SendLagP99 > 0 }
func lateOf(r run) (float64, bool)    { return r.Claim.LatenessP99, r.Claim.LatenessP99 > 0 }

func claimedPercentile(name string) metric {
	return func(r run) (float64, bool) {
		v, ok := r.Claim.Percentiles[name]
		return v, ok
	}
}

func truePercentile(name string) metric {
	return func(r run) (float64, bool) {
		if r.Truth == nil {
			return 0, false
		}
		v, ok := r.Truth.Percentiles[name]
		return v, ok
	}
}

func deviationMetric(field func(deviation) int64) metric {
	return func(r run) (float64, bool) {
		if r.Deviation == nil {
			return 0, false
		}
		return float64(field(*r.Deviation)), true
	}
}

// steadyDeviation is the p99 of the deviation while the machine ran at its usual speed.
func steadyDeviation(r run) (float64, bool) {
	switch {
	case r.Deviation == nil:
		return 0, false
	case r.Deviation.Steady != nil:
		return float64(r.Deviation.Steady.P99), true
	case r.Slow > 0:
		return 0, false // all of it met with a slow machine
	}
	return float64(r.Deviation.P99), true
}

// machineSlow is the share of a run in which the machine was slow.
func machineSlow(r run) (float64, bool) { return r.Slow, true }

// usable returns the runs to compute with: those that are not void. Where the server
// was the limit in more runs than that, these count as well, freed of their mark, and
// bound tells; keeping only the others would pick the client's slow runs.
func usable(runs []run) (kept []run, bound bool) {
	limited := 0
	for _, r := range runs {
		if r.Void == "" {
			kept = append(kept, r)
		} else if r.ServerBound {
			limited++
		}
	}
	if limited <= len(kept) {
		return kept, false
	}
	kept = nil
	for _, r := range runs {
		if r.Void == "" || r.ServerBound {
			r.Void = ""
			kept = append(kept, r)
		}
	}
	return kept, true
}

// values returns the metric of the runs that are not void.
func values(runs []run, m metric) []float64 {
	var out []float64
	for _, r := range runs {
		if v, ok := m(r); ok && r.Void == "" {
			out = append(out, v)
		}
	}
	return out
}

// advantage is how many times better loadgen was than a peer in the rounds in
// which both have a value. ok is false when there is none.
func advantage(loadgen, peer []run, m metric, better stat.Direction, seed uint64) (lab.Summary, bool) {
	var a, b []float64
	for _, p := range peer {
		i := slices.IndexFunc(loadgen, func(l run) bool { return l.Round == p.Round && l.Void == "" })
		if i < 0 || p.Void != "" {
			continue
		}
		theirs, ok1 := m(p)
		ours, ok2 := m(loadgen[i])
		if !ok1 || !ok2 || theirs <= 0 || ours <= 0 {
			continue
		}
		a, b = append(a, theirs), append(b, ours)
	}
	return lab.Paired(a, b, better, seed)
}

// accuracy says how a client's percentile related to the truth of its runs.
type accuracy struct {
	claimed, truth lab.Summary
	// difference is claimed minus true, run by run.
	difference lab.Summary
	exact      int // runs in which it was close enough
}

func accuracyOf(runs []run, name string) (accuracy, bool) {
	var claimed, truths, differences []float64
	var out accuracy
	for _, r := range runs {
		c, ok1 := claimedPercentile(name)(r)
		t, ok2 := truePercentile(name)(r)
		if !ok1 || !ok2 || r.Void != "" {
			continue
		}
		claimed, truths, differences = append(claimed, c), append(truths, t), append(differences, c-t)
		if exact(c, t) {
			out.exact++
		}
	}
	var ok bool
	if out.claimed, ok = lab.Summarize(claimed); !ok {
		return accuracy{}, false
	}
	out.truth, _ = lab.Summarize(truths)
	out.difference, _ = lab.Summarize(differences)
	return out, true
}

// clients returns those with runs in a case, in the tools' order.
func (r *report) clients(experiment string, rate int) []string {
	var out []string
	for _, t := range r.Tools {
		if len(pick{experiment, rate, t.Name}.of(r.Runs)) > 0 {
			out = append(out, t.Name)
		}
	}
	return out
}
