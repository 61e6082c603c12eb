package trial

import (
	"context"
	"errors"
	"time"
)

// Spec is one kind of trial with its parameters. The same spec, arm and seed make
// the same trial as far as a machine allows.
type Spec interface {
	// Run runs one trial of the arm in a fresh process with fresh data. The error is
	// that of a trial that could not be run at all, or ctx's; whatever else went
	// wrong voids the result.
	Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error)
	// Estimate is about how long one trial takes.
	Estimate() time.Duration
	// Space is about what it writes to disk.
	Space() Space
}

// What starting and stopping processes takes beside a trial's window.
const processOverhead = 150 * time.Millisecond

// ErrForeign is returned when a kind of trial needs to know more of a server than a
// foreign arm tells.
var ErrForeign = errors.New("this kind of trial needs a server of ours")

// ErrLoadArgs is returned by a kind of trial that offers its load itself, to which an
// arm's flags of the load generator would mean nothing.
var ErrLoadArgs = errors.New("this kind of trial takes no flags of the load generator")

// newResult begins the result of a trial.
func newResult(arm Arm, seed uint64) Result {
	return Result{Arm: arm.Name, Start: time.Now().UTC(), Seed: seed, Values: map[string]float64{}}
}

// runIn runs one trial in a directory of its own and keeps the time.
func (h *Harness) runIn(arm Arm, seed uint64, run func(r *Result, dir string) error) (Result, error) {
	if arm.Foreign() {
		return newResult(arm, seed), ErrForeign
	}
	return h.runAny(arm, seed, run)
}

// runAny is runIn for kinds of trial that foreign arms can go through, too.
func (h *Harness) runAny(arm Arm, seed uint64, run func(r *Result, dir string) error) (Result, error) {
	r := newResult(arm, seed)
	err := h.inDir(func(dir string) error { return run(&r, dir) })
	r.Void = h.shown(r.Void)
	r.Seconds = time.Since(r.Start).Seconds()
	return r, err
}
