package experiment

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"phase0/bench/trial"
)

// Task is one measurement, made with every one of its arms.
type Task struct {
	Experiment string
	Case       string // "rate=200"; empty where there is only one
	// Where says the case in words, for titles: "at 200 rps".
	Where string
	Arms  []trial.Arm
	// Blocks is how often the task is repeated.
	Blocks int
	// Control marks the task whose first measure an arm is compared with itself by.
	Control bool

	Each trial.Spec
}

// Step is one entry of the order of a run: one trial.
type Step struct {
	Task  *Task
	Block int // from 1
	Arm   int // index in Task.Arms
}

// Plan is what a run will do.
type Plan struct {
	Profile Profile
	Arms    []trial.Arm // as given, the baseline first
	Seed    uint64
	Tasks   []*Task
	Steps   []Step
}

// NewPlan returns the plan of a profile over arms, of which the first is the
// baseline. The order depends on nothing but the arguments.
func NewPlan(p Profile, arms []trial.Arm, seed uint64) Plan {
	plan := Plan{Profile: p, Arms: arms, Seed: seed, Tasks: tasks(p, arms)}
	for block := 1; block <= p.Pairs; block++ {
		plan.Steps = append(plan.Steps, plan.block(block, plan.Tasks)...)
	}
	return plan
}

// tasks lists what the profile measures with the arms that can take part.
func tasks(p Profile, arms []trial.Arm) []*Task {
	var all []*Task
	for _, e := range catalogue() {
		taking := arms
		if !e.foreign {
			taking = own(arms)
		}
		if !p.includes(e.name) || len(taking) == 0 {
			continue
		}
		for _, t := range e.tasks(p, taking) {
			t.Experiment = e.name
			if t.Arms == nil {
				t.Arms = taking
			}
			if t.Blocks == 0 {
				t.Blocks = p.blocks(e.name)
			}
			all = append(all, t)
		}
	}
	return withControl(all)
}

// withControl adds the repeated arm to the first task that can have it where no task
// has one: how much identical arms differ is a question of every run.
func withControl(all []*Task) []*Task {
	if slices.ContainsFunc(all, func(t *Task) bool { return t.Control }) {
		return all
	}
	// Not alerts: their figures are means over breaches, and not pairs of trials.
	if i := slices.IndexFunc(all, func(t *Task) bool { return t.Experiment != Alert }); i >= 0 {
		all[i].Control = true
		all[i].Arms = append(slices.Clone(all[i].Arms), again(control(all[i].Arms)))
	}
	return all
}

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
	if a, ok := s.Task.Each.(trial.Alert); ok {
		return a.EstimateOf(s.Task.Arms[s.Arm])
	}
	return s.Task.Each.Estimate()
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

// Space returns about how many bytes of disk the plan needs at once: the files that are
// prepared for all trials, and what the trial that writes most adds to them.
func (p Plan) Space() int64 {
	prepared := map[trial.Points]int64{}
	var most int64
	for _, t := range p.Tasks {
		s := t.Each.Space()
		prepared[s.Prepared] = s.Prepared.Bytes()
		most = max(most, s.Bytes)
	}
	for _, bytes := range prepared {
		most += bytes
	}
	return most
}

// Name is the task's experiment and case.
func (t *Task) Name() string {
	if t.Case == "" {
		return t.Experiment
	}
	return t.Experiment + " " + t.Case
}

// String names the step in a progress line.
func (s Step) String() string {
	return s.Task.Name() + ", " + s.Task.Arms[s.Arm].Name
}
