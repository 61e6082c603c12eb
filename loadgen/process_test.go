package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// asProgram makes this test binary run as loadgen.
const asProgram = "LOADGEN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestSignalEndsTheProgramWithASummary(t *testing.T) {
	arrived := make(chan struct{})
	var once sync.Once
	url := target(t, func(w http.ResponseWriter, r *http.Request) {
		accept(w, r)
		once.Do(func() { close(arrived) })
	})
	cmd := program(t, "-d", "1h", url)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(out.String(), "interrupted after") {
		t.Errorf("printed %s", out.String())
	}
}

func TestClosedPipeIsNoFailure(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := program(t, "-h")
	cmd.Stdout = w
	if err := cmd.Run(); err != nil {
		t.Errorf("ended with %v", err)
	}
	w.Close()
}
