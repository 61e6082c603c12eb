package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"phase0/loadgen/record"
)

// generatorGrace is how long the load generator may take to end after it was
// interrupted.
const generatorGrace = 3 * time.Second

// Exit codes of the load generator with which its report is complete all the same.
const (
	exitNotValid    = 3 // a run that judged itself invalid, a search that was limited
	exitMissed      = 5 // no rate keeps the objectives
	exitInterrupted = 130
)

// generate runs the load generator once and returns its report.
func (h *Harness) generate(ctx context.Context, dir string, args ...string) (record.Result, error) {
	var result record.Result
	_, err := h.loadgen(ctx, dir, &result, []int{exitNotValid}, append([]string{"-quiet"}, args...)...)
	if err == nil && result.Schema != record.SchemaVersion {
		err = fmt.Errorf("decode loadgen's report: schema %d, want %d", result.Schema, record.SchemaVersion)
	}
	return result, err
}

// loadgen runs the load generator and decodes its report, which it also writes when it
// ends with one of the codes. The end of ctx interrupts it, which is an error unless
// exitInterrupted is among them. It returns the CPU time that the process used.
func (h *Harness) loadgen(ctx context.Context, dir string, report any, codes []int, args ...string) (time.Duration, error) {
	path := filepath.Join(dir, "loadgen.json")
	cmd := exec.CommandContext(ctx, h.Loadgen, append(args[:len(args)-1:len(args)-1], "-o", path, args[len(args)-1])...)
	words := &tail{}
	cmd.Stderr = words
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = generatorGrace
	var running sync.WaitGroup
	var err error
	if err := h.Placement.start(&running, h.Placement.Generator, cmd.Start, func() { err = cmd.Wait() }); err != nil {
		return 0, fmt.Errorf("start loadgen: %w", err)
	}
	running.Wait()
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	// Where it was interrupted Wait tells of the context rather than of the code.
	switch code := cmd.ProcessState.ExitCode(); {
	case ctx.Err() != nil && !slices.Contains(codes, exitInterrupted):
		return used, ctx.Err()
	case code != 0 && !slices.Contains(codes, code):
		return used, fmt.Errorf("run loadgen: %w: %s", err, words.lastLine())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return used, fmt.Errorf("read loadgen's report: %w", err)
	}
	if err := json.Unmarshal(text, report); err != nil {
		return used, fmt.Errorf("decode loadgen's report: %w", err)
	}
	return used, os.Remove(path)
}
