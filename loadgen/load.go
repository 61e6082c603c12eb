package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"phase0/loadgen/record"
	"phase0/loadgen/report"
	"phase0/loadgen/run"
	"phase0/loadgen/slo"
)

// document is what -o writes: the result, and what its objectives came to.
type document struct {
	record.Result
	SLO *slo.Outcome `json:"slo,omitempty"`
}

// load carries out one run.
func load(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return tolerate(writeText(stdout, helpText()))
	case err != nil:
		return err
	case opts.version:
		return tolerate(writeText(stdout, "loadgen "+version()+"\n"))
	}
	if err := probeAll(opts.out, opts.hdr); err != nil {
		return err
	}
	res, runErr := offer(ctx, opts, stderr)
	if runErr != nil && res.Schema == 0 {
		return explain(runErr, opts.config.URL)
	}
	doc := document{Result: res}
	if len(opts.objectives) > 0 {
		out := slo.Check(opts.objectives, res)
		doc.SLO = &out
	}
	if err := deliver(doc, opts, stdout); err != nil {
		return err
	}
	if runErr != nil {
		return fmt.Errorf("cannot verify: %w", runErr)
	}
	if opts.config.Verify && res.Interrupted && !opts.quiet {
		fmt.Fprintln(stderr, "loadgen: not verified: interrupted")
	}
	return judged(doc)
}

// judged is the error that the exit code tells of a run that was carried out.
// What was lost is a fact, however good the rest of the measurement is.
func judged(doc document) error {
	switch {
	case doc.Interrupted:
		return errInterrupted
	case doc.Verification != nil && !doc.Verification.OK():
		return errLost
	case doc.Verdict.Level == record.Invalid:
		return errInvalid
	case doc.SLO != nil && doc.SLO.State == slo.Missed:
		return errMissed
	case doc.SLO != nil && doc.SLO.State == slo.Unknown:
		return errInvalid
	}
	return nil
}

// offer carries out the run, with a live line if stderr is a terminal. A result
// with an error is one that could not be verified.
func offer(ctx context.Context, opts options, stderr io.Writer) (record.Result, error) {
	cfg := opts.config
	cfg.RunID, cfg.Version = run.NewRunID(), version()
	makeRoom(cfg)
	if opts.quiet || !isTerminal(stderr) {
		return run.Run(ctx, cfg)
	}
	live := report.NewLive(stderr, planned(cfg))
	cfg.Progress, cfg.Verifying = live.Show, live.Verify
	defer live.Clear()
	return run.Run(ctx, cfg)
}

// makeRoom lets each sender keep its place while it sleeps in the kernel, and a
// core's worth of others run meanwhile.
func makeRoom(cfg run.Config) { runtime.GOMAXPROCS(runtime.NumCPU() + cfg.Streams()) }

// planned is how long the run should take, 0 if that is not known.
func planned(cfg run.Config) time.Duration {
	if len(cfg.Phases) > 0 {
		var total time.Duration
		for _, p := range cfg.Phases {
			total += p.Duration
		}
		return total
	}
	if cfg.Model == run.Closed || cfg.Requests == 0 {
		return cfg.Duration
	}
	byCount := time.Duration(float64(cfg.Requests) / cfg.RPS * float64(time.Second))
	if cfg.Duration == 0 {
		return byCount
	}
	return min(byCount, cfg.Duration)
}

// deliver writes the result to the files and the summary to stdout.
func deliver(doc document, opts options, stdout io.Writer) error {
	if opts.out != "" {
		if err := save(opts.out, doc); err != nil {
			return err
		}
	}
	if opts.hdr != "" {
		var text bytes.Buffer
		title := fmt.Sprintf("response time in ms, %s %s, run %s", doc.Method, doc.URL, doc.RunID)
		if err := report.WriteHDR(&text, title, doc.ResponseTime); err != nil {
			return err
		}
		if err := replaceFile(opts.hdr, text.Bytes()); err != nil {
			return err
		}
	}
	if opts.quiet {
		return nil
	}
	return tolerate(show(doc, opts, stdout))
}

// show prints the result in the format that was asked for.
func show(doc document, opts options, stdout io.Writer) error {
	switch opts.format {
	case formatJSON:
		return writeJSON(stdout, doc)
	case formatGo:
		return report.WriteBench(stdout, doc.Result)
	}
	if err := report.Write(stdout, doc.Result, doc.SLO, style(stdout)); err != nil {
		return err
	}
	for _, file := range []string{opts.out, opts.hdr} {
		if file == "" {
			continue
		}
		if err := writeText(stdout, "written      "+file+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func style(stdout io.Writer) report.Style {
	return report.Style{Colour: isTerminal(stdout) && os.Getenv("NO_COLOR") == ""}
}
