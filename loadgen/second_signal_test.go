package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A second Ctrl-C ends the program at once, whatever the first one waits for.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	arrived, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	url := target(t, func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(arrived) })
		select {
		case <-let:
		case <-r.Context().Done():
		}
	})
	defer close(let)
	cmd := program(t, "-d", "1h", "-timeout", "10m", url)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for signals := 0; ; signals++ {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		select {
		case err := <-ended:
			exit, ok := err.(*exec.ExitError)
			if !ok {
				t.Fatalf("ended with %v", err)
			}
			status := exit.Sys().(syscall.WaitStatus)
			if signals > 2 || !(status.Signaled() && status.Signal() == syscall.SIGINT) && status.ExitStatus() != exitInterrupted {
				t.Errorf("after %d signals: %v, %s", signals+1, exit, &said)
			}
			return
		case <-time.After(2 * time.Second):
		}
		if signals == 2 {
			_ = cmd.Process.Kill()
			t.Fatal("goes on after three signals")
		}
	}
}
