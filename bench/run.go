package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/trial"
)

// runCommand measures and reports. A run that is interrupted or breaks off still
// leaves a report of the trials it has.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (code int, err error) {
	o, err := parseRun(args, stdout)
	if err != nil {
		return exitUsage, err
	}
	harness, err := o.harness()
	if err != nil {
		return exitFailed, err
	}
	store, err := report.Open(o.out, o.name)
	if err != nil {
		return exitFailed, err
	}
	defer func() {
		if closing := store.Close(); closing != nil && err == nil {
			code, err = exitFailed, closing
		}
	}()
	if harness.Dir, err = store.DataDir(); err != nil {
		return exitFailed, err
	}
	result := &experiment.Run{
		Schema: experiment.SchemaVersion, Name: o.name, Profile: o.profile, Arms: o.arms, Seed: o.seed,
		Conditions: experiment.Describe(ctx, harness, o.command),
	}
	plan := experiment.NewPlan(o.profile, o.arms, o.seed)
	if err := store.Require(plan.Space()); err != nil {
		return exitFailed, err
	}
	if err := harness.Placement.Adopt(); err != nil {
		harness.Placement = trial.Placement{Why: fmt.Sprintf("not pinned: %v", err)}
		result.Conditions.Placement = harness.Placement
	}
	failure := measure(ctx, o, plan, harness, result, stderr)
	if len(result.Trials) == 0 {
		code = codeOf(result, failure)
		if code == exitInterrupted {
			failure = errors.New("interrupted before the first trial had ended: there is nothing to report")
		}
		return code, failure
	}
	dir, err := publish(store, result, stdout)
	if err != nil {
		return exitFailed, errors.Join(failure, err)
	}
	fmt.Fprintf(stdout, "report: %s\n", filepath.Join(dir, "report.html"))
	code = codeOf(result, failure)
	if code == exitInterrupted {
		failure = nil // the report says so
	}
	return code, failure
}

// measure runs the plan and fills in the result.
func measure(ctx context.Context, o options, plan experiment.Plan, h *trial.Harness, result *experiment.Run, stderr io.Writer) error {
	if len(plan.Steps) == 0 {
		return errors.New("nothing to measure: these arms cannot take part in these experiments; the ladder needs two of our own that differ, and other servers take part in ingest, response and slow-client only")
	}
	p := newProgress(stderr, plan, o.progress)
	p.announce(result.Conditions)
	if err := probe(ctx, h, o.arms); err != nil {
		return err
	}
	runner := experiment.Runner{Plan: plan, Measurer: h, Observe: p.observe}
	result.Start = time.Now().UTC()
	trials, err := runner.Run(ctx)
	result.End = time.Now().UTC()
	p.finish()
	result.Trials, result.Interrupted = trials, err != nil
	if err != nil && ctx.Err() == nil {
		// The directory is gone when somebody reads this.
		result.Stopped = strings.ReplaceAll(err.Error(), h.Dir, "DIR")
	}
	if result.Name == "" {
		result.Name = result.Start.Format("20060102-150405") + "-" + result.Conditions.ShortCommit()
	}
	result.Conclude()
	return err
}

// probe starts every arm once, so that one that cannot run is known before minutes
// are spent on the others.
func probe(ctx context.Context, h *trial.Harness, arms []trial.Arm) error {
	for _, a := range arms {
		err := h.Probe(ctx, a)
		if ctx.Err() != nil {
			return ctx.Err() // whatever else it looks like: a child was interrupted, too
		}
		if err != nil {
			return fmt.Errorf("arm %s: %w", a.Name, err)
		}
	}
	return nil
}

func publish(store *report.Store, result *experiment.Run, stdout io.Writer) (string, error) {
	dir, err := store.Publish(result)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(stdout, "\n%s\n\n", report.Sentence(result))
	return dir, report.WriteTable(stdout, result, report.Colorful(stdout))
}

func codeOf(result *experiment.Run, failure error) int {
	switch {
	case errors.Is(failure, context.Canceled):
		return exitInterrupted
	case failure != nil:
		return exitFailed
	case result.Lost() > 0 || result.Duplicated() > 0:
		return exitLost
	case !result.Valid():
		return exitNotValid
	}
	return exitOK
}
