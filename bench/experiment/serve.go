package experiment

import (
	"fmt"
	"slices"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The experiments that offer load and look at the answers.

func (p Profile) load() trial.Load {
	return trial.Load{Connections: p.conns(), Warmup: p.Warmup, Window: p.Window}
}

// ingestTasks are closed loops. The largest number of connections carries the claim
// of maximum RPS, with the control and the arm without keep-alive.
func ingestTasks(p Profile, arms []trial.Arm) []*Task {
	var all []*Task
	for _, n := range p.Connections {
		load := p.load()
		load.Connections = n
		t := &Task{Case: connectionsCase(n), Where: plural(n, "connection"), Each: load}
		if n == p.conns() {
			t.Control = true
			t.Arms = append(slices.Clone(arms), again(control(arms)))
			if p.NoKeepAlive && len(own(arms)) > 1 {
				t.Arms = append(t.Arms, noKeepAlive(own(arms)[1]))
			}
		}
		all = append(all, t)
	}
	return all
}

func connectionsCase(n int) string { return fmt.Sprintf("connections=%d", n) }

// CapacityCase is the case of ingest that carries the claim of maximum RPS.
func (p Profile) CapacityCase() string { return connectionsCase(p.conns()) }

func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ingestMeasures compares costs where the server is meant to be full.
func ingestMeasures(t *Task) []measure {
	rps := measure{unit: trial.UnitRPS, title: "RPS, " + t.Where, better: stat.HigherIsBetter}
	if !t.Control {
		return []measure{rps}
	}
	rps.variants, rps.capacity, rps.title = true, true, "maximum RPS, "+t.Where
	return []measure{
		rps,
		{unit: trial.UnitCPUPerSample, title: "server CPU per sample", better: stat.LowerIsBetter},
		{unit: trial.UnitPeakMemory, title: "server memory, peak", better: stat.LowerIsBetter},
	}
}

func responseTasks(p Profile, _ []trial.Arm) []*Task {
	var all []*Task
	for _, rate := range p.Rates {
		load := p.load()
		load.Rate, load.Window = rate, p.windowAt(rate)
		all = append(all, &Task{Case: rateCase(rate), Where: fmt.Sprintf("at %d rps", rate), Each: load})
	}
	return all
}

func rateCase(rate int) string { return fmt.Sprintf("rate=%d", rate) }

func slowTasks(p Profile, _ []trial.Arm) []*Task {
	return []*Task{{Case: rateCase(p.SlowRate), Where: fmt.Sprintf("at %d rps + slow client", p.SlowRate), Each: p.slowLoad()}}
}

func (p Profile) slowLoad() trial.Load {
	load := p.load()
	load.Rate, load.Window, load.SlowClient = p.SlowRate, p.windowAt(p.SlowRate), true
	load.Connections = p.SlowConnections
	return load
}

func latencyMeasures(t *Task) []measure {
	return []measure{
		{unit: trial.UnitP50, title: "p50 " + t.Where, better: stat.LowerIsBetter},
		{unit: trial.UnitP99, title: "p99 " + t.Where, better: stat.LowerIsBetter},
	}
}
