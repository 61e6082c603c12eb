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

	"phase0/bench/trial"
	"phase0/scripts/lab"
)

const help = `Mutants plants bugs in a copy of the code and runs the tests that should catch them;
scripts/mutants.sh starts it in the directory of the code.

usage: mutants [flags]

  -only a,b   only these mutants
  -list       list them, and end
  -overlay D  write the only chosen one into directory D, for go build -overlay D/overlay.json, and end
  -out DIR    where mutants.md and mutants.json go (results/mutants)

exit codes: 0 all were caught · 1 could not run · 2 usage · 3 one could not be tried · 4 one
            survived · 130 interrupted
`

const (
	exitNotValid = 3
	exitSurvived = 4
)

var (
	errSurvived = errors.New("a planted bug survived: a test is missing")
	errNotTried = errors.New("a planted bug could not be tried")
)

type options struct {
	only    []string
	list    bool
	overlay string
	out     string
}

func main() {
	lab.Main(lab.Program{Name: "mutants", Help: help, Codes: codes(), Start: func(ctx context.Context, args []string, stdout, _ io.Writer) error {
		return start(ctx, args, stdout)
	}})
}

func codes() lab.Codes {
	return lab.Codes{{Err: errSurvived, Code: exitSurvived}, {Err: lab.ErrInterrupted, Code: lab.ExitInterrupted}, {Err: errNotTried, Code: exitNotValid}}
}

func names() []string {
	var all []string
	for _, m := range mutants() {
		all = append(all, m.name)
	}
	return all
}

func parse(args []string) (options, error) {
	var o options
	var only string
	fs := flag.NewFlagSet("mutants", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&only, "only", strings.Join(names(), ","), "")
	fs.BoolVar(&o.list, "list", false, "")
	fs.StringVar(&o.overlay, "overlay", "", "")
	fs.StringVar(&o.out, "out", filepath.Join("results", "mutants"), "")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	}
	if o.only, err = lab.Choose("-only", only, names()); err == nil && len(o.only) == 0 {
		err = fmt.Errorf("%w: -only chooses nothing", lab.ErrUsage)
	}
	if err == nil && o.overlay != "" && len(o.only) != 1 {
		err = fmt.Errorf("%w: -overlay takes one mutant", lab.ErrUsage)
	}
	return o, err
}

func (o options) chosen() []mutant {
	var all []mutant
	for _, m := range mutants() {
		for _, name := range o.only {
			if m.name == name {
				all = append(all, m)
			}
		}
	}
	return all
}

func start(ctx context.Context, args []string, stdout io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.list {
		for _, m := range o.chosen() {
			fmt.Fprintf(stdout, "%-30s %s (%s)\n", m.name, m.breaks, m.file)
		}
		return nil
	}
	if o.overlay != "" {
		return o.chosen()[0].overlay(o.overlay)
	}
	scratch, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := copyCode(ctx, scratch); err != nil {
		return err
	}
	r := report{Schema: 1, Conditions: lab.Describe(ctx, o.out, trial.Placement{Why: "not pinned"}, append([]string{"mutants"}, args...))}
	r.perform(ctx, &copied{dir: scratch, base: map[suite]string{}}, o.chosen(), stdout)
	if err := r.write(o.out); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s\nreport: %s\n", r.summary(), filepath.Join(o.out, "mutants.md"))
	return r.verdict()
}

// perform tries one mutant after the other.
func (r *report) perform(ctx context.Context, c *copied, all []mutant, stdout io.Writer) {
	began := time.Now()
	for i, m := range all {
		o, err := c.try(ctx, m)
		if ctx.Err() != nil {
			r.Interrupted = true
			break
		}
		if err != nil {
			o.Verdict, o.Why = noVerdict, err.Error()
		}
		r.Mutants = append(r.Mutants, o)
		spent := time.Since(began)
		left := time.Duration(float64(spent) / float64(i+1) * float64(len(all)-i-1))
		fmt.Fprintf(stdout, "%2d/%d  %v left  %s: %s %s%s\n", i+1, len(all), left.Round(time.Second), o.Name, o.Verdict, o.By, o.Why)
	}
	r.Seconds = time.Since(began).Seconds()
}
