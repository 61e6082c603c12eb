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
	"time"

	"phase0/scripts/lab"
)

const help = `Rules measures a server with 10,000 rules on 10,000 series; scripts/rules.sh starts it.

usage: rules [flags]

  -only a,b     only these cells: %s;
                an empty list with -add only writes what DIR has anew
  -rate N       samples per second in the open loop, 1000 to 1000000 (20000)
  -seconds S    of the open loop, 3 to 600 (5); thrice as long for mix
  -flatout S    of the closed loop, 1 to 600 (3)
  -seed N       of the load (1)
  -out DIR      where rules.json and rules.md go (nowhere)
  -add          keep what DIR has of other cells, by the same commit with the same flags
  -bin DIR      holds server and loadgen (bin)

exit codes: 0 all targets are reached · 1 could not run · 2 usage · 3 a cell is void · 4 accepted samples
            were lost, or not seen by a rule · 5 a target is missed · 130 interrupted
`

const (
	exitNotValid = 3
	exitLost     = 4
	exitMissed   = 5
)

var (
	errNotValid = errors.New("a cell is void")
	errLost     = errors.New("accepted samples were lost, or not seen by a rule")
	errMissed   = errors.New("a target is missed")
)

// options is the command line.
type options struct {
	only                   []string
	rate, seconds, flatOut int
	seed                   uint64
	out, bin               string
	add                    bool
}

func main() {
	lab.Main(lab.Program{Name: "rules", Help: fmt.Sprintf(help, strings.Join(cellNames(), ", ")), Start: start, Codes: codes()})
}

func codes() lab.Codes {
	return lab.Codes{{Err: errNotValid, Code: exitNotValid}, {Err: errLost, Code: exitLost}, {Err: errMissed, Code: exitMissed}}
}

func parse(args []string) (options, error) {
	var o options
	var only string
	fs := flag.NewFlagSet("rules", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&only, "only", strings.Join(cellNames(), ","), "")
	fs.IntVar(&o.rate, "rate", 20_000, "")
	fs.IntVar(&o.seconds, "seconds", 5, "")
	fs.IntVar(&o.flatOut, "flatout", 3, "")
	fs.Uint64Var(&o.seed, "seed", 1, "")
	fs.StringVar(&o.out, "out", "", "")
	fs.BoolVar(&o.add, "add", false, "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	err := fs.Parse(args)
	if err == nil {
		o.only, err = lab.Choose("-only", only, cellNames())
	}
	switch {
	case errors.Is(err, flag.ErrHelp), errors.Is(err, lab.ErrUsage):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.rate < 1000 || o.rate > 1_000_000:
		return o, fmt.Errorf("%w: -rate %d is outside 1000 to 1000000", lab.ErrUsage, o.rate)
	case o.seconds < 3 || o.seconds > 600:
		return o, fmt.Errorf("%w: -seconds %d is outside 3 to 600", lab.ErrUsage, o.seconds)
	case o.flatOut < 1 || o.flatOut > 600:
		return o, fmt.Errorf("%w: -flatout %d is outside 1 to 600", lab.ErrUsage, o.flatOut)
	case o.add && o.out == "":
		return o, fmt.Errorf("%w: -add needs -out", lab.ErrUsage)
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil { // servers start in directories of their own
		return o, fmt.Errorf("find %s: %w", o.bin, err)
	}
	return o, nil
}

// steady is how long the open loop of a cell lasts. What a queue does shows in a long run,
// which the rules of all kinds together get.
func (o options) steady(c cell) time.Duration {
	d := time.Duration(o.seconds) * time.Second
	if c.Name == kindMix {
		d *= 3
	}
	return d
}

func start(ctx context.Context, args []string, stdout, _ io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "rules-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left lies among temporary files
	r := &rig{options: o, placement: lab.Plan(), dir: scratch}
	if err := r.placement.Adopt(); err != nil {
		return err
	}
	result := &report{Schema: schema, Settings: settings{o.rate, o.seconds, o.flatOut, o.seed}}
	result.Conditions = lab.Describe(ctx, scratch, r.placement, append([]string{"rules"}, args...))
	if o.add {
		if err := result.adopt(o.out, o.only); err != nil {
			return err
		}
	}
	if err := r.perform(ctx, result, stdout); err != nil {
		return err
	}
	return conclude(o.out, result, stdout)
}

// attempts is how often a cell is measured at most, when other programs disturb it.
const attempts = 3

// perform measures one cell after the other.
func (r *rig) perform(ctx context.Context, result *report, stdout io.Writer) error {
	fmt.Fprintln(stdout, r.placement.Why)
	chosen := map[string]bool{}
	for _, name := range r.options.only {
		chosen[name] = true
	}
	done := 0
	for _, c := range cells() {
		if !chosen[c.Name] {
			continue
		}
		done++
		for try := 1; ; try++ {
			out := r.one(ctx, c)
			if ctx.Err() != nil {
				return lab.ErrInterrupted
			}
			fmt.Fprintf(stdout, "%2d/%d  %s\n", done, len(chosen), out)
			if !out.disturbed || try == attempts {
				result.Cells = append(result.Cells, out)
				break
			}
			result.Again = append(result.Again, out)
		}
	}
	return nil
}

// conclude judges, writes and prints.
func conclude(out string, result *report, stdout io.Writer) error {
	result.sort()
	result.Targets = judge(result)
	if out != "" {
		if err := write(out, result); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "written: %s\n", filepath.Join(out, "rules.md"))
	}
	for _, t := range result.Targets {
		fmt.Fprintln(stdout, t)
	}
	switch {
	case result.lost():
		return errLost
	case result.void():
		return errNotValid
	case result.missed():
		return errMissed
	}
	return nil
}
