package experiment

import (
	"slices"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The ladder climbs from the baseline to the first arm that is compared with it, one
// component's mechanism after another, and tries each of them alone as well: what one
// buys may depend on the others.

// ladderPoints is the size of the file that the ladder's queries read.
const ladderPoints = 100_000

// Cases of the ladder: what is measured on every rung.
const (
	LadderRPS       = "rps"
	LadderSlow      = "slow-client"
	LadderQuery     = "query"
	LadderFreshness = "freshness"
	LadderAlert     = "alert" // where alerting is among what is replaced
)

// LadderArms returns the names of the arms that replace one component of the
// baseline, and of those that replace one more each, up to the whole. Both are empty
// where the run has no two arms that differ.
func LadderArms(arms []trial.Arm) (alone, stacked []string) {
	one, more := climb(own(arms))
	for _, a := range one {
		alone = append(alone, a.Name)
	}
	for _, a := range more {
		stacked = append(stacked, a.Name)
	}
	return alone, stacked
}

func climb(arms []trial.Arm) (alone, stacked []trial.Arm) {
	if len(arms) < 2 {
		return nil, nil
	}
	alone, stacked = rungs(arms[0], arms[1])
	if len(stacked) > 0 {
		stacked[len(stacked)-1] = arms[1] // by its own name
	}
	return alone, stacked
}

func ladderTasks(p Profile, arms []trial.Arm) []*Task {
	alone, stacked := climb(arms)
	if len(stacked) == 0 {
		return nil
	}
	all := uniqueArms(arms[:1], alone, stacked)
	tasks := []*Task{
		{Case: LadderRPS, Where: "maximum RPS", Arms: all, Each: p.load()},
		{Case: LadderSlow, Where: "p99 beside a slow client", Arms: all, Each: p.slowLoad()},
		{Case: LadderQuery, Where: "query time", Arms: all, Each: querySpec(ladderPoints)},
		{Case: LadderFreshness, Where: "freshness", Arms: all, Each: p.freshness()},
	}
	if len(p.AlertCells) > 0 && sameMechanism(arms[0], arms[1], "alerting") == "" {
		some := alertRungs(all, stacked)
		tasks = append(tasks, &Task{
			Case: LadderAlert, Where: "alert detection", Arms: some, Blocks: 1,
			Each: trial.Alert{Rules: 1, Probes: p.AlertProbes, Paces: paces(some)},
		})
	}
	return tasks
}

// alertRungs leaves out the arms that poll as the baseline does, each of which would take
// two intervals to say so again, but for the last of the climb.
func alertRungs(all, stacked []trial.Arm) []trial.Arm {
	last := stacked[max(0, len(stacked)-2)].Name
	return slices.DeleteFunc(slices.Clone(all), func(a trial.Arm) bool {
		return a.Name != all[0].Name && a.Name != last && Pace(a) == Pace(all[0])
	})
}

func ladderMeasures(t *Task) []measure {
	unit, better := trial.UnitRPS, stat.HigherIsBetter
	switch t.Case {
	case LadderSlow:
		unit, better = trial.UnitP99, stat.LowerIsBetter
	case LadderQuery:
		unit, better = trial.UnitScan, stat.LowerIsBetter
	case LadderFreshness:
		unit, better = trial.UnitFreshP50, stat.LowerIsBetter
	case LadderAlert:
		unit, better = trial.UnitDetect, stat.LowerIsBetter
	}
	return []measure{{unit: unit, title: t.Where, better: better, capacity: t.Case == LadderRPS}}
}
