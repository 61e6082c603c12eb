package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"phase0/bench/audit"
	"phase0/bench/compare"
	"phase0/bench/report"
)

const verifyUsage = `bench verify computes every number of a report again from its raw trials.

usage: bench verify DIR

It concludes anew from the trials in run.json, renders all pages anew, and compares both with what is
stored, and every file with SHA256SUMS. What differs is listed with its place and both values.

exit codes: 0 all follows from the trials · 1 could not read it · 2 usage · 4 something differs
`

func verifyCommand(_ context.Context, args []string, stdout, _ io.Writer) (int, error) {
	dirs, err := arguments("verify", verifyUsage, args, stdout, nil)
	if err != nil {
		return exitUsage, err
	}
	if len(dirs) != 1 {
		return exitUsage, usagef("verify wants one directory of results, got %d arguments", len(dirs))
	}
	found, err := audit.Verify(dirs[0])
	if err != nil {
		return exitFailed, err
	}
	if _, err := io.WriteString(stdout, found.String()); err != nil {
		return exitFailed, fmt.Errorf("write findings: %w", err)
	}
	if !found.OK() {
		return exitLost, nil
	}
	return exitOK, nil
}

const compareUsage = `bench compare shows the comparisons of two reports side by side.

usage: bench compare DIR DIR

Figures of two runs can be set beside each other only as far as their conditions agree: a banner names
those that do not. To compare two commits, measure both in one run instead: bench run -arm-cmd.

exit codes: 0 done · 1 could not read it · 2 usage
`

func compareCommand(_ context.Context, args []string, stdout, _ io.Writer) (int, error) {
	dirs, err := arguments("compare", compareUsage, args, stdout, nil)
	if err != nil {
		return exitUsage, err
	}
	if len(dirs) != 2 {
		return exitUsage, usagef("compare wants two directories of results, got %d arguments", len(dirs))
	}
	if err := compare.Dirs(stdout, dirs[0], dirs[1]); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

const reportUsage = `bench report draws a page from results of the load generator, or that of a run anew.

usage: bench report [-o DIR] FILE...
       bench report [-o DIR] RESULTS

  loadgen -rps 2k -d 30s -o a.json :8080 && bench report a.json

Each FILE is what loadgen wrote with -o; several are laid over each other. RESULTS is a directory that
bench wrote: everything but its trials is computed and drawn again, for a version of bench that has
learnt to tell more.

exit codes: 0 done · 1 could not read or write · 2 usage

flags:
  -o DIR  directory to create and write to (default results/report-<UTC time>)
`

func reportCommand(_ context.Context, args []string, stdout, _ io.Writer) (int, error) {
	out := filepath.Join("results", "report-"+time.Now().UTC().Format("20060102-150405"))
	files, err := arguments("report", reportUsage, args, stdout, func(f *flag.FlagSet) { f.StringVar(&out, "o", out, "") })
	if err != nil {
		return exitUsage, err
	}
	if len(files) == 0 {
		return exitUsage, usagef("report wants files that loadgen -o wrote")
	}
	pages, err := draw(files)
	if err != nil {
		return exitFailed, err
	}
	if err := report.WriteDir(pages, out); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w; choose another directory with -o", err)
		}
		return exitFailed, err
	}
	fmt.Fprintf(stdout, "report: %s\n", filepath.Join(out, "report.html"))
	return exitOK, nil
}

// draw returns the files of a page: of a directory's run, or of results of loadgen.
func draw(paths []string) (map[string][]byte, error) {
	if info, err := os.Stat(paths[0]); err == nil && info.IsDir() && len(paths) == 1 {
		r, err := audit.Load(paths[0])
		if err != nil {
			return nil, err
		}
		r.Conclude()
		return report.Files(r)
	}
	page, err := report.Loads(paths)
	if err != nil {
		return nil, err
	}
	return page.Files()
}

// arguments parses the flags of a job that has few, and returns what is left.
func arguments(name, usage string, args []string, stdout io.Writer, define func(*flag.FlagSet)) ([]string, error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if define != nil {
		define(flags)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return nil, errHelp
	case err != nil:
		return nil, usageError{err}
	}
	return flags.Args(), nil
}
