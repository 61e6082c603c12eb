package experiment

import (
	"context"
	"fmt"
	"time"

	"phase0/bench/trial"
)

// maxExtraBlocks bounds the blocks that make up for void trials.
const maxExtraBlocks = 2

// Measurer runs single trials; a *trial.Harness is one.
type Measurer interface {
	Run(ctx context.Context, spec trial.Spec, arm trial.Arm, seed uint64) (trial.Result, error)
}

// Event tells how far a run is. Observers get one before every step, and one after
// it with Result set.
type Event struct {
	Step  Step
	Index int // from 1
	Total int // grows when void trials are made up for
	// Left is about how long the rest of the run will take.
	Left   time.Duration
	Result *trial.Result
}

// Runner runs the steps of a plan.
type Runner struct {
	Plan     Plan
	Measurer Measurer
	// Observe is called in the runner's goroutine; nil is allowed.
	Observe func(Event)

	trials  []trial.Result
	began   time.Time
	done    int
	planned time.Duration // estimate of the steps that are done
	pending []Step
}

// Run runs the plan and returns all trials, void ones included, in the order they
// ran. When ctx ends or a trial cannot be run it returns those it has, and the
// error.
func (r *Runner) Run(ctx context.Context) ([]trial.Result, error) {
	r.began = time.Now()
	r.pending = r.Plan.Steps
	if err := r.drain(ctx); err != nil {
		return r.trials, err
	}
	for extra := 1; extra <= maxExtraBlocks; extra++ {
		r.pending = r.makeUp(r.Plan.Profile.Pairs + extra)
		if err := r.drain(ctx); err != nil {
			return r.trials, err
		}
	}
	return r.trials, nil
}

func (r *Runner) drain(ctx context.Context) error {
	for len(r.pending) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := r.pending[0]
		r.observe(step, nil)
		result, err := r.run(ctx, step)
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // whatever else it looks like: a child that was interrupted too
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		r.pending = r.pending[1:]
		r.done++
		r.planned += step.Estimate()
		r.trials = append(r.trials, *result)
		r.observe(step, result)
	}
	return nil
}

func (r *Runner) run(ctx context.Context, s Step) (*trial.Result, error) {
	result, err := r.Measurer.Run(ctx, s.Task.Each, s.Task.Arms[s.Arm], r.Plan.trialSeed(s))
	if err != nil {
		return nil, err
	}
	result.Experiment, result.Case = s.Task.Experiment, s.Task.Case
	result.Block, result.Order = s.Block, len(r.trials)+1
	return &result, nil
}

// makeUp returns a block of the tasks that lack valid pairs, as far as the time
// limit allows.
func (r *Runner) makeUp(block int) []Step {
	var lacking []*Task
	for _, t := range r.Plan.Tasks {
		if r.completeBlocks(t) < t.Blocks {
			lacking = append(lacking, t)
		}
	}
	steps := r.Plan.block(block, lacking)
	if time.Since(r.began)+estimate(steps) > r.Plan.Profile.Limit {
		return nil
	}
	return steps
}

// completeBlocks counts the blocks in which every arm of a task has a valid
// trial.
func (r *Runner) completeBlocks(t *Task) int {
	valid := map[int]int{}
	for i := range r.trials {
		if x := &r.trials[i]; x.Experiment == t.Experiment && x.Case == t.Case && x.Valid() {
			valid[x.Block]++
		}
	}
	complete := 0
	for _, n := range valid {
		if n == len(t.Arms) {
			complete++
		}
	}
	return complete
}

func (r *Runner) observe(s Step, result *trial.Result) {
	if r.Observe == nil {
		return
	}
	index := r.done
	if result == nil {
		index++
	}
	r.Observe(Event{
		Step: s, Index: index, Total: r.done + len(r.pending), Left: r.left(), Result: result,
	})
}

// left scales the estimate of what is pending by how the estimate fared so far.
func (r *Runner) left() time.Duration {
	rest := estimate(r.pending)
	if r.planned < 10*time.Second {
		return rest
	}
	return time.Duration(float64(rest) * float64(time.Since(r.began)) / float64(r.planned))
}
