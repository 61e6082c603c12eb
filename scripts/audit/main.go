package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"phase0/scripts/lab"
)

const help = `Audit reads a trace of strace and says whether every 202 came after its sync;
scripts/audit.sh records one and starts it.

usage: audit [flags] TRACE

  -log PART     what the paths of the log's files contain (.wal/)
  -least N      fewer answers than this prove nothing (100)
  -expect WORD  covered: every 202 must be (default); early: some must not be, to show that this
                program sees it

exit codes: 0 as expected · 1 could not read it · 2 usage · 3 too few answers · 4 not as expected
`

const (
	exitTooFew = 3
	exitEarly  = 4
)

var (
	errEarly  = errors.New("not as expected")
	errTooFew = errors.New("too few answers to prove anything")
)

func main() {
	lab.Main(lab.Program{
		Name: "audit", Help: help, Start: start, Brief: true,
		Codes: lab.Codes{{Err: errTooFew, Code: exitTooFew}, {Err: errEarly, Code: exitEarly}},
	})
}

func start(_ context.Context, args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("audit", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	part := fs.String("log", ".wal/", "")
	least := fs.Int("least", 100, "")
	expect := fs.String("expect", "covered", "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() != 1 || *part == "" || *least < 1 || *expect != "covered" && *expect != "early":
		return fmt.Errorf("%w: audit [-log PART] [-least N] [-expect covered|early] TRACE", lab.ErrUsage)
	}
	trace, err := os.Open(filepath.Clean(fs.Arg(0)))
	if err != nil {
		return err
	}
	defer trace.Close()
	found, err := check(trace, *part)
	if err != nil {
		return fmt.Errorf("%s: %w", fs.Arg(0), err)
	}
	for _, e := range found.early {
		if *expect == "covered" {
			fmt.Fprintln(stdout, e)
		}
	}
	fmt.Fprintf(stdout, "%d answers with 202: %d after their sync, %d before; %d syncs of the log\n", found.answers, found.covered, found.uncovered, found.syncs)
	return found.judge(*expect, *least)
}

func (v verdict) judge(expect string, least int) error {
	switch {
	case v.answers < least:
		return fmt.Errorf("%w: %d of %d", errTooFew, v.answers, least)
	case expect == "covered" && v.uncovered > 0:
		return fmt.Errorf("%w: %d answers came before their sync", errEarly, v.uncovered)
	case expect == "early" && v.uncovered == 0:
		return fmt.Errorf("%w: no answer came before a sync, although nothing is synced; this audit sees nothing", errEarly)
	}
	return nil
}
