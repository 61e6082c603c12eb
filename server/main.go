// Command server is the monitoring platform of Phase 0: ingest, queue, storage,
// query and alerting in one process, each with the seed's mechanism and better
// ones beside it. Run `server -h` for its flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"phase0/server/alerting/rule"
	"phase0/server/platform"
)

// Exit codes shared by all programs of the project.
const (
	exitOK        = 0
	exitCannotRun = 1
	exitUsage     = 2
)

func main() {
	// A reader of stdout that goes away (server | head) must not take accepted samples
	// with it: without this the next alert that is printed would end the process. Nor must
	// a file that may not grow further (ulimit -f): its write fails, and is tried again.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "server: second signal: exiting at once; what was not stored is lost")
		os.Exit(exitCannotRun)
	}()
	os.Exit(exitCode(os.Stderr, run(ctx, os.Args[1:], os.Stdout, os.Stderr)))
}

// run is the whole program. It returns nil after a clean shutdown.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "check-rules" {
		return checkRules(args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "fsck" {
		return fsck(args[1:], stdout)
	}
	cfg, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	p, err := platform.Open(cfg, stdout, newLogger(stderr))
	if errors.Is(err, platform.ErrConfig) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer reloadOnHangup(ctx, p, newLogger(stderr))()
	return p.Run(ctx)
}

// reloadOnHangup reads the rules again at each SIGHUP, until what it returns is called.
func reloadOnHangup(ctx context.Context, p *platform.Platform, log zerolog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	var loop sync.WaitGroup
	loop.Go(func() {
		for {
			select {
			case <-hangups:
				if err := p.Reload(ctx); err != nil {
					log.Error().Err(err).Msg("reload failed")
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		cancel()
		loop.Wait()
	}
}

// checkRules is the command of that name. Each fault of a file is a line of its own, as of a
// compiler; that there are some is its error.
func checkRules(args []string, stdout, stderr io.Writer) error {
	if len(args) != 1 {
		return usagef("check-rules takes one rule file")
	}
	rules, err := rule.ReadFile(args[0])
	var faults *rule.Faults
	if errors.As(err, &faults) {
		return printFaults(stderr, args[0], faults)
	}
	if err != nil {
		return err
	}
	noun := "rules"
	if len(rules) == 1 {
		noun = "rule"
	}
	fmt.Fprintf(stdout, "%d %s, all of them understood\n", len(rules), noun)
	for i := range rules {
		fmt.Fprintf(stdout, "  %s\n", rule.Describe(&rules[i]))
	}
	return nil
}

// printFaults prints the first faults, and returns how many there are as an error.
func printFaults(stderr io.Writer, file string, faults *rule.Faults) error {
	for _, fault := range faults.First {
		fmt.Fprintln(stderr, fault)
	}
	if faults.More > 0 {
		fmt.Fprintf(stderr, "… and %d more\n", faults.More)
	}
	n := len(faults.First) + faults.More
	if n == 1 {
		return fmt.Errorf("%s has a fault; nothing of it would be used", file)
	}
	return fmt.Errorf("%s has %d faults; nothing of it would be used", file, n)
}

// exitCode prints err as one line and maps it to the process's exit code.
func exitCode(stderr io.Writer, err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, errDone):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "server: %v (server -h lists the flags)\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "server: %v\n", err)
		return exitCannotRun
	}
}

// newLogger logs for people on a terminal and as JSON otherwise.
func newLogger(w io.Writer) zerolog.Logger {
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != ""}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}
