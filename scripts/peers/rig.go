package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/refserver/tally"
)

// Bounds of processes.
const (
	startTimeout = 10 * time.Second
	stopTimeout  = 10 * time.Second
	// overtime is how long a client may take beyond its run.
	overtime  = 30 * time.Second
	maxStderr = 300 // bytes of a client's complaint that are kept
)

// rig starts the server and the clients.
type rig struct {
	server    string            // path of refserver
	clients   map[string]string // paths by tool
	placement trial.Placement
	dir       string // scratch
}

// onCore returns the command line that runs a program on the given cores.
func (r rig) onCore(cores []int, path string, args []string) (string, []string) {
	if !r.placement.Pinned {
		return path, args
	}
	return "taskset", append([]string{"-c", strconv.Itoa(cores[0]), path}, args...)
}

// serve starts a server and returns its URL and a function that stops it and
// returns what it counted.
func (r rig) serve(ctx context.Context, args []string) (url string, stop func() (tally.Tally, cost, error), err error) {
	path, args := r.onCore(r.placement.Server, r.server, args)
	cmd := exec.CommandContext(ctx, path, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, fmt.Errorf("start server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start server: %w", err)
	}
	// A server that says nothing is ended, which ends the reading too.
	silent := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	silent.Stop()
	address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		_ = cmd.Process.Kill()
		return "", nil, fmt.Errorf("start server: %w: it said %q %q", errors.Join(err, cmd.Wait()), line, clip(complaint.Bytes()))
	}
	return "http://" + address + "/metrics", func() (tally.Tally, cost, error) { return stopServer(cmd, lines) }, nil
}

func stopServer(cmd *exec.Cmd, lines *bufio.Reader) (tally.Tally, cost, error) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return tally.Tally{}, cost{}, errors.Join(fmt.Errorf("stop server: %w", err), cmd.Wait())
	}
	late := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	line, readErr := lines.ReadBytes('\n')
	err := cmd.Wait()
	used := costOf(cmd)
	if err != nil || readErr != nil {
		return tally.Tally{}, used, fmt.Errorf("stop server: %w", errors.Join(readErr, err))
	}
	t, err := tally.Parse(line)
	return t, used, err
}

// clip shortens a complaint.
func clip(text []byte) string {
	return strings.TrimSpace(string(text[:min(len(text), maxStderr)]))
}

// cost is the CPU time of a process, start and end included.
type cost struct {
	User   float64 `json:"user_seconds"`
	System float64 `json:"system_seconds"`
}

func (c cost) seconds() float64 { return c.User + c.System }

// costOf is that of a command that has ended, or nothing if it never started.
func costOf(cmd *exec.Cmd) cost {
	if s := cmd.ProcessState; s != nil {
		return cost{s.UserTime().Seconds(), s.SystemTime().Seconds()}
	}
	return cost{}
}

// load runs a client and returns what it left behind and its cost. The line is
// its command line.
func (r rig) load(ctx context.Context, t tool, c call) (o output, used cost, line []string, err error) {
	for name, text := range inputs(c.url) {
		if err := os.WriteFile(c.file(name), []byte(text), 0o600); err != nil {
			return o, used, nil, fmt.Errorf("write input: %w", err)
		}
	}
	line = append([]string{t.name}, t.args(c)...)
	limited, cancel := context.WithTimeout(ctx, time.Duration(c.seconds)*time.Second+overtime)
	defer cancel()
	if o.stdout, used, err = r.execute(limited, t, line[1:]); err != nil {
		return o, used, line, err
	}
	if t.report != nil {
		first, second := t.report(c)
		if o.stdout, _, err = r.execute(ctx, t, first); err != nil {
			return o, used, line, err
		}
		o.file, _, err = r.execute(ctx, t, second)
		return o, used, line, err
	}
	if t.result == nil || t.result(c) == "" {
		return o, used, line, nil
	}
	o.file, err = os.ReadFile(filepath.Clean(t.result(c)))
	if err != nil {
		return o, used, line, fmt.Errorf("read result of %s: %w", t.name, err)
	}
	return o, used, line, nil
}

// notValid is loadgen's exit code for a run that it judges itself unfit; the
// verdict is in the result.
const notValid = 3

func (r rig) execute(ctx context.Context, t tool, args []string) ([]byte, cost, error) {
	path, args := r.onCore(r.placement.Generator, r.clients[t.name], args)
	cmd := exec.CommandContext(ctx, path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	err := cmd.Run()
	used := costOf(cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == notValid && t.name == "loadgen" {
		err = nil
	}
	if err != nil {
		return nil, used, fmt.Errorf("run %s: %w: %s", t.name, err, clip(stderr.Bytes()))
	}
	return stdout.Bytes(), used, nil
}

// readStamps reads the file that a server wrote.
func readStamps(path string) ([]int64, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("read stamps: %w", err)
	}
	defer file.Close()
	_, stamps, err := tally.Read(io.Reader(file))
	return stamps, err
}
