package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"phase0/loadgen/knee"
	"phase0/loadgen/record"
	"phase0/loadgen/run"
)

// settle is the pause before each run of a search, so that a server that was
// overloaded has time to come to rest.
const settle = 500 * time.Millisecond

// find searches for the highest rate that keeps the objectives.
func find(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parseFind(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return tolerate(writeText(stdout, findHelpText()))
	case err != nil:
		return err
	case opts.version:
		return tolerate(writeText(stdout, "loadgen "+version()+"\n"))
	}
	if err := probeAll(opts.out); err != nil {
		return err
	}
	search := opts.search
	if !opts.quiet {
		search.Progress = tellSteps(stderr)
		if err := announce(opts, stderr); err != nil {
			return err
		}
	}
	k, err := knee.Find(ctx, search, opts.measure)
	if err != nil && k.Runs == 0 {
		return explain(err, opts.config.URL)
	}
	if err := deliverKnee(k, opts, stdout); err != nil {
		return err
	}
	if err != nil {
		return explain(err, opts.config.URL)
	}
	return found(k)
}

// measure carries out one run of the search.
func (opts findOptions) measure(ctx context.Context, rate float64, seed uint64) (record.Result, error) {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
	}
	cfg := opts.config
	cfg.RPS, cfg.Seed = rate, seed
	cfg.RunID, cfg.Version = run.NewRunID(), version()
	makeRoom(cfg)
	return run.Run(ctx, cfg)
}

// found is the error that the exit code tells of a search.
func found(k knee.Knee) error {
	switch {
	case k.LimitedBy == "interrupted":
		return errInterrupted
	case k.LastPass == 0 && k.FirstFail > 0 && (k.LimitedBy == "" || k.LimitedBy == "lowest"):
		return errMissed
	case !k.Confirmed || k.FirstFail == 0:
		return errInvalid
	}
	return nil
}

func announce(opts findOptions, stderr io.Writer) error {
	fewest, most, err := knee.EstimateRuns(opts.search)
	if err != nil {
		return usagef("%w", err)
	}
	each := opts.config.Duration + settle
	_, err = fmt.Fprintf(stderr, "%s: about %d to %d runs of %v, %v to %v\n", opts.config.URL, fewest, most,
		opts.config.Duration, (time.Duration(fewest) * each).Round(time.Second), (time.Duration(most) * each).Round(time.Second))
	return tolerate(err)
}

// tellSteps prints a line per run. A terminal that does not take it is not worth
// ending the search for.
func tellSteps(stderr io.Writer) func(knee.Step) {
	return func(s knee.Step) { fmt.Fprintln(stderr, s) }
}

func deliverKnee(k knee.Knee, opts findOptions, stdout io.Writer) error {
	if opts.out != "" {
		if err := save(opts.out, k); err != nil {
			return err
		}
	}
	switch {
	case opts.quiet:
		return nil
	case opts.format == formatJSON:
		return tolerate(writeJSON(stdout, k))
	default:
		return tolerate(knee.Write(stdout, k))
	}
}
