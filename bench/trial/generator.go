package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"phase0/loadgen/record"
)

// generatorGrace is how long the load generator may take to end after it was
// interrupted.
const generatorGrace = 3 * time.Second

// exitNotValid is the exit code of a run that judged itself invalid; its report
// is complete all the same.
const exitNotValid = 3

// generate runs the load generator once and returns its report.
func (h *Harness) generate(ctx context.Context, dir string, args ...string) (record.Result, error) {
	var result record.Result
	report := filepath.Join(dir, "loadgen.json")
	cmd := exec.CommandContext(ctx, h.Loadgen, append([]string{"-quiet", "-o", report}, args...)...)
	words := &tail{}
	cmd.Stderr = words
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = generatorGrace
	var running sync.WaitGroup
	var err error
	if err := h.Placement.start(&running, h.Placement.Generator, cmd.Start, func() { err = cmd.Wait() }); err != nil {
		return result, fmt.Errorf("start loadgen: %w", err)
	}
	running.Wait()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return result, ctx.Err()
	case errors.As(err, &ended) && ended.ExitCode() == exitNotValid:
	case err != nil:
		return result, fmt.Errorf("run loadgen: %w: %s", err, words.lastLine())
	}
	text, err := os.ReadFile(report)
	if err != nil {
		return result, fmt.Errorf("read loadgen's report: %w", err)
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return result, fmt.Errorf("decode loadgen's report: %w", err)
	}
	if result.Schema != record.SchemaVersion {
		return result, fmt.Errorf("decode loadgen's report: schema %d, want %d", result.Schema, record.SchemaVersion)
	}
	return result, os.Remove(report)
}
