package main

import (
	"math/rand/v2"
	"time"
)

// arm is a queue and its sync policy.
type arm struct {
	name string
	sync string // -sync of the durable queue; empty for the one in memory
	// risk is what was accepted and a power failure may take.
	risk string
	// place is where the arm stands on the plot's axis, as a duration; 0 not at all.
	place time.Duration
}

// Of nothing and of everything the axis, which is logarithmic, has no place: these two are
// for show, and labelled with words.
const (
	placeNothing    = 100 * time.Microsecond
	placeEverything = time.Second
)

func arms() []arm {
	return []arm{
		{name: "bounded", risk: "all that the system has not written"},
		{name: "always", sync: "always", risk: "nothing", place: placeNothing},
		{name: "interval=1ms", sync: "interval=1ms", risk: "the last 1 ms", place: time.Millisecond},
		{name: "interval=10ms", sync: "interval=10ms", risk: "the last 10 ms", place: 10 * time.Millisecond},
		{name: "interval=100ms", sync: "interval=100ms", risk: "the last 100 ms", place: 100 * time.Millisecond},
		{name: "none", sync: "none", risk: "all that the system has not written", place: placeEverything},
	}
}

const (
	armBounded = "bounded"
	armAlways  = "always"
)

// flags of the server.
func (a arm) flags() []string {
	if a.sync == "" {
		return []string{"-mode", "concurrent"}
	}
	return []string{"-mode", "concurrent", "-queue", "wal", "-sync", a.sync}
}

// Names of the loads.
const (
	loadSingle = "single" // closed loop, one sample per request
	loadBatch  = "batch"  // closed loop
	loadSteady = "steady" // open loop at a moderate rate
)

func loads() []string { return []string{loadSingle, loadBatch, loadSteady} }

// The fixed parts.
const (
	connections = 64
	batchSize   = 1000
	warmup      = 300 * time.Millisecond
	// margin is for how long load is offered before and after the counted window.
	margin = 150 * time.Millisecond
)

// samples is how many a request carries.
func samples(load string) int {
	if load == loadBatch {
		return batchSize
	}
	return 1
}

// job is one run to come.
type job struct {
	Arm   string `json:"arm"`
	Load  string `json:"load"`
	Round int    `json:"round"`
	arm   arm
}

// plan lists all runs; within a round the order is random, from the seed.
func plan(o options) []job {
	random := rand.New(rand.NewPCG(o.seed, 0))
	var all []job
	for round := range o.rounds {
		var jobs []job
		for _, load := range loads() {
			for _, a := range arms() {
				jobs = append(jobs, job{Arm: a.name, Load: load, Round: round, arm: a})
			}
		}
		random.Shuffle(len(jobs), func(i, k int) { jobs[i], jobs[k] = jobs[k], jobs[i] })
		all = append(all, jobs...)
	}
	return all
}

// perRun is about what starting, stopping and reading back takes.
const perRun = time.Second

func (o options) estimate(jobs []job) time.Duration {
	each := time.Duration(o.seconds)*time.Second + warmup + 2*margin + perRun
	return (time.Duration(len(jobs)) * each).Round(time.Second)
}
