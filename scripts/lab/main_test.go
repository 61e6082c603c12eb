package lab

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var errMissed = errors.New("missed")

// The test binary is a measuring program when it is asked to be.
const actAsProgram = "PHASE0_TEST_ACT_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(actAsProgram) != "" {
		Main(Program{Name: "waiter", Help: "waits\n", Start: wait, Codes: Codes{{errMissed, 5}}})
	}
	os.Exit(m.Run())
}

// wait says that it is there, and waits: for ever if it is stubborn.
func wait(ctx context.Context, _ []string, stdout, _ io.Writer) error {
	fmt.Fprintln(stdout, "waiting")
	<-ctx.Done()
	fmt.Fprintln(stdout, "told to end")
	if os.Getenv(actAsProgram) == "stubborn" {
		select {}
	}
	return fmt.Errorf("%w before the end", ErrInterrupted)
}

func TestProgram(t *testing.T) {
	for _, tt := range []struct {
		err            error
		code           int
		stdout, stderr string
	}{
		{nil, 0, "", ""}, {flag.ErrHelp, 0, "help\n", ""}, {fmt.Errorf("%w: -x", ErrUsage), 2, "", "name: usage: -x\n"},
		{errors.Join(io.EOF, errMissed), 5, "", "name: EOF\nmissed\n"}, {ErrInterrupted, 130, "", "name: interrupted\n"}, {io.EOF, 1, "", "name: EOF\n"},
		{errors.Join(ErrInterrupted, errMissed), 5, "", "name: interrupted\nmissed\n"},
	} {
		var stdout, stderr strings.Builder
		p := Program{Name: "name", Help: "help\n", Codes: Codes{{errMissed, 5}}, Start: func(context.Context, []string, io.Writer, io.Writer) error { return tt.err }}
		if code := p.run(t.Context(), nil, &stdout, &stderr); code != tt.code || stdout.String() != tt.stdout || stderr.String() != tt.stderr {
			t.Errorf("%v: code %d, stdout %q, stderr %q", tt.err, code, &stdout, &stderr)
		}
	}
}

// A signal ends a program in order, a second one at once.
func TestSignals(t *testing.T) {
	for kind, want := range map[string]func(*os.ProcessState) bool{
		"polite":   func(s *os.ProcessState) bool { return s.ExitCode() == ExitInterrupted },
		"stubborn": func(s *os.ProcessState) bool { return s.Sys().(syscall.WaitStatus).Signal() == syscall.SIGINT },
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), actAsProgram+"="+kind)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || cmd.Process.Signal(os.Interrupt) != nil || !lines.Scan() || lines.Text() != "told to end" {
			t.Fatalf("%s: it said %q", kind, lines.Text())
		}
		var waiting sync.WaitGroup
		done := make(chan struct{})
		waiting.Go(func() { defer close(done); _ = cmd.Wait() }) // its state says it
		for over := false; !over; {
			select {
			case <-done:
				over = true
			case <-time.After(time.Millisecond):
				if kind == "stubborn" {
					_ = cmd.Process.Signal(os.Interrupt) // it may have ended
				}
			}
		}
		waiting.Wait()
		if !want(cmd.ProcessState) {
			t.Errorf("%s: %v", kind, cmd.ProcessState)
		}
	}
}
