package main

import (
	"fmt"
	"slices"
	"time"

	"phase0/bench/experiment"
	bench "phase0/bench/report"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// undisturbedOf returns the times of those starts that count, in order.
func undisturbedOf(all []logStart) (times []time.Duration) {
	for _, s := range all {
		if s.Machine.Disturbed() == "" {
			times = append(times, s.Ready)
		}
	}
	slices.Sort(times)
	return times
}

// fixed is the median of the starts without a log.
func (s *logStarts) fixed() time.Duration {
	times := undisturbedOf(s.Without)
	return times[len(times)/2]
}

// seconds is what a start took for each GB of the log, beyond what it takes without one.
func (s *logStarts) seconds(took time.Duration) float64 {
	return (took - s.fixed()).Seconds() * gigabyte / float64(s.Log)
}

// judge compares the slowest start with the promise.
func (s *logStarts) judge() {
	with, without := undisturbedOf(s.With), undisturbedOf(s.Without)
	switch {
	case len(with) < startTries || len(without) < startTries:
		s.Verdict = noVerdict
		s.Why = fmt.Sprintf("the machine disturbed all but %d starts of %d", len(with)+len(without), len(s.With)+len(s.Without))
	case s.seconds(with[len(with)-1]) > readyPerGB.Seconds():
		s.Verdict = broken
		s.Why = fmt.Sprintf("%s s for each GB, more than %g", s.perGB(), readyPerGB.Seconds())
	default:
		s.Verdict = kept
	}
}

// perGB is the range of all that count.
func (s *logStarts) perGB() string {
	with := undisturbedOf(s.With)
	if len(with) == 0 || len(undisturbedOf(s.Without)) == 0 {
		return lab.None
	}
	return fmt.Sprintf("%.2f to %.2f", s.seconds(with[0]), s.seconds(with[len(with)-1]))
}

var startHead = []string{"log of", "log", "storage file", "ready without a log", "ready", "s per GB of log", "starts, disturbed", "verdict"}

const startExplanation = `Logs made by the server's own code and synced, of which no consumer has put anything into the storage file, or else the first %s samples, and not yet told the log so: a server does that after so many at the latest, as a rule
once a second. The server is started on each until it says that it takes requests; then it is killed. *Ready without a log* is the median of starts that find the same storage file and an empty log: the process, and the index of
queries. Both times are ranges. What a start takes beyond it is *per GB*; the slowest of those that count is held against 2 s. The log is in the page cache, as after kill -9.`

// writeStarts adds the starts with long logs.
func (r *killReport) writeStarts(d *lab.Document) {
	if len(r.Starts) == 0 {
		return
	}
	d.Line("## Long logs\n")
	d.Line(startExplanation, experiment.Thousands(checkpointed))
	var rows [][]string
	for _, s := range r.Starts {
		s.judge()
		rows = append(rows, s.row())
	}
	d.Table(startHead, rows)
	for _, s := range r.Starts {
		if s.Why != "" {
			d.Line("- %s: %s", s.Name, s.Why)
		}
	}
}

func (s *logStarts) row() []string {
	with, without := undisturbedOf(s.With), undisturbedOf(s.Without)
	all := len(s.With) + len(s.Without)
	return []string{
		s.Name, bench.Value(trial.UnitPeakMemory, float64(s.Log)), bench.Value(trial.UnitPeakMemory, float64(s.Stored)), rangeOf(without), rangeOf(with), s.perGB(),
		fmt.Sprintf("%d, %d", all, all-len(with)-len(without)), s.Verdict,
	}
}

func rangeOf(times []time.Duration) string {
	if len(times) == 0 {
		return lab.None
	}
	return fmt.Sprintf("%s to %s", bench.Value(trial.UnitReady, float64(times[0])), bench.Value(trial.UnitReady, float64(times[len(times)-1])))
}
