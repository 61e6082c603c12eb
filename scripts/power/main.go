package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

const help = `Power counts how often bench finds a planted slowdown, and how often it finds a
difference where there is none; scripts/power.sh starts it.

usage: power [flags]

  -repetitions N   complete runs of bench to add, 1 to 100 (20), each with two arms
                   that are the same (A/A)
  -planted N       of them have a slower arm, too (10, or all where they are fewer)
  -fresh           forget earlier repetitions
  -pairs N         pairs of trials in each, 6 to 50 (10)
  -window D        measured time of a trial (1s)
  -warmup D        time before it (250ms)
  -connections N   of the closed loop (16)
  -spin D          work of a request in the test server (300µs)
  -slowdown S      planted, of all that a request costs (5%)
  -seed N          of the first repetition; others follow (random)
  -out DIR         where power.json and power.md go (results/power)
  -bin DIR         holds bench, loadgen, server and spinserver (bin)

A repetition takes about pairs x (2, or 3 with the slower arm) x (window + warm-up + 0.2 s).
Targets, of all repetitions that are kept: a difference between arms that are the same is
claimed in at most 1 of 20, and none in 10; the planted one is found in at least 9 of 10.

exit codes: 0 done · 1 could not run · 2 usage · 5 a target was missed, of at least ten
            repetitions · 130 interrupted; what was done until then is kept
`

const exitMissed = 5

// errMissed is returned when the counts are not what the instrument promises.
var errMissed = errors.New("target missed")

// options is the command line.
type options struct {
	repetitions, planted int
	pairs, connections   int
	window, warmup, spin time.Duration
	slowdown             string
	seed                 uint64
	fresh                bool
	out, bin             string
}

func main() {
	lab.Main(lab.Program{Name: "power", Help: help, Start: start, Codes: lab.Codes{{Err: errMissed, Code: exitMissed}}})
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("power", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.repetitions, "repetitions", 20, "")
	fs.IntVar(&o.planted, "planted", 10, "")
	fs.BoolVar(&o.fresh, "fresh", false, "")
	fs.IntVar(&o.pairs, "pairs", 10, "")
	fs.DurationVar(&o.window, "window", time.Second, "")
	fs.DurationVar(&o.warmup, "warmup", 250*time.Millisecond, "")
	fs.IntVar(&o.connections, "connections", 16, "")
	fs.DurationVar(&o.spin, "spin", 300*time.Microsecond, "")
	fs.StringVar(&o.slowdown, "slowdown", "5%", "")
	fs.Uint64Var(&o.seed, "seed", rand.Uint64()>>1, "")
	fs.StringVar(&o.out, "out", filepath.Join("results", "power"), "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	return o, o.check(fs, args)
}

// check parses the flags that fs defines for o, and refuses what makes no sense.
func (o *options) check(fs *flag.FlagSet, args []string) error {
	err := fs.Parse(args)
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "planted" })
	if !given {
		o.planted = min(o.planted, o.repetitions)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.repetitions < 1 || o.repetitions > 100:
		return fmt.Errorf("%w: -repetitions %d is outside 1 to 100", lab.ErrUsage, o.repetitions)
	case o.planted < 0 || o.planted > o.repetitions:
		return fmt.Errorf("%w: -planted %d is outside 0 to the %d repetitions", lab.ErrUsage, o.planted, o.repetitions)
	case o.pairs < stat.MinPairs || o.pairs > stat.MaxPairs:
		return fmt.Errorf("%w: -pairs %d is outside %d to %d", lab.ErrUsage, o.pairs, stat.MinPairs, stat.MaxPairs)
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil { // servers start in directories of their own
		return fmt.Errorf("find %s: %w", o.bin, err)
	}
	return nil // the rest is checked by bench and by spinserver
}

func start(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r, err := open(ctx, o, args)
	if err != nil {
		return err
	}
	progress := newProgress(stderr, o)
	for i := range o.repetitions {
		progress.begin(i)
		one, err := repeat(ctx, o, o.plants(i), o.seed+uint64(i))
		if ctx.Err() != nil {
			return lab.ErrInterrupted
		}
		if err != nil {
			return err
		}
		r.Repetitions = append(r.Repetitions, one)
		r.count()
		if err := write(o.out, r); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%d of %d: %s\n", i+1, o.repetitions, one)
	}
	fmt.Fprintf(stdout, "\n%s\nreport: %s\n", r.verdict(), filepath.Join(o.out, "power.md"))
	if missed := r.missed(); len(missed) > 0 {
		return fmt.Errorf("%w: %s", errMissed, strings.Join(missed, "; "))
	}
	return nil
}

// plants reports whether repetition i, from 0, has the slower arm. They are spread
// evenly, so that a run that is interrupted has some of both.
func (o options) plants(i int) bool {
	return (i+1)*o.planted/o.repetitions > i*o.planted/o.repetitions
}
