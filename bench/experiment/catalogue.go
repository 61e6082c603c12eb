package experiment

import (
	"slices"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Names of the experiments, as -only takes them and results store them.
const (
	Ingest      = "ingest"
	Response    = "response"
	SlowClient  = "slow-client"
	Query       = "query"
	Selectivity = "selectivity"
	Alert       = "alert"
	Loss        = "loss"
	Knee        = "knee"
	Freshness   = "freshness"
	Mixed       = "mixed"
	Overload    = "overload"
	Durable     = "durable"
	Ladder      = "ladder"
)

// entry is one experiment: what it runs, and what of that is compared.
type entry struct {
	name string
	// about is a line for the help.
	about string
	// headline is the unit that the experiment's progress is told in.
	headline string
	// component is the one whose mechanism decides what is measured; empty where
	// several do.
	component string
	// foreign tells that servers which are not ours can take part.
	foreign bool
	// tasks returns what is measured with the given arms, the baseline first.
	tasks func(p Profile, arms []trial.Arm) []*Task
	// measures returns what is compared of a task.
	measures func(t *Task) []measure
}

// measure is a unit of a task's trials that arms are compared by.
type measure struct {
	unit, title string
	better      stat.Direction
	// variants are compared as well: the arm without keep-alive, and the control.
	variants bool
	// capacity marks what a full server can take: a figure from one that was not full
	// is a lower bound.
	capacity bool
}

// catalogue lists the experiments in the order of the report.
func catalogue() []entry {
	return []entry{
		{Ingest, "maximum requests per second, and what they cost", trial.UnitRPS, "", true, ingestTasks, ingestMeasures},
		{Response, "response time against the offered rate", trial.UnitP99, "", true, responseTasks, latencyMeasures},
		{SlowClient, "response time beside one client that takes half a second for its body", trial.UnitP99, "", true, slowTasks, latencyMeasures},
		{Query, "time of a query against the stored points", trial.UnitScan, "query", false, queryTasks, queryMeasures},
		{Selectivity, "time of a query against the share of the points that it asks for", trial.UnitScan, "query", false, shareTasks, queryMeasures},
		{Alert, "delay from a breach to detection and to the webhook, idle and under load", trial.UnitDetect, "alerting", false, alertTasks, alertMeasures},
		{Loss, "what kill -9 under load loses, and how soon the server is back", trial.UnitReady, "", false, lossTasks, lossMeasures},
		{Knee, "the highest rate that keeps " + trial.DefaultSLO, trial.UnitKnee, "", false, kneeTasks, kneeMeasures},
		{Freshness, "how soon an accepted sample is in answers to queries", trial.UnitFreshP50, "", false, freshnessTasks, freshnessMeasures},
		{Mixed, "queries and ingest beside each other", trial.UnitQueryP50, "", false, mixedTasks, mixedMeasures},
		{Overload, "goodput and recovery at ten times a capacity that was lowered first", trial.UnitGoodputShare, "", false, overloadTasks, overloadMeasures},
		{Durable, "what a queue that survives a crash costs and buys", trial.UnitRPS, "", false, durableTasks, durableMeasures},
		{Ladder, "what every component's mechanism buys, alone and on top of the others", trial.UnitRPS, "", false, ladderTasks, ladderMeasures},
	}
}

// Headline returns the unit that tells an experiment in one figure.
func Headline(name string) string { return lookup(name).headline }

// Names returns the experiments in the order of the report.
func Names() []string {
	var names []string
	for _, e := range catalogue() {
		names = append(names, e.name)
	}
	return names
}

// About returns what an experiment measures, in a few words.
func About(name string) string { return lookup(name).about }

func lookup(name string) entry {
	all := catalogue()
	i := slices.IndexFunc(all, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{name: name}
	}
	return all[i]
}
