package experiment

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The experiment of durability asks what a 202 costs that survives a crash. It brings an
// arm of its own: that which the run compares first, over a log that is synced before
// each answer. Both are loaded and killed in the same way.

// ArmDurable is the name of that arm.
const ArmDurable = "durable"

// Cases of durable.
const (
	DurableRPS   = "rps"
	DurableBatch = "batch=1000"
	DurableKill  = "signal=kill"
)

const (
	durableBatch = 1000
	// batchWindow is shorter than that of single samples, because in it hundreds of
	// megabytes are stored.
	batchWindow = time.Second
	// durableRate is one of those of the response time experiment, so that its figures
	// can be set beside these.
	durableRate = 2253
)

// DurableRate is the case of durable in which response times are measured.
func DurableRate() string { return rateCase(durableRate) }

// durableArms returns the arm that is made durable and what becomes of it, of a run's own
// arms. There are none where that arm is durable as it is.
func durableArms(arms []trial.Arm) []trial.Arm {
	if arms = own(arms); len(arms) == 0 {
		return nil
	}
	base := control(arms)
	if base.Durable() {
		return nil
	}
	durable := base
	durable.Name = ArmDurable
	durable.ServerArgs = append(slices.Clone(base.ServerArgs), "-queue=wal", "-sync=always")
	return []trial.Arm{base, durable}
}

func durableTasks(p Profile, arms []trial.Arm) []*Task {
	all := durableArms(arms)
	if all == nil {
		return nil
	}
	batch, rate := p.load(), p.load()
	batch.Batch, batch.Window = durableBatch, min(batchWindow, p.Window)
	rate.Rate, rate.Window = durableRate, p.windowAt(durableRate)
	crash := trial.Loss{Rate: p.FaultRate, Connections: p.conns(), Warmup: p.Warmup, Window: faultWindow, Signal: syscall.SIGKILL}
	connections, blocks := plural(p.conns(), "connection"), p.blocks(durableLoad)
	return []*Task{
		{Case: DurableRPS, Where: connections, Arms: all, Each: p.load(), Blocks: blocks},
		{Case: DurableBatch, Where: fmt.Sprintf("in batches of %s, %s", Thousands(durableBatch), connections), Arms: all, Each: batch, Blocks: blocks},
		{Case: DurableRate(), Where: fmt.Sprintf("at %d rps", durableRate), Arms: all, Each: rate, Blocks: blocks},
		{Case: DurableKill, Where: "kill -9", Arms: all, Each: crash},
	}
}

func durableMeasures(t *Task) []measure {
	switch t.Case {
	case DurableRPS:
		return []measure{
			{unit: trial.UnitRPS, title: "maximum RPS, " + t.Where, better: stat.HigherIsBetter, capacity: true},
			{unit: trial.UnitCPUPerSample, title: "server CPU per sample", better: stat.LowerIsBetter},
		}
	case DurableBatch:
		return []measure{{unit: trial.UnitSamples, title: "samples/s " + t.Where, better: stat.HigherIsBetter, capacity: true}}
	case DurableKill:
		return []measure{{unit: trial.UnitReady, title: "time to ready after " + t.Where, better: stat.LowerIsBetter}}
	}
	return latencyMeasures(t)
}

// crashed reports whether a trial's server was not stopped in order.
func crashed(t *trial.Result) bool {
	return t.Experiment == Loss || t.Experiment == Durable && t.Case == DurableKill
}

// idleGenerator is below which share of a core the load generator's busiest thread has
// time to spare.
const idleGenerator = 0.90

// fullness is the share of the window, at most 1, in which the server could not have done
// more: its core was busy, or its log was being synced, which everything that is accepted
// meanwhile waits for. That counts only where the load generator waited, too. Where
// nobody knows how busy the core was nothing is known.
func fullness(t *trial.Result) (share float64, known bool) {
	share, known = t.Value(trial.UnitServerBusy)
	if t.Signs != nil && t.Signs.GeneratorBusy < idleGenerator {
		share += t.Values[trial.UnitSyncBusy]
	}
	return min(1, share), known
}
