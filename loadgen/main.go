// Command loadgen offers load to an HTTP server on a true open-loop schedule and
// reports response times that count from when each request was due. Run it with
// -h for its flags and examples.
//
// The parts are child packages: schedule says when requests are due, an engine
// drives the connections, record keeps the books, verdict judges the run, run
// puts them together and report prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"phase0/loadgen/record"
	"phase0/loadgen/report"
	"phase0/loadgen/run"
)

// Exit codes.
const (
	exitOK          = 0
	exitCannotRun   = 1
	exitUsage       = 2
	exitInvalid     = 3
	exitInterrupted = 130
)

func main() {
	// A reader of ours that goes away is seen as an error of writing.
	signal.Ignore(syscall.SIGPIPE)
	// One more than there are cores, because the sender keeps its place while it
	// sleeps in the kernel and answers must be read meanwhile.
	runtime.GOMAXPROCS(runtime.NumCPU() + 1)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the second one has its default effect: the end.
	context.AfterFunc(ctx, stop)
	code := exitCode(realMain(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr)
	stop()
	os.Exit(code)
}

var (
	errInvalid     = errors.New("the run is not valid")
	errInterrupted = errors.New("interrupted")
)

// exitCode maps an error to an exit code and prints it, unless the summary has
// said it.
func exitCode(err error, stderr io.Writer) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errInvalid):
		return exitInvalid
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "loadgen: %v\nrun 'loadgen -h' for help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "loadgen: %v\n", err)
		return exitCannotRun
	}
}

func realMain(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return tolerate(writeText(stdout, helpText()))
	case err != nil:
		return err
	case opts.version:
		return tolerate(writeText(stdout, "loadgen "+version()+"\n"))
	}
	if opts.out != "" {
		if err := probe(opts.out); err != nil {
			return err
		}
	}
	res, err := load(ctx, opts, stderr)
	if err != nil {
		return explain(err, opts.config.URL)
	}
	if err := deliver(res, opts, stdout); err != nil {
		return err
	}
	switch {
	case res.Interrupted:
		return errInterrupted
	case res.Verdict.Level == record.Invalid:
		return errInvalid
	}
	return nil
}

// load carries out the run, with a live line if stderr is a terminal.
func load(ctx context.Context, opts options, stderr io.Writer) (record.Result, error) {
	cfg := opts.config
	cfg.RunID, cfg.Version = run.NewRunID(), version()
	if opts.quiet || !isTerminal(stderr) {
		return run.Run(ctx, cfg)
	}
	live := report.NewLive(stderr, planned(cfg))
	cfg.Progress = live.Show
	defer live.Clear()
	return run.Run(ctx, cfg)
}

// planned is how long the run should take, 0 if that is not known.
func planned(cfg run.Config) time.Duration {
	if cfg.Model == run.Closed || cfg.Requests == 0 {
		return cfg.Duration
	}
	byCount := time.Duration(float64(cfg.Requests) / cfg.RPS * float64(time.Second))
	if cfg.Duration == 0 {
		return byCount
	}
	return min(byCount, cfg.Duration)
}

// deliver writes the result to the file and the summary to stdout.
func deliver(res record.Result, opts options, stdout io.Writer) error {
	if opts.out != "" {
		if err := save(opts.out, res); err != nil {
			return err
		}
	}
	if opts.quiet {
		return nil
	}
	style := report.Style{Colour: isTerminal(stdout) && os.Getenv("NO_COLOR") == ""}
	if err := tolerate(report.Write(stdout, res, style)); err != nil {
		return err
	}
	if opts.out == "" {
		return nil
	}
	return tolerate(writeText(stdout, "result       "+opts.out+"\n"))
}

func writeText(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// tolerate forgives a reader that has gone, as head does.
func tolerate(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
