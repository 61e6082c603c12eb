package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"phase0/scripts/lab"
)

const help = `Platform measures the server's mechanisms on this machine; scripts/platform.sh starts it.

usage: platform [flags]

  -only a,b         only these of single, batch, scan, overload, slow, grid
  -rounds N         runs of each arm in each experiment, 1 to 50 (5)
  -seconds S        length of a counted window, 1 to 600 (5)
  -overload S       for how long overload is offered, 1 to 600 (60)
  -points N         points in the large file to scan, 100000 to 100000000 (10000000)
  -add              add the rounds to those that platform.json has of these experiments,
                    at the same commit with the same flags; otherwise they replace them.
                    What it has of other experiments is kept in any case
  -seed N           of orders, data and load (1)
  -out DIR          where platform.json, platform.md and plots go (results/platform)
  -bin DIR          holds server, loadgen and bareserver (bin)
  -list             say which other databases are there, and end

exit status: 0 all targets that were measured are reached, 1 could not run, 2 usage,
3 all runs of an experiment are void, 4 accepted samples were lost, 5 a target is missed,
130 interrupted
`

// Exit codes beside those of lab.
const (
	exitNotValid = 3
	exitLost     = 4
	exitMissed   = 5
)

var (
	errNotValid = errors.New("all runs of an experiment are void")
	errLost     = errors.New("accepted samples were lost")
	errMissed   = errors.New("not every target is reached")
)

// options is the command line.
type options struct {
	only                              []string
	rounds, seconds, overload, points int
	seed                              uint64
	out, bin                          string
	list, add                         bool
	firstRound                        int // with -add, how many there are already
}

func main() { lab.Main(lab.Program{Name: "platform", Help: help, Start: start, Codes: codes()}) }

func codes() lab.Codes {
	return lab.Codes{{Err: errNotValid, Code: exitNotValid}, {Err: errLost, Code: exitLost}, {Err: errMissed, Code: exitMissed}}
}

func parseOptions(args []string) (options, error) {
	var o options
	var only string
	fs := flag.NewFlagSet("platform", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&only, "only", strings.Join(experiments(), ","), "")
	fs.IntVar(&o.rounds, "rounds", 5, "")
	fs.IntVar(&o.seconds, "seconds", 5, "")
	fs.IntVar(&o.overload, "overload", 60, "")
	fs.IntVar(&o.points, "points", 10_000_000, "")
	fs.Uint64Var(&o.seed, "seed", 1, "")
	fs.StringVar(&o.out, "out", "results/platform", "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	fs.BoolVar(&o.add, "add", false, "")
	fs.BoolVar(&o.list, "list", false, "")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	}
	var err error
	if o.only, err = lab.Choose("-only", only, experiments()); err != nil {
		return o, err
	}
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"rounds", o.rounds, 1, 50}, {"seconds", o.seconds, 1, 600}, {"overload", o.overload, 1, 600},
		{"points", o.points, smallPoints, 100_000_000},
	} {
		if f.value < f.low || f.value > f.high {
			return o, fmt.Errorf("%w: -%s %d is outside %d to %d", lab.ErrUsage, f.name, f.value, f.low, f.high)
		}
	}
	return o, nil
}

func start(ctx context.Context, args []string, stdout, _ io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "platform-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left lies among temporary files
	r := &rig{options: o, placement: lab.Plan(), dir: scratch}
	found := r.look(ctx, stdout)
	if o.list {
		return nil
	}
	if err := r.check(); err != nil {
		return err
	}
	if err := r.placement.Adopt(); err != nil {
		return err
	}
	result, err := prepare(&r.options, found, lab.Describe(ctx, scratch, r.placement, append([]string{"platform"}, args...)))
	if err != nil {
		return err
	}
	if err := r.perform(ctx, plan(r.options, r.present), result, stdout); err != nil {
		return err
	}
	return conclude(o.out, result, stdout)
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
	fmt.Fprintf(stdout, "written: %s\n", filepath.Join(out, "platform.md"))
	switch {
	case result.interrupted:
		return lab.ErrInterrupted
	case result.lost() > 0:
		return errLost
	case result.allVoid():
		return errNotValid
	case result.missed():
		return errMissed
	}
	return nil
}

// attempts is how often a run is done at most, when other programs disturb it.
const attempts = 3

// perform does the jobs one after the other until they are done or the context
// ends.
func (r *rig) perform(ctx context.Context, jobs []job, result *report, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s\n%d runs, about %v\n", r.placement.Why, len(jobs), r.options.estimate(jobs))
	taken := 0
	for i, j := range jobs {
		for range attempts {
			done := r.one(ctx, j)
			if ctx.Err() != nil {
				break
			}
			result.take(done)
			taken++
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
	if taken == 0 {
		return fmt.Errorf("%w before the first run ended", lab.ErrInterrupted)
	}
	return nil
}
