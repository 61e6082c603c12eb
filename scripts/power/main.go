package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

const help = `Power counts how often bench finds a planted slowdown, and how often it finds a
difference where there is none; scripts/power.sh starts it.

usage: power [flags]

  -repetitions N   complete runs of bench to add, 1 to 100 (20); each takes about
                   pairs x 3 x (window + warm-up + 0.2 s)
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

exit codes: 0 done · 1 could not run · 2 usage · 5 a target was missed, of at least ten
            repetitions · 130 interrupted; what was done until then is kept
`

const exitMissed = 5

// errMissed is returned when the counts are not what the instrument promises.
var errMissed = errors.New("target missed")

// options is the command line.
type options struct {
	repetitions, pairs, connections int
	window, warmup, spin            time.Duration
	slowdown                        string
	seed                            uint64
	fresh                           bool
	out, bin                        string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := start(ctx, os.Args[1:], os.Stdout)
	if err == nil {
		return
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(help)
		return
	}
	fmt.Fprintf(os.Stderr, "power: %v\n", err)
	switch {
	case errors.Is(err, lab.ErrUsage):
		os.Exit(lab.ExitUsage)
	case errors.Is(err, errMissed):
		os.Exit(exitMissed)
	case errors.Is(err, lab.ErrInterrupted):
		os.Exit(lab.ExitInterrupted)
	}
	os.Exit(lab.ExitFailed)
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("power", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.repetitions, "repetitions", 20, "")
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
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.repetitions < 1 || o.repetitions > 100:
		return o, fmt.Errorf("%w: -repetitions %d is outside 1 to 100", lab.ErrUsage, o.repetitions)
	case o.pairs < stat.MinPairs || o.pairs > stat.MaxPairs:
		return o, fmt.Errorf("%w: -pairs %d is outside %d to %d", lab.ErrUsage, o.pairs, stat.MinPairs, stat.MaxPairs)
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil { // servers start in directories of their own
		return o, fmt.Errorf("find %s: %w", o.bin, err)
	}
	return o, nil // the rest is checked by bench and by spinserver
}

func start(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r, err := open(ctx, o, args)
	if err != nil {
		return err
	}
	for i := range o.repetitions {
		one, err := repeat(ctx, o, o.seed+uint64(i))
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
	if !r.OK && len(r.Repetitions) >= leastRepetitions {
		return errMissed
	}
	return nil
}
