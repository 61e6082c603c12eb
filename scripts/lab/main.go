package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Program is a measuring program as its main function describes it.
type Program struct {
	Name string
	Help string
	// Start does everything. When ctx ends it returns soon, with ErrInterrupted.
	Start func(ctx context.Context, args []string, stdout, stderr io.Writer) error
	Codes Codes
	// Brief is a program that has nothing to put in order: a signal ends it at once.
	Brief bool
}

// Codes are exit codes by the errors that they stand for. Of several that match the first
// counts.
type Codes []struct {
	Err  error
	Code int
}

// Of returns the exit code for an error: 0 without one, and what c does not know is
// ExitUsage, ExitInterrupted or ExitFailed.
func (c Codes) Of(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUsage):
		return ExitUsage
	}
	for _, one := range c {
		if errors.Is(err, one.Err) {
			return one.Code
		}
	}
	if errors.Is(err, ErrInterrupted) {
		return ExitInterrupted
	}
	return ExitFailed
}

// Main runs a program and ends the process. SIGINT and SIGTERM end the context of Start; a
// second one ends the process at once.
func Main(p Program) {
	ctx := context.Background()
	if !p.Brief {
		var stop func()
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
	}
	os.Exit(p.run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func (p Program) run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := p.Start(ctx, args, stdout, stderr)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, p.Help)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	}
	return p.Codes.Of(err)
}
