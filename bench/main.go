// Bench measures servers against each other: fresh processes, interleaved trials,
// paired statistics, and a report under results/.
//
//	go run ./bench                       quick profile, under four minutes
//	go run ./bench run -profile full     under an hour, for citing
//	go run ./bench verify DIR            compute a report again from its raw trials
//	go run ./bench compare DIR DIR       two reports side by side
//	go run ./bench report FILE...        a page from the load generator's results
//
// It starts bin/server and bin/loadgen, which `make build` builds. What it stores
// and how to read it is told in results/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // could not run
	exitUsage       = 2
	exitNotValid    = 3 // noisy, or a claim withheld
	exitLost        = 4 // a server lost accepted samples, or a report does not verify
	exitInterrupted = 130
)

func main() {
	// Whoever stops reading what is printed does not stop a run.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action returns, so that a second one ends
	// the program at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is one of bench's jobs. It returns the exit code; an error is printed.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error)

func commands() map[string]command {
	return map[string]command{"run": runCommand, "verify": verifyCommand, "compare": compareCommand, "report": reportCommand}
}

// errHelp is returned when help was asked for and printed; errUsage is wrapped by
// errors about the command line.
var (
	errHelp  = errors.New("help printed")
	errUsage = errors.New("usage")
)

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name, do := "run", runCommand
	if len(args) > 0 {
		if known, ok := commands()[args[0]]; ok {
			name, do, args = args[0], known, args[1:]
		}
	}
	if len(args) == 1 && slices.Contains([]string{"-version", "--version"}, args[0]) {
		fmt.Fprintln(stdout, "bench", version())
		return exitOK
	}
	code, err := do(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "bench: %v\nrun 'bench %s -h' for help\n", err, name)
		return exitUsage
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v\n", err)
	}
	return code
}

// version tells what the Go toolchain stamped into the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}

// usageError makes err one of the command line, without changing its words.
type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{e.error, errUsage} }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
