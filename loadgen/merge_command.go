package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"phase0/loadgen/merge"
	"phase0/loadgen/record"
)

// mergeFiles adds up result files.
func mergeFiles(args []string, stdout io.Writer) error {
	opts, files, err := parseMerge(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return tolerate(writeText(stdout, mergeHelp))
	case err != nil:
		return err
	}
	if err := probeAll(opts.out, opts.hdr); err != nil {
		return err
	}
	runs := make([]record.Result, 0, len(files))
	for _, name := range files {
		r, err := readResult(name)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	sum, err := merge.Results(runs...)
	if err != nil {
		return err
	}
	doc := document{Result: sum}
	if err := deliver(doc, opts, stdout); err != nil {
		return err
	}
	return judged(doc)
}

func readResult(name string) (record.Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return record.Result{}, fmt.Errorf("read result: %w", err)
	}
	defer f.Close()
	r, err := record.Read(f)
	if err != nil {
		return record.Result{}, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// parseMerge reads the command line of merge: output flags and files.
func parseMerge(args []string) (options, []string, error) {
	r := newRaw()
	fs := flag.NewFlagSet("loadgen merge", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	r.outputFlags(fs)
	files, err := scan(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return options{}, nil, err
	case err != nil:
		return options{}, nil, usagef("%w", err)
	case len(files) < 2:
		return options{}, nil, usagef("merge needs two or more result files, as written by -o")
	}
	fs.Visit(func(f *flag.Flag) { r.given[f.Name] = true })
	return r.options, files, r.checkOutput()
}
