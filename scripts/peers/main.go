package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"phase0/scripts/lab"
)

const help = `Peers compares loadgen with other HTTP load generators; scripts/peers.sh starts it.

usage: peers [flags]

  -rounds N         runs of each client in each experiment, 1 to 50 (5)
  -seconds S        length of a run where it is free, 1 to 600 (5)
  -only a,b         only these clients; loadgen always takes part
  -experiments a,b  only these of closed, stall, pace, steady
  -seed N           of the order within the rounds (1)
  -out DIR          where peers.json, peers.md and plots go (results/peers)
  -add              keep what DIR has of other experiments, by the same commit with the
                    same clients and rounds: a long comparison in several pieces
  -bin DIR          holds loadgen and refserver (bin)
  -list             say which clients are there, and end
`

// options is the command line.
type options struct {
	rounds, seconds   int
	only, experiments []string
	seed              uint64
	out, bin          string
	list, add         bool
}

func main() { lab.Main(lab.Program{Name: "peers", Help: help, Start: start}) }

func parseOptions(args []string) (options, error) {
	var o options
	var only, chosen string
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.rounds, "rounds", 5, "")
	fs.IntVar(&o.seconds, "seconds", 5, "")
	fs.StringVar(&only, "only", "", "")
	fs.StringVar(&chosen, "experiments", strings.Join(experiments(), ","), "")
	fs.Uint64Var(&o.seed, "seed", 1, "")
	fs.StringVar(&o.out, "out", "results/peers", "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	fs.BoolVar(&o.add, "add", false, "")
	fs.BoolVar(&o.list, "list", false, "")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	}
	var names []string
	for _, t := range tools() {
		names = append(names, t.name)
	}
	var err1, err2 error
	o.experiments, err1 = lab.Choose("-experiments", chosen, experiments())
	o.only, err2 = lab.Choose("-only", only, names)
	switch {
	case err1 != nil || err2 != nil:
		return o, errors.Join(err1, err2)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.rounds < 1 || o.rounds > 50:
		return o, fmt.Errorf("%w: -rounds %d is outside 1 to 50", lab.ErrUsage, o.rounds)
	case o.seconds < 1 || o.seconds > 600:
		return o, fmt.Errorf("%w: -seconds %d is outside 1 to 600", lab.ErrUsage, o.seconds)
	}
	return o, nil
}

func start(ctx context.Context, args []string, stdout, _ io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left lies among temporary files
	r := rig{server: filepath.Join(o.bin, "refserver"), clients: map[string]string{}, placement: lab.Plan(), dir: scratch}
	present, found := r.look(ctx, o, stdout)
	if o.list {
		return nil
	}
	if r.clients["loadgen"] == "" {
		return fmt.Errorf("find loadgen in %s: build it with scripts/peers.sh or make build", o.bin)
	}
	result := &report{Schema: schema, Tools: found, Seed: o.seed, Rounds: o.rounds}
	result.Conditions = lab.Describe(ctx, o.out, r.placement, append([]string{"peers"}, args...))
	if o.add {
		old, err := earlier(o.out)
		if err != nil {
			return err
		}
		if err := result.adopt(old, o.experiments); err != nil {
			return err
		}
	}
	jobs := plan(present, o.experiments, o.rounds, o.seconds, o.seed)
	if err := r.perform(ctx, jobs, present, result, stdout); err != nil {
		return err
	}
	if err := write(o.out, result); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "written: %s\n", filepath.Join(o.out, "peers.md"))
	if result.Interrupted {
		return lab.ErrInterrupted
	}
	return nil
}

// look finds the clients and says which are missing.
func (r rig) look(ctx context.Context, o options, stdout io.Writer) (present []tool, found []presence) {
	for _, t := range tools() {
		name := t.binary
		if t.name == "loadgen" {
			name = filepath.Join(o.bin, t.binary)
		} else if len(o.only) > 0 && !slices.Contains(o.only, t.name) {
			continue
		}
		path, err := exec.LookPath(name)
		if err != nil {
			fmt.Fprintf(stdout, "%-11s missing\n", t.name)
			found = append(found, presence{Name: t.name})
			continue
		}
		version := "this commit"
		if t.name != "loadgen" {
			version = t.askVersion(ctx, path)
		}
		fmt.Fprintf(stdout, "%-11s %s\n", t.name, version)
		r.clients[t.name] = path
		present, found = append(present, t), append(found, presence{t.name, version})
	}
	return present, found
}

// attempts is how often a run is done at most, when other programs disturb it.
const attempts = 3

// perform does the jobs one after the other until they are done or the context
// ends.
func (r rig) perform(ctx context.Context, jobs []job, present []tool, result *report, stdout io.Writer) error {
	fmt.Fprintf(stdout, "%s\n%d runs, about %v\n", r.placement.Why, len(jobs), estimate(jobs))
	for i, j := range jobs {
		t := present[slices.IndexFunc(present, func(t tool) bool { return t.name == j.Client })]
		for range attempts {
			done := r.one(ctx, t, j)
			if ctx.Err() != nil {
				break
			}
			result.Runs = append(result.Runs, done)
			fmt.Fprintf(stdout, "%3d/%d  %v left  %s\n", i+1, len(jobs), estimate(jobs[i+1:]), done)
			if done.Machine.Disturbed() == "" {
				break
			}
		}
		if ctx.Err() != nil {
			result.Interrupted = true
			break
		}
	}
	if len(result.Runs) == 0 {
		return fmt.Errorf("%w before the first run ended", lab.ErrInterrupted)
	}
	return nil
}
