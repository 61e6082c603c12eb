package experiment

import (
	"fmt"
	"strconv"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The experiments that read back: queries over a prepared file.

func queryTasks(p Profile, _ []trial.Arm) []*Task {
	var all []*Task
	for _, n := range p.PointCounts {
		t := &Task{Case: fmt.Sprintf("points=%d", n), Where: fmt.Sprintf("%.4g %% of %s points", trial.DefaultShare/trial.PointSeries*100, Thousands(int64(n))), Each: querySpec(n)}
		if n > LargePoints {
			t.Blocks = p.blocks(queryLarge)
		}
		all = append(all, t)
	}
	return all
}

// Thousands prints a whole number with separators.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func querySpec(n int) trial.Query {
	return trial.Query{Points: trial.Points{N: n}, Queries: Queries(n), Warmup: 1}
}

// Queries is how many queries a trial times on a file of n points: enough for a few
// hundred milliseconds, in which the machine's CPU times can be told apart.
func Queries(n int) int { return min(1001, max(3, 1_000_000/max(1, n)+1)) }

func queryMeasures(t *Task) []measure {
	return []measure{{unit: trial.UnitScan, title: "query, " + t.Where, better: stat.LowerIsBetter}}
}

// shareTasks ask for one figure, so that reading is measured and not the writing of an
// answer.
func shareTasks(p Profile, _ []trial.Arm) []*Task {
	var all []*Task
	for _, share := range p.Shares {
		spec := querySpec(p.SharePoints)
		spec.Share, spec.Agg = share, "p99"
		where := fmt.Sprintf("p99 over %.4g %% of %s points", share*100, Thousands(int64(p.SharePoints)))
		all = append(all, &Task{Case: fmt.Sprintf("share=%g", share), Where: where, Each: spec})
	}
	return all
}
