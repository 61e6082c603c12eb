package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"phase0/server/platform"
)

// Names of the experiments.
const (
	singleSample = "single"
	batches      = "batch"
	scanning     = "scan"
	overloading  = "overload"
	slowClients  = "slow"
	gridding     = "grid"
)

func experiments() []string {
	return []string{singleSample, batches, scanning, overloading, slowClients, gridding}
}

// Names of the arms.
const (
	armConcurrent = "concurrent"
	armGenerated  = "concurrent, 8 series" // what loadgen -batch sends
	armBare       = "bareserver"
	armVictoria   = "victoria-metrics"
	armInflux     = "influxdb"
	armParallel   = "parallel"
	armScan       = "scan"
	armGrep       = "grep"
	armDrip       = "drip"
	armClaim      = "claim"
	armBoth       = "drip and claim"
)

// Cases of scanning.
const (
	caseFull    = "all points"
	caseSmall   = "small file"
	casePercent = "one series"
)

// The fixed parts of the experiments.
const (
	connections   = 64
	batchSize     = 1000
	slowRate      = 2000
	slowClientsOf = 200 // of each kind
	warmup        = time.Second
	// margin is for how long load is offered before and after the counted window.
	margin = 500 * time.Millisecond
)

// job is one run to come.
type job struct {
	Experiment string `json:"experiment"`
	Arm        string `json:"arm"`
	Case       string `json:"case,omitempty"`
	Round      int    `json:"round"`
	Order      int    `json:"order"` // within the experiment
	shape      shape
}

// shape is the load of an ingest run.
type shape struct{ connections, samples, series int }

func (s shape) String() string {
	return fmt.Sprintf("%d connections, %d per request, %d series", s.connections, s.samples, s.series)
}

// grid lists all shapes of that experiment.
func grid() []shape {
	var all []shape
	for _, samples := range []int{1, batchSize} {
		for _, series := range []int{1, 100_000} {
			for _, c := range []int{1, 16, 64} {
				all = append(all, shape{c, samples, series})
			}
		}
	}
	return all
}

// oneRound lists the runs of one round of an experiment; present tells which of the
// other programs are there.
func oneRound(experiment string, present func(arm string) bool) []job {
	var jobs []job
	add := func(arm, which string, s shape) {
		if present(arm) {
			jobs = append(jobs, job{Experiment: experiment, Arm: arm, Case: which, shape: s})
		}
	}
	switch experiment {
	case singleSample:
		for _, arm := range []string{armConcurrent, armBare, armVictoria, armInflux} {
			add(arm, "", shape{connections, 1, 10})
		}
	case batches:
		for _, arm := range []string{armConcurrent, armGenerated, armVictoria, armInflux} {
			add(arm, "", shape{connections, batchSize, batchSize})
		}
	case scanning:
		for _, arm := range []string{armParallel, armScan} {
			for _, which := range []string{caseFull, caseSmall, casePercent} {
				add(arm, which, shape{})
			}
		}
		add(armGrep, caseFull, shape{})
	case overloading:
		add(armConcurrent, "", shape{})
	case slowClients:
		for _, arm := range []string{armDrip, armClaim, armBoth} {
			add(arm, "", shape{})
		}
	case gridding:
		for _, s := range grid() {
			add(armConcurrent, s.String(), s)
		}
	}
	return jobs
}

// neighbours moves the later of two arms right behind the other. They are compared pair by
// pair to some percent, and a machine drifts by more than that while two databases are
// measured in between.
func neighbours(jobs []job, a, b string) {
	first := slices.IndexFunc(jobs, func(j job) bool { return j.Arm == a || j.Arm == b })
	if first < 0 {
		return
	}
	for i := first + 1; i < len(jobs); i++ {
		if other := jobs[i]; other.Arm != jobs[first].Arm && (other.Arm == a || other.Arm == b) {
			copy(jobs[first+2:i+1], jobs[first+1:i])
			jobs[first+1] = other
			return
		}
	}
}

// plan lists all runs. Within a round the order is random, from the seed and the
// first round's number.
func plan(o options, present func(arm string) bool) []job {
	random := rand.New(rand.NewPCG(o.seed, uint64(o.firstRound)))
	var all []job
	for _, experiment := range experiments() {
		if !slices.Contains(o.only, experiment) {
			continue
		}
		order := 0
		for round := range o.rounds {
			jobs := oneRound(experiment, present)
			random.Shuffle(len(jobs), func(i, k int) { jobs[i], jobs[k] = jobs[k], jobs[i] })
			neighbours(jobs, armConcurrent, armBare)
			for _, j := range jobs {
				j.Round, j.Order = o.firstRound+round, order
				order++
				all = append(all, j)
			}
		}
	}
	return all
}

// perRun is about what starting, stopping and counting takes.
const perRun = 1500 * time.Millisecond

// length is about how long a run takes.
func (o options) length(j job) time.Duration {
	window := time.Duration(o.seconds) * time.Second
	full := time.Duration(o.points) * time.Second / 10_000_000
	switch {
	case j.Experiment == overloading:
		return time.Duration(o.overload)*time.Second + window + 15*time.Second
	case j.Experiment == slowClients:
		return (2*turns+1)*window + turns*platform.Defaults().ReadTimeout + warmup + perRun
	case j.Arm == armScan && j.Case != caseSmall:
		return 20*full + perRun
	case j.Experiment == scanning:
		return 6*full + perRun
	}
	return window + warmup + 2*margin + perRun
}

func (o options) estimate(jobs []job) time.Duration {
	var sum time.Duration
	for _, j := range jobs {
		sum += o.length(j)
	}
	return sum.Round(time.Second)
}
