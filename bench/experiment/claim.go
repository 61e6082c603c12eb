package experiment

import (
	"fmt"

	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/server/platform"
)

// claim is one row of the report before anything was measured: which unit of
// which task is compared between which arms.
type claim struct {
	experiment, kase string
	unit             string
	title            string
	a, b             string
	direction        stat.Direction
	// control marks the comparison of an arm with itself. It is no claim and not
	// part of the family.
	control bool
}

// id is the claim's key in stored results.
func (c claim) id() string {
	id := c.experiment
	if c.kase != "" {
		id += "/" + c.kase
	}
	id += "/" + c.unit
	if c.b != ArmConcurrent {
		id += "/" + c.b
	}
	if c.control {
		id += "/control"
	}
	return id
}

// claims lists what a plan's tasks allow to be compared, in the report's order.
func claims(tasks []*Task) []claim {
	var all []claim
	for _, t := range tasks {
		switch t.Experiment {
		case Ingest:
			all = append(all, ingestClaims(t)...)
		case Response:
			all = append(all, latencyClaims(t, fmt.Sprintf("at %d rps", t.Load.Rate))...)
		case SlowClient:
			all = append(all, latencyClaims(t, fmt.Sprintf("at %d rps + slow client", t.Load.Rate))...)
		case Query:
			all = append(all, modes(t, trial.UnitScan, fmt.Sprintf("query, %d points", t.Query.Points.N), stat.LowerIsBetter))
		case Alert:
			all = append(all, modes(t, trial.UnitDetect, "alert detection, mean", stat.LowerIsBetter))
		}
	}
	return all
}

func modes(t *Task, unit, title string, better stat.Direction) claim {
	return claim{
		experiment: t.Experiment, kase: t.Case, unit: unit, title: title,
		a: ArmSingle, b: ArmConcurrent, direction: better,
	}
}

func latencyClaims(t *Task, where string) []claim {
	return []claim{
		modes(t, trial.UnitP50, "p50 "+where, stat.LowerIsBetter),
		modes(t, trial.UnitP99, "p99 "+where, stat.LowerIsBetter),
	}
}

func ingestClaims(t *Task) []claim {
	all := []claim{modes(t, trial.UnitRPS, "maximum RPS", stat.HigherIsBetter)}
	for _, a := range t.Arms {
		switch a.Name {
		case ArmNoKeepAlive:
			c := modes(t, trial.UnitRPS, "maximum RPS, no keep-alive", stat.HigherIsBetter)
			c.b = ArmNoKeepAlive
			all = append(all, c)
		case ArmAgain:
			c := modes(t, trial.UnitRPS, "A/A: concurrent twice", stat.HigherIsBetter)
			c.a, c.b, c.control = ArmConcurrent, ArmAgain, true
			all = append(all, c)
		}
	}
	return append(all,
		modes(t, trial.UnitCPUPerSample, "server CPU per sample", stat.LowerIsBetter),
		modes(t, trial.UnitPeakMemory, "server memory, peak", stat.LowerIsBetter))
}

// sameMechanism says which mechanism both arms share for what the claim measures,
// as "query=scan", or nothing.
func (c claim) sameMechanism() string {
	a, errA := platform.Mode(Mode(c.a))
	b, errB := platform.Mode(Mode(c.b))
	if errA != nil || errB != nil || c.control {
		return ""
	}
	switch {
	case c.experiment == Query && a.Query == b.Query:
		return "query=" + a.Query
	case c.experiment == Alert && a.Alerting == b.Alerting:
		return "alerting=" + a.Alerting
	}
	return ""
}
