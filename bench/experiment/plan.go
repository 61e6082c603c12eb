package experiment

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"phase0/bench/trial"
)

// The arms. An arm's name is its key in stored trials.
const (
	ArmSingle      = "single"
	ArmConcurrent  = "concurrent"
	ArmAgain       = "concurrent-aa" // the same as concurrent, as a control
	ArmNoKeepAlive = "concurrent-no-keepalive"
)

func arm(name string) trial.Arm {
	a := trial.Arm{Name: name, ServerArgs: []string{"-mode", Mode(name)}}
	if name == ArmNoKeepAlive {
		a.LoadArgs = []string{"-keepalive=false"}
	}
	return a
}

// Mode returns the server's mode behind an arm.
func Mode(arm string) string {
	if arm == ArmSingle {
		return "single"
	}
	return "concurrent"
}

// Task is one measurement, made with every one of its arms.
type Task struct {
	Experiment string
	Case       string // "rate=200"; empty where there is only one
	Arms       []trial.Arm
	// Blocks is how often the task is repeated.
	Blocks int

	// Exactly one of these is set.
	Load  *trial.Load
	Query *trial.Query
	Alert *trial.Alert
}

// spec returns the kind of trial; nil where the arms run together.
func (t *Task) spec() trial.Spec {
	switch {
	case t.Load != nil:
		return t.Load
	case t.Query != nil:
		return t.Query
	}
	return nil
}

// Step is one entry of the order of a run: one trial, or for alerts the trials of
// all arms at once.
type Step struct {
	Task  *Task
	Block int // from 1
	Arm   int // index in Task.Arms; unused for alerts
}

// Plan is what a run will do.
type Plan struct {
	Profile Profile
	Seed    uint64
	Tasks   []*Task
	Steps   []Step
}

// NewPlan returns the plan of a profile. The order depends on nothing but both
// arguments.
func NewPlan(p Profile, seed uint64) Plan {
	plan := Plan{Profile: p, Seed: seed, Tasks: tasks(p)}
	for block := 1; block <= p.Pairs; block++ {
		plan.Steps = append(plan.Steps, plan.block(block, plan.Tasks)...)
	}
	return plan
}

func tasks(p Profile) []*Task {
	modes := []trial.Arm{arm(ArmSingle), arm(ArmConcurrent)}
	var all []*Task
	add := func(t *Task) {
		if p.includes(t.Experiment) {
			all = append(all, t)
		}
	}
	capacity := []trial.Arm{arm(ArmSingle), arm(ArmConcurrent), arm(ArmAgain)}
	if p.NoKeepAlive {
		capacity = append(capacity, arm(ArmNoKeepAlive))
	}
	load := trial.Load{Connections: p.Connections, Warmup: p.Warmup, Window: p.Window}
	add(&Task{Experiment: Ingest, Arms: capacity, Blocks: p.Pairs, Load: &load})
	for _, rate := range p.Rates {
		open := load
		open.Rate, open.Window = rate, p.windowAt(rate)
		add(&Task{Experiment: Response, Case: fmt.Sprintf("rate=%d", rate), Arms: modes, Blocks: p.Pairs, Load: &open})
	}
	slow := load
	slow.Rate, slow.Window, slow.SlowClient = p.SlowRate, p.windowAt(p.SlowRate), true
	slow.Connections = p.SlowConnections
	add(&Task{Experiment: SlowClient, Case: fmt.Sprintf("rate=%d", p.SlowRate), Arms: modes, Blocks: p.Pairs, Load: &slow})
	for _, n := range p.PointCounts {
		q := trial.Query{Points: trial.Points{N: n}, Queries: Queries(n), Warmup: 2}
		add(&Task{Experiment: Query, Case: fmt.Sprintf("points=%d", n), Arms: modes, Blocks: p.Pairs, Query: &q})
	}
	a := trial.Alert{Probes: p.AlertProbes, Interval: p.AlertInterval}
	add(&Task{Experiment: Alert, Arms: modes, Blocks: min(p.AlertTrials, p.Pairs), Alert: &a})
	return all
}

// Queries is how many queries a trial times on a file of n points: enough for a few
// hundred milliseconds, in which the machine's CPU times can be told apart.
func Queries(n int) int { return min(1001, max(11, 1_000_000/max(1, n)+1)) }

// block returns one block over the given tasks: tasks in random order, and the
// arms of each in random order next to each other, so that a slow drift of the
// machine hits both sides of a pair.
func (p Plan) block(block int, tasks []*Task) []Step {
	rng := rand.New(rand.NewPCG(p.Seed, uint64(block)))
	var steps []Step
	for _, i := range rng.Perm(len(tasks)) {
		task := tasks[i]
		order := rng.Perm(len(task.Arms))
		if block > task.Blocks && block <= p.Profile.Pairs {
			continue
		}
		if task.Alert != nil {
			order = order[:1] // its arms run together
		}
		for _, a := range order {
			steps = append(steps, Step{Task: task, Block: block, Arm: a})
		}
	}
	return steps
}

// trialSeed is the same for all arms of a task in one block, so that a pair sees
// the same load.
func (p Plan) trialSeed(s Step) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d %s %s", p.Seed, s.Block, s.Task.Experiment, s.Task.Case)
	return h.Sum64() >> 1 // tools with signed numbers read it too
}

// Estimate returns about how long the step takes.
func (s Step) Estimate() time.Duration {
	if s.Task.Alert != nil {
		return s.Task.Alert.Estimate()
	}
	return s.Task.spec().Estimate()
}

// Estimate returns about how long the plan takes.
func (p Plan) Estimate() time.Duration { return estimate(p.Steps) }

func estimate(steps []Step) time.Duration {
	var sum time.Duration
	for _, s := range steps {
		sum += s.Estimate()
	}
	return sum
}

// String names the step in a progress line.
func (s Step) String() string {
	name := s.Task.Experiment
	if s.Task.Case != "" {
		name += " " + s.Task.Case
	}
	if s.Task.Alert != nil {
		return name + ", all arms"
	}
	return name + ", " + s.Task.Arms[s.Arm].Name
}
