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
)

const help = `Chaos lets faults befall real servers under load and counts what is lost; make chaos
starts it.

usage: chaos [flags]
       chaos kills [flags]   kill -9 of the durable arm, several hundred times; chaos kills -h

  -only a,b   only these faults: %s
  -arms a,b   only these arms: single, concurrent, durable (those that the server has)
  -quick      one try of each cell, two of kill -9
  -seed N     of moments and loads (random)
  -out DIR    where report.md and run.json go (results/chaos)
  -bin DIR    holds the program server (bin)

exit codes: 0 every promise that could be tested was kept · 1 could not run · 2 usage · 3 a cell
            gave no verdict · 4 a promise is broken · 130 interrupted
`

const (
	exitNotValid = 3
	exitBroken   = 4
)

var (
	errBroken   = errors.New("a promise is broken")
	errNotValid = errors.New("a cell gave no verdict")
)

// options is the command line.
type options struct {
	only, arms []string
	quick      bool
	seed       uint64
	out, bin   string
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // whoever stops reading does not stop a run
	run, explain := start, fmt.Sprintf(help, strings.Join(names(), ", "))
	kills := len(os.Args) > 1 && os.Args[1] == "kills"
	if kills {
		run, explain = startKills, killsHelp
	}
	lab.Main(lab.Program{Name: "chaos", Help: explain, Codes: codes(), Start: func(ctx context.Context, args []string, stdout, _ io.Writer) error {
		if kills {
			args = args[1:]
		}
		return run(ctx, args, stdout)
	}})
}

func codes() lab.Codes {
	return lab.Codes{{Err: errBroken, Code: exitBroken}, {Err: lab.ErrInterrupted, Code: lab.ExitInterrupted}, {Err: errNotValid, Code: exitNotValid}}
}

func parse(args []string) (options, error) {
	var o options
	var only, arms string
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&only, "only", strings.Join(names(), ","), "")
	fs.StringVar(&arms, "arms", "", "")
	fs.BoolVar(&o.quick, "quick", false, "")
	fs.Uint64Var(&o.seed, "seed", rand.Uint64()>>1, "")
	fs.StringVar(&o.out, "out", filepath.Join("results", "chaos"), "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	}
	if o.only, err = lab.Choose("-only", only, names()); err != nil {
		return o, err
	}
	if len(o.only) == 0 {
		return o, fmt.Errorf("%w: -only chooses nothing", lab.ErrUsage)
	}
	o.arms, err = lab.Choose("-arms", arms, []string{"single", "concurrent", "durable"})
	return o, err
}

func start(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left lies among temporary files
	h := harness(o.bin, scratch)
	subjects, err := o.choose(ctx, h.Server, stdout)
	if err != nil {
		return err
	}
	r := &report{
		Schema: schema, Conditions: lab.Describe(ctx, scratch, h.Placement, append([]string{"chaos"}, args...)),
		Seed: o.seed, Quick: o.quick, Cells: cells(subjects, o.only, o.quick),
	}
	if err := r.perform(ctx, h, stdout); err != nil {
		return err
	}
	return r.conclude(o.out, stdout)
}

// harness starts servers from bin. Nothing is timed closely, and a server under strace
// needs more than one core.
func harness(bin, scratch string) *trial.Harness {
	return &trial.Harness{Server: filepath.Join(bin, "server"), Dir: scratch, Placement: trial.Placement{Why: "not pinned"}}
}

// choose returns the arms, and says which of them the server does not have.
func (o options) choose(ctx context.Context, server string, stdout io.Writer) ([]arm, error) {
	if _, err := os.Stat(server); err != nil {
		return nil, fmt.Errorf("find server: %w", err)
	}
	withLog := hasLog(ctx, server)
	if !withLog {
		fmt.Fprintln(stdout, "arm durable: this server has no -queue wal")
	}
	var chosen []arm
	for _, a := range arms(withLog) {
		if len(o.arms) == 0 || strings.Contains(","+strings.Join(o.arms, ",")+",", ","+a.Name+",") {
			chosen = append(chosen, a)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: -arms leaves nothing to test", lab.ErrUsage)
	}
	return chosen, nil
}

// perform runs all tries of all cells. The end of ctx is no error; the report says so.
func (r *report) perform(ctx context.Context, h *trial.Harness, stdout io.Writer) error {
	began := time.Now()
	left := r.estimate()
	fmt.Fprintf(stdout, "%d cells, about %v, seed %d\n", len(r.Cells), left.Round(time.Second), r.Seed)
	for i, c := range r.Cells {
		if err := c.run(ctx, h, r.Seed+uint64(i)*1000); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s, %s: %w", c.Title, c.Arm, err)
		}
		c.judge()
		left -= c.estimate()
		if ctx.Err() != nil {
			r.Interrupted = true
			break
		}
		fmt.Fprintf(stdout, "%2d/%d  %v left  %s, %s: %s\n", i+1, len(r.Cells), max(0, left).Round(time.Second), c.Title, c.Arm, c.word())
	}
	for _, c := range r.Cells {
		c.judge()
	}
	r.Seconds = time.Since(began).Seconds()
	return nil
}

func (c *cell) runs() bool { return c.Impossible == "" && c.Never == "" }

// run makes the cell's tries. One that could not be made is an error: the others would
// look like more than there are.
func (c *cell) run(ctx context.Context, h *trial.Harness, seed uint64) error {
	if !c.runs() {
		return nil
	}
	for i := range c.Planned {
		toll, err := c.fault.ordeal(c.arm).Run(ctx, h, c.arm.Arm, seed+uint64(i))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			toll.Void = append(toll.Void, err.Error())
		}
		c.Tries = append(c.Tries, toll)
	}
	return nil
}

func (c *cell) estimate() time.Duration {
	if !c.runs() {
		return 0
	}
	return time.Duration(c.Planned) * c.fault.ordeal(c.arm).Estimate()
}

func (r *report) estimate() (sum time.Duration) {
	for _, c := range r.Cells {
		sum += c.estimate()
	}
	return sum
}

// conclude writes, prints, and maps the verdicts to an error.
func (r *report) conclude(out string, stdout io.Writer) error {
	if err := r.write(out); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	if err := r.text(stdout); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "report: %s\n", reportPath(out))
	switch n := r.count(); {
	case n[broken] > 0:
		return errBroken
	case r.Interrupted:
		return lab.ErrInterrupted
	case n[noVerdict] > 0:
		return errNotValid
	}
	return nil
}
