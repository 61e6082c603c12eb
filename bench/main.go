// Bench measures the two modes of the server against each other: fresh processes,
// interleaved trials, paired statistics, and a report under results/.
//
//	go run ./bench                  # quick profile, under four minutes
//	go run ./bench -profile full    # under 25 minutes, for citing
//	go run ./bench -only query      # one experiment
//
// It starts bin/server and bin/loadgen, which `make build` builds. What it stores
// and how to read it is told in results/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/trial"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // could not run
	exitUsage       = 2
	exitNotValid    = 3 // noisy, or a claim withheld
	exitLost        = 4 // a server lost accepted samples
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action returns, so that a second one ends
	// the program at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v\nrun 'bench -h' for the flags\n", err)
		return exitUsage
	}
	code, err := bench(ctx, o, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
	}
	return code
}

// bench measures and reports. A run that is interrupted or breaks off still leaves
// a report of the trials it has.
func bench(ctx context.Context, o options, stdout, stderr io.Writer) (code int, err error) {
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
		Schema: experiment.SchemaVersion, Name: o.name, Profile: o.profile, Seed: o.seed,
		Conditions: experiment.Describe(ctx, harness, o.command),
	}
	if err := harness.Placement.Adopt(); err != nil {
		harness.Placement = trial.Placement{Why: fmt.Sprintf("not pinned: %v", err)}
		result.Conditions.Placement = harness.Placement
	}
	failure := measure(ctx, o, harness, result, stderr)
	if len(result.Trials) == 0 {
		return codeOf(result, failure), failure
	}
	dir, err := publish(store, result, stdout)
	if err != nil {
		return exitFailed, errors.Join(failure, err)
	}
	fmt.Fprintf(stdout, "report: %s\n", filepath.Join(dir, "report.md"))
	code = codeOf(result, failure)
	if code == exitInterrupted {
		failure = nil // the report says so
	}
	return code, failure
}

// measure runs the plan and fills in the result.
func measure(ctx context.Context, o options, h *trial.Harness, result *experiment.Run, stderr io.Writer) error {
	plan := experiment.NewPlan(o.profile, o.seed)
	p := newProgress(stderr, plan)
	p.announce(result.Conditions)
	runner := experiment.Runner{Plan: plan, Measurer: h, Observe: p.observe}
	result.Start = time.Now().UTC()
	trials, err := runner.Run(ctx)
	result.End = time.Now().UTC()
	p.finish()
	result.Trials, result.Interrupted = trials, err != nil
	if result.Name == "" {
		result.Name = result.Start.Format("20060102-150405") + "-" + result.Conditions.ShortCommit()
	}
	result.Conclude()
	return err
}

func publish(store *report.Store, result *experiment.Run, stdout io.Writer) (string, error) {
	dir, err := store.Publish(result)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(stdout, "\n%s\n\n", report.Sentence(result))
	return dir, report.WriteTable(stdout, result)
}

func codeOf(result *experiment.Run, failure error) int {
	switch {
	case errors.Is(failure, context.Canceled):
		return exitInterrupted
	case failure != nil:
		return exitFailed
	case result.Lost() > 0:
		return exitLost
	case !result.Valid():
		return exitNotValid
	}
	return exitOK
}
