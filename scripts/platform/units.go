package main

import (
	"fmt"
	"math"

	bench "phase0/bench/report"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// Units of figures. Those of trial mean here what they mean there.
const (
	unitSamples     = "samples/s"   // stored, between two instants under load
	unitRequests    = trial.UnitRPS // accepted requests behind these samples
	unitCPU         = trial.UnitCPUPerSample
	unitBusy        = trial.UnitServerBusy // of the server's core, between the two instants
	unitDepth       = trial.UnitQueueDepth // at the second
	unitDepthShare  = "depth-share"        // of the samples stored in between
	unitAllocated   = "alloc-B/sample"     // by the server's own count
	unitMemory      = trial.UnitPeakMemory
	unitP99         = trial.UnitP99
	unitScanned     = "scan-B/s"      // of file, per core
	unitNewest      = "newest-ns"     // query for the newest minute, median
	unitPercentile  = "percentile-ns" // query for p99, median
	unitCapacity    = "capacity"      // samples/s
	unitGoodput     = "goodput"       // samples/s stored during overload
	unitShare       = "goodput-share" // of capacity
	unitBound       = "bound-B"       // of memory, from the configured limits
	unitAccepted    = "accepted-share"
	unitRefused     = "refused-share" // by 503
	unitOther       = "other-share"   // anything else: no answer, another status, never sent
	unitNoRetry     = "no-retry-after"
	unitProbes      = "probes" // 503 answers looked at for Retry-After
	unitDrain       = "drain-ns"
	unitLost        = "lost"
	unitWrong       = "wrong" // lost, duplicated, phantom or zombie
	unitVerified    = "verified"
	unitGrowth      = "growth-B" // of the peak of memory, when slow clients come
	unitP99Alone    = "p99-alone-ns"
	unitP99Ratio    = "p99-ratio"
	unitLateness    = "lateness-p99-ns" // of the generator itself, beside slow clients
	unitSlowClients = "slow-clients"    // connected while the other clients were measured
)

// label names a unit in a line of progress.
func label(unit string) string {
	return map[string]string{
		unitSamples: "samples/s", unitRequests: "requests/s", unitCPU: "CPU per sample", unitBusy: "busy", unitDepth: "depth", unitAllocated: "allocated per sample",
		unitMemory: "memory", unitP99: "p99", unitScanned: "per core", unitNewest: "newest minute", unitPercentile: "query p99", unitCapacity: "capacity", unitShare: "goodput",
		unitAccepted: "202", unitRefused: "503", unitOther: "other", unitNoRetry: "without Retry-After", unitDrain: "drained in", unitLost: "lost", unitGrowth: "growth",
		unitP99Alone: "p99 alone", unitP99Ratio: "ratio", unitBound: "bound", unitLateness: "generator late",
	}[unit]
}

// shown lists what the line of progress has of an experiment.
func shown(experiment string) []string {
	switch experiment {
	case scanning:
		return []string{unitScanned, unitNewest, unitPercentile}
	case overloading:
		return []string{unitCapacity, unitShare, unitMemory, unitBound, unitAccepted, unitRefused, unitOther, unitNoRetry, unitDrain, unitLost}
	case slowClients:
		return []string{unitGrowth, unitP99Alone, unitP99, unitP99Ratio, unitLateness}
	}
	return []string{unitRequests, unitSamples, unitCPU, unitBusy, unitDepth, unitAllocated, unitMemory, unitP99}
}

// like is the unit of bench that a figure is printed as.
func like(unit string) string {
	switch unit {
	case unitSamples, unitCapacity, unitGoodput, unitProbes, unitVerified:
		return trial.UnitPoints
	case unitDepthShare, unitShare, unitAccepted, unitRefused, unitOther:
		return trial.UnitServerBusy
	case unitAllocated, unitBound, unitGrowth:
		return trial.UnitPeakMemory
	case unitLost, unitWrong, unitNoRetry, unitSlowClients:
		return trial.UnitMissed
	}
	return unit
}

// show prints a figure.
func show(unit string, v float64) string {
	switch {
	case unit == unitScanned:
		return fmt.Sprintf("%.2f GB/s", v/1e9)
	case unit == unitP99Ratio:
		return fmt.Sprintf("%.2f×", v)
	case like(unit) == trial.UnitMissed && v != math.Trunc(v): // a median of counts
		return fmt.Sprintf("%.1f", v)
	case v < 0:
		return "−" + show(unit, -v)
	case like(unit) == trial.UnitServerBusy && v > 0 && v < 0.01:
		return fmt.Sprintf("%.2f %%", v*100)
	}
	return bench.Value(like(unit), v)
}

// cell prints the figures of several runs.
func cell(runs []run, unit string) string {
	s, ok := lab.Summarize(values(runs, unit))
	switch {
	case !ok:
		return lab.None
	case s.N == 1 || s.Low == s.High:
		return show(unit, s.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", show(unit, s.Median), show(unit, s.Low), show(unit, s.High))
}
