package knee

import (
	"fmt"
	"slices"

	"phase0/loadgen/schedule"
	"phase0/loadgen/slo"
)

// Defaults and ranges of a Config.
const (
	defaultFrom      = 100
	defaultPrecision = 0.05
	defaultConfirm   = 3

	lowest       = 1 // rps; no lower rate is offered
	minPrecision = 0.01
	maxPrecision = 1
	maxConfirm   = 9

	// defaultErr limits err when no objective does. Without it a server that sheds
	// load would pass at any rate, since only accepted answers have a response time.
	defaultErr = "err<=0.1%"
)

// Config is what to search for. Zero values stand for the defaults.
type Config struct {
	// Objectives that a run must keep. "err<=0.1%" is added unless one limits err.
	Objectives []slo.Objective
	From       float64 // the first rate, 1 to Max rps; 100 by default, or Max when that is lower
	Max        float64 // the highest rate, 1 to schedule.MaxRate, the default
	// Precision is the relative width of the bracket, 0.01 to 1; 0.05 by default.
	Precision float64
	// Confirm is how many runs vote on an end of the bracket, after the one that
	// scouted it: odd, 1 to 9, 3 by default. No more follow once a majority is reached.
	Confirm int
	// Seed is the first run's; the others count up from it.
	Seed uint64
	// Progress, if set, is called after every run.
	Progress func(Step)
}

// Step is the state of a search after a run.
type Step struct {
	Point Point // the run
	// LastPass and FirstFail are the bracket so far, 0 while there is none.
	LastPass, FirstFail float64
}

// complete returns cfg with defaults, or an error that names the first value out
// of range.
func (cfg Config) complete() (Config, error) {
	fill(&cfg.Max, schedule.MaxRate)
	fill(&cfg.From, min(defaultFrom, cfg.Max))
	fill(&cfg.Precision, defaultPrecision)
	fill(&cfg.Confirm, defaultConfirm)
	switch {
	case !(cfg.Max >= lowest && cfg.Max <= schedule.MaxRate):
		return cfg, fmt.Errorf("plan search: highest rate %v is outside %d to %d requests per second", cfg.Max, lowest, schedule.MaxRate)
	case !(cfg.From >= lowest && cfg.From <= cfg.Max):
		return cfg, fmt.Errorf("plan search: first rate %v is outside %d to %v requests per second", cfg.From, lowest, cfg.Max)
	case !(cfg.Precision >= minPrecision && cfg.Precision <= maxPrecision):
		return cfg, fmt.Errorf("plan search: precision %v is outside %v to %d", cfg.Precision, minPrecision, maxPrecision)
	case cfg.Confirm < 1 || cfg.Confirm > maxConfirm || cfg.Confirm%2 == 0:
		return cfg, fmt.Errorf("plan search: %d runs to confirm; it must be an odd number from 1 to %d", cfg.Confirm, maxConfirm)
	}
	limitsErr := func(o slo.Objective) bool { return o.Metric() == "err" }
	if !slices.ContainsFunc(cfg.Objectives, limitsErr) {
		added, err := slo.Parse(defaultErr)
		if err != nil {
			return cfg, err
		}
		cfg.Objectives = slices.Concat(cfg.Objectives, added)
	}
	return cfg, nil
}

func fill[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// majority is how many equal rulings decide.
func (cfg Config) majority() int { return cfg.Confirm/2 + 1 }
