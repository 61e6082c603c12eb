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
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK          = 0
	exitCannotRun   = 1
	exitUsage       = 2
	exitInvalid     = 3
	exitLost        = 4
	exitMissed      = 5
	exitInterrupted = 130
)

func main() {
	// A reader of ours that goes away is seen as an error of writing.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the second one has its default effect: the end.
	context.AfterFunc(ctx, stop)
	code := exitCode(realMain(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr)
	stop()
	os.Exit(code)
}

var (
	errInvalid     = errors.New("the run is not valid")
	errLost        = errors.New("the server did not keep what it accepted")
	errMissed      = errors.New("an objective is missed")
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
	case errors.Is(err, errLost):
		return exitLost
	case errors.Is(err, errInvalid):
		return exitInvalid
	case errors.Is(err, errMissed):
		return exitMissed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "loadgen: %v\nrun 'loadgen%s -h' for help\n", err, usage.command)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "loadgen: %v\n", err)
		return exitCannotRun
	}
}

// realMain runs the command that the first argument names, or a load.
func realMain(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "find":
			return explainedBy(" find", find(ctx, args[1:], stdout, stderr))
		case "merge":
			return explainedBy(" merge", mergeFiles(args[1:], stdout))
		case "help":
			args = []string{"-h"}
		}
	}
	return load(ctx, args, stdout, stderr)
}

// explainedBy makes a usage error point to the help of the command.
func explainedBy(command string, err error) error {
	var usage *usageError
	if errors.As(err, &usage) {
		usage.command = command
	}
	return err
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
