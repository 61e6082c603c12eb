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
	"strings"
	"syscall"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/lab"
	"phase0/scripts/powerloss/volume"
)

const help = `Powerloss cuts the power under the real server and counts what is lost;
scripts/powerloss.sh starts it.

usage: powerloss [flags]

  -tries N           power cuts of each kind; half of them where something must get lost (40)
  -only a,b          only these cells (-list names them)
  -list              list the cells, and end
  -seed N            of the first try of each cell; the others follow (random)
  -mutant NAME=PATH  a server with a planted bug, which must lose something; repeatable
  -out DIR           where powerloss.md and powerloss.json go (results/powerloss)
  -bin DIR           holds the program server (bin)

exit codes: 0 all as expected · 1 could not run, such as without FUSE · 2 usage · 3 no verdict, or a
            bug was not seen · 4 a promise is broken · 130 interrupted
`

const (
	exitNotValid = 3
	exitBroken   = 4
)

var (
	errBroken   = errors.New("a promise is broken")
	errNotValid = errors.New("a cell gave no verdict, or did not see what it should")
)

type options struct {
	tries    int
	only     []string
	list     bool
	seed     uint64
	mutants  []mutant
	out, bin string
}

// codes are the exit codes; of several the worst counts.
var codes = lab.Codes{{Err: errBroken, Code: exitBroken}, {Err: lab.ErrInterrupted, Code: lab.ExitInterrupted}, {Err: errNotValid, Code: exitNotValid}}

func main() {
	signal.Ignore(syscall.SIGPIPE) // whoever stops reading does not leave a volume mounted
	lab.Main(lab.Program{Name: "powerloss", Help: help, Codes: codes, Start: func(ctx context.Context, args []string, stdout, _ io.Writer) error {
		return start(ctx, args, stdout)
	}})
}

func parse(args []string) (options, error) {
	var o options
	var only string
	fs := flag.NewFlagSet("powerloss", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.tries, "tries", 40, "")
	fs.StringVar(&only, "only", "", "")
	fs.BoolVar(&o.list, "list", false, "")
	fs.Uint64Var(&o.seed, "seed", rand.Uint64()>>1, "")
	fs.Func("mutant", "", func(text string) error {
		name, path, ok := strings.Cut(text, "=")
		if !ok || name == "" || path == "" {
			return errors.New("want NAME=PATH")
		}
		o.mutants = append(o.mutants, mutant{name, path})
		return nil
	})
	fs.StringVar(&o.out, "out", filepath.Join("results", "powerloss"), "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.tries < 1 || o.tries > 100_000:
		return o, fmt.Errorf("%w: -tries %d is outside 1 to 100000", lab.ErrUsage, o.tries)
	}
	var names []string
	for _, c := range plan("", o.mutants, 1) {
		names = append(names, c.Name)
	}
	o.only, err = lab.Choose("-only", only, names)
	return o, err
}

// cells are those that were chosen.
func (o options) cells() (chosen []*cell) {
	for _, c := range plan(filepath.Join(o.bin, "server"), o.mutants, o.tries) {
		if len(o.only) == 0 || strings.Contains(","+strings.Join(o.only, ",")+",", ","+c.Name+",") {
			if len(o.only) > 0 {
				c.Planned = o.tries
			}
			chosen = append(chosen, c)
		}
	}
	return chosen
}

func start(ctx context.Context, args []string, stdout io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	cells := o.cells()
	if o.list {
		for _, c := range cells {
			fmt.Fprintf(stdout, "%-14s %s, -sync %s: %s\n", c.Name, c.Title, c.what(), c.Expects)
		}
		return nil
	}
	scratch, err := os.MkdirTemp("", "powerloss-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := possible(scratch); err != nil {
		return err
	}
	placement := trial.Placement{Why: "not pinned"}
	r := &report{Schema: 1, Conditions: lab.Describe(ctx, o.out, placement, append([]string{"powerloss"}, args...)), Seed: o.seed, Cells: cells}
	r.perform(ctx, trial.Harness{Dir: scratch, Placement: placement}, stdout)
	return r.conclude(o.out, stdout)
}

// possible tells why nothing can be mounted here.
func possible(scratch string) error {
	dir := filepath.Join(scratch, "try")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	m, err := volume.Mount(volume.New(0), dir)
	if err != nil {
		return fmt.Errorf("no power can be cut here, it needs root, Linux and /dev/fuse: %w", err)
	}
	return errors.Join(m.Unmount(), os.Remove(dir))
}

// moment is the warm-up of a seed.
func moment(seed uint64) time.Duration {
	return soonest + time.Duration(rand.New(rand.NewPCG(seed, powerStream)).Int64N(int64(latest-soonest)))
}

// progressEvery is the number of tries between two lines of progress.
const progressEvery = 10

// perform makes all tries. The end of ctx is told by the report.
func (r *report) perform(ctx context.Context, h trial.Harness, stdout io.Writer) {
	began := time.Now()
	all, done := 0, 0
	for _, c := range r.Cells {
		all += c.Planned
	}
	fmt.Fprintf(stdout, "%d tries in %d cells, seed %d\n", all, len(r.Cells), r.Seed)
	for _, c := range r.Cells {
		told := 0
		h.Server = c.server
		for i := range c.Planned {
			if !c.try(ctx, &h, r.Seed+uint64(i)) {
				r.Interrupted = true
				break
			}
			if done++; len(c.Why) > told || done%progressEvery == 0 || i == c.Planned-1 {
				left := time.Since(began) / time.Duration(done) * time.Duration(all-done)
				fmt.Fprintf(stdout, "%*d/%d  %v left  %s: accepted %d, lost %d in %d of %d, twice %d\n",
					len(fmt.Sprint(all)), done, all, left.Round(time.Second), c.Name, c.Sum.Accepted, c.Sum.Lost, c.Sum.Lossy, len(c.Tries), c.Sum.Duplicated)
			}
			for ; told < len(c.Why); told++ {
				fmt.Fprintf(stdout, "        %s\n", c.Why[told])
			}
		}
		c.judge()
	}
	r.Seconds = time.Since(began).Seconds()
}

// try makes one try; false means that ctx ended.
func (c *cell) try(ctx context.Context, h *trial.Harness, seed uint64) bool {
	toll, err := c.ordeal(seed).Run(ctx, h, trial.Arm{Name: c.Name, ServerArgs: c.Args}, seed)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		c.unfinished(&toll, err)
	}
	c.Tries = append(c.Tries, toll)
	c.judge()
	return true
}

// unfinished notes what an ordeal that could not be ended means: a server that does not
// start on what a cut has left has lost everything.
func (c *cell) unfinished(t *trial.Toll, err error) {
	if c.Expects != loses {
		t.Broken = append(t.Broken, err.Error())
		return
	}
	t.Void = append(t.Void, err.Error())
}
