package experiment

import (
	"fmt"
	"syscall"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The experiments that look at what happens when much is asked for or things go wrong.

const (
	// faultWindow is where in the load a signal falls.
	faultWindow = 1500 * time.Millisecond

	// mixedPoints are stored before queries and ingest begin together.
	mixedPoints    = 100_000
	mixedQueryRate = 10

	// The knee is looked for from a rate that most servers keep up to one that none
	// does. A single disturbed run sends a search astray, so that three more vote on each
	// end.
	kneeFrom    = 4000
	kneeMax     = 200_000
	kneeStep    = time.Second
	kneeConfirm = 3
	kneeLimit   = 24 * time.Second

	overloadCalibrate = time.Second
	overloadWindow    = 3 * time.Second
	overloadRecovery  = 10 * time.Second
)

// lossTasks send SIGKILL and, where there is time for it, SIGTERM.
func lossTasks(p Profile, _ []trial.Arm) []*Task {
	load := trial.Loss{Rate: p.FaultRate, Connections: p.conns(), Warmup: p.Warmup, Window: faultWindow}
	kill, term := load, load
	kill.Signal, term.Signal = syscall.SIGKILL, syscall.SIGTERM
	all := []*Task{{Case: "signal=kill", Where: "kill -9", Each: kill}}
	if p.Name != "quick" {
		all = append(all, &Task{Case: "signal=term", Where: "SIGTERM", Each: term, Blocks: p.blocks(lossTerm)})
	}
	return all
}

// lossMeasures compares starts where there are several; one kill per arm shows what is
// lost.
func lossMeasures(t *Task) []measure {
	if t.Blocks == 1 {
		return nil
	}
	return []measure{{unit: trial.UnitReady, title: "time to ready after " + t.Where, better: stat.LowerIsBetter}}
}

func (p Profile) freshness() trial.Freshness {
	return trial.Freshness{Rate: p.FaultRate, Connections: p.conns(), Warmup: p.Warmup, Window: p.Window}
}

func freshnessTasks(p Profile, _ []trial.Arm) []*Task {
	return []*Task{{Case: rateCase(p.FaultRate), Where: fmt.Sprintf("at %d rps", p.FaultRate), Each: p.freshness()}}
}

func freshnessMeasures(t *Task) []measure {
	return []measure{{unit: trial.UnitFreshP50, title: "accepted to queryable, p50 " + t.Where, better: stat.LowerIsBetter}}
}

func mixedTasks(p Profile, _ []trial.Arm) []*Task {
	return []*Task{{
		Case: rateCase(p.MixedRate), Where: fmt.Sprintf("at %d rps and %d queries/s", p.MixedRate, mixedQueryRate),
		Each: trial.Mixed{
			Points: trial.Points{N: mixedPoints}, Rate: p.MixedRate, QueryRate: mixedQueryRate,
			Connections: p.conns(), Warmup: p.Warmup, Window: p.Window,
		},
	}}
}

func mixedMeasures(t *Task) []measure {
	return []measure{
		{unit: trial.UnitP99, title: "p99 of ingest " + t.Where, better: stat.LowerIsBetter},
		{unit: trial.UnitQueryP50, title: "p50 of queries " + t.Where, better: stat.LowerIsBetter},
	}
}

func kneeTasks(p Profile, _ []trial.Arm) []*Task {
	return []*Task{{
		Where: "with " + trial.DefaultSLO,
		Each:  trial.Knee{From: kneeFrom, Max: kneeMax, Step: kneeStep, Confirm: kneeConfirm, Limit: kneeLimit, Connections: p.SlowConnections},
	}}
}

func kneeMeasures(t *Task) []measure {
	return []measure{{unit: trial.UnitKnee, title: "highest rate " + t.Where, better: stat.HigherIsBetter}}
}

func overloadTasks(Profile, []trial.Arm) []*Task {
	return []*Task{{
		Where: "at ten times the capacity",
		Each:  trial.Overload{Calibrate: overloadCalibrate, Window: overloadWindow, Recovery: overloadRecovery},
	}}
}

func overloadMeasures(t *Task) []measure {
	return []measure{
		{unit: trial.UnitGoodputShare, title: "goodput " + t.Where, better: stat.HigherIsBetter},
		{unit: trial.UnitPeakMemory, title: "server memory, peak, " + t.Where, better: stat.LowerIsBetter},
		{unit: trial.UnitRecover, title: "time to recover from overload", better: stat.LowerIsBetter},
	}
}
