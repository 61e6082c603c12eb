package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"phase0/scripts/lab"
)

const help = `Durability measures what the durable queue costs; scripts/durability.sh starts it.

usage: durability [flags]

  -rounds N     runs of each arm under each load, 1 to 50 (6)
  -seconds S    length of a counted window, 1 to 600 (1)
  -rate RPS     of the moderate load, 100 to 100000 (2000)
  -dir DIR      on whose disk the data is put (the directory for temporary files)
  -seed N       of orders and load (1)
  -out DIR      where durability.json, durability.md and the plot go (results/durability)
  -bin DIR      holds server and loadgen (bin)

exit status: 0 all targets are reached, 1 could not run, 2 usage, 3 all runs of an arm under
a load are void, 4 accepted samples were lost, 5 a target is missed, 130 interrupted
`

// Exit codes beside those of lab.
const (
	exitNotValid = 3
	exitLost     = 4
	exitMissed   = 5
)

var (
	errNotValid = errors.New("all runs of an arm under a load are void")
	errLost     = errors.New("accepted samples were lost")
	errMissed   = errors.New("not every target is reached")
)

// options is the command line.
type options struct {
	rounds, seconds, rate int
	seed                  uint64
	dir, out, bin         string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := start(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil:
		return
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(help)
		return
	}
	fmt.Fprintf(os.Stderr, "durability: %v\n", err)
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, lab.ErrUsage):
		return lab.ExitUsage
	case errors.Is(err, lab.ErrInterrupted):
		return lab.ExitInterrupted
	case errors.Is(err, errNotValid):
		return exitNotValid
	case errors.Is(err, errLost):
		return exitLost
	case errors.Is(err, errMissed):
		return exitMissed
	}
	return lab.ExitFailed
}

func parseOptions(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("durability", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.rounds, "rounds", 6, "")
	fs.IntVar(&o.seconds, "seconds", 1, "")
	fs.IntVar(&o.rate, "rate", 2000, "")
	fs.StringVar(&o.dir, "dir", os.TempDir(), "")
	fs.Uint64Var(&o.seed, "seed", 1, "")
	fs.StringVar(&o.out, "out", "results/durability", "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	}
	for _, f := range []struct {
		name             string
		value, low, high int
	}{{"rounds", o.rounds, 1, 50}, {"seconds", o.seconds, 1, 600}, {"rate", o.rate, 100, 100_000}} {
		if f.value < f.low || f.value > f.high {
			return o, fmt.Errorf("%w: -%s %d is outside %d to %d", lab.ErrUsage, f.name, f.value, f.low, f.high)
		}
	}
	return o, nil
}

func start(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(o.dir, "durability-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left lies among temporary files
	r := &rig{options: o, placement: lab.Plan(), dir: scratch}
	if err := r.check(); err != nil {
		return err
	}
	if err := r.placement.Adopt(); err != nil {
		return err
	}
	result := &report{
		Schema: schema, Conditions: lab.Describe(ctx, scratch, r.placement, append([]string{"durability"}, args...)),
		Seconds: o.seconds, Rate: o.rate, Seed: o.seed,
	}
	if result.Disk, err = probe(scratch); err != nil {
		return err
	}
	if err := r.perform(ctx, plan(o), result, stdout); err != nil {
		return err
	}
	return conclude(o.out, result, stdout)
}

// attempts is how often a run is done at most, when other programs disturb it.
const attempts = 3

// perform does the jobs one after the other until they are done or the context ends.
func (r *rig) perform(ctx context.Context, jobs []job, result *report, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s\na sync of this disk takes %s\n%d runs, about %v\n", r.placement.Why, show(unitSyncTime, result.Disk), len(jobs), r.options.estimate(jobs))
	for i, j := range jobs {
		for range attempts {
			done := r.one(ctx, j)
			if ctx.Err() != nil {
				break
			}
			result.Runs = append(result.Runs, done)
			fmt.Fprintf(stdout, "%3d/%d  %v left  %s\n", i+1, len(jobs), r.options.estimate(jobs[i+1:]), done)
			if done.Machine.Disturbed() == "" {
				break
			}
		}
		if ctx.Err() != nil {
			result.interrupted = true
			break
		}
	}
	if len(result.Runs) == 0 {
		return fmt.Errorf("%w before the first run ended", lab.ErrInterrupted)
	}
	return nil
}

// conclude judges, writes and prints.
func conclude(out string, result *report, stdout io.Writer) error {
	result.Targets = judge(result)
	if err := write(out, result); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	for _, t := range result.Targets {
		fmt.Fprintln(stdout, t)
	}
	fmt.Fprintf(stdout, "written: %s\n", filepath.Join(out, "durability.md"))
	switch {
	case result.interrupted:
		return lab.ErrInterrupted
	case result.lost():
		return errLost
	case result.allVoid():
		return errNotValid
	case result.missed():
		return errMissed
	}
	return nil
}
