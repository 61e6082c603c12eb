package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"phase0/bench/trial"
)

// traced attaches strace to the running server and lets system calls fail or take
// long until it is detached.
type traced struct {
	trial.Calm
	calls  string // which, such as fsync,fdatasync
	inject string // what, such as error=EIO
	onData bool   // only those on the storage file

	tracer *exec.Cmd
	output strings.Builder
	log    string
	hits   int
}

const (
	attachTimeout = 5 * time.Second
	attachPause   = 5 * time.Millisecond
	maxTraceLine  = 64 << 10
)

// tracePossible says why strace cannot be used here, or nothing.
func tracePossible() string {
	path, err := exec.LookPath("strace")
	if err != nil {
		return "strace is not installed (apt-get install strace)"
	}
	ctx, cancel := context.WithTimeout(context.Background(), attachTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-qq", "-e", "trace=exit_group", "-e", "inject=fsync:error=EIO", "true").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("strace does not work here: %v: %.100s", err, strings.TrimSpace(string(out)))
	}
	// A process may be traced by one that is not its parent only where that is allowed.
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err == nil && strings.TrimSpace(string(scope)) != "0" && os.Geteuid() != 0 {
		return "strace may not attach to a running process here (kernel.yama.ptrace_scope)"
	}
	return ""
}

// Strike implements trial.Fault.
func (f *traced) Strike(ctx context.Context, v trial.Victim) error {
	f.log = filepath.Join(filepath.Dir(v.Dir), fmt.Sprintf("trace-%d", v.PID))
	args := []string{"-f", "-qq", "-o", f.log, "-e", "trace=" + f.calls, "-e", "inject=" + f.calls + ":" + f.inject}
	if f.onData {
		args = append(args, "-P", v.Data)
	}
	f.tracer = exec.Command("strace", append(args, "-p", fmt.Sprint(v.PID))...)
	f.tracer.Stdout, f.tracer.Stderr = &f.output, &f.output
	if err := f.tracer.Start(); err != nil {
		f.tracer = nil
		return fmt.Errorf("start strace: %w", err)
	}
	for deadline := time.Now().Add(attachTimeout); !attached(v.PID); time.Sleep(attachPause) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("strace did not attach within %v", attachTimeout)
		}
	}
	return nil
}

// attached reports whether every thread of a process is traced.
func attached(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		return false
	}
	for _, path := range tasks {
		status, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil || strings.Contains(string(status), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}

// Heal implements trial.Fault.
func (f *traced) Heal(context.Context, trial.Victim) error {
	if f.tracer == nil {
		return nil
	}
	// At SIGINT strace lets its tracee go on and then ends itself by that signal.
	err := f.tracer.Process.Signal(syscall.SIGINT)
	overdue := time.AfterFunc(attachTimeout, func() { _ = f.tracer.Process.Kill() }) // which detaches, too
	_ = f.tracer.Wait()
	overdue.Stop()
	f.tracer = nil
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("detach strace: %w", err)
	}
	file, err := os.Open(f.log)
	if err != nil {
		return fmt.Errorf("read trace: %w", err)
	}
	defer file.Close()
	f.hits, err = countInjected(file)
	return err
}

// countInjected counts the calls in a log of strace that it tampered with.
func countInjected(log io.Reader) (n int, err error) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, maxTraceLine)
	for lines.Scan() {
		if line := lines.Text(); strings.HasSuffix(line, "(INJECTED)") || strings.HasSuffix(line, "(DELAYED)") {
			n++
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("read trace: %w", err)
	}
	return n, nil
}

// Seen implements trial.Fault.
func (f *traced) Seen(context.Context, trial.Victim) (string, []string, error) {
	if f.hits == 0 {
		return "", nil, fmt.Errorf("no call of %s was touched: %.200s", f.calls, strings.TrimSpace(f.output.String()))
	}
	return fmt.Sprintf("%d calls", f.hits), nil, nil
}

// Close implements trial.Fault.
func (f *traced) Close() error {
	err := f.Heal(context.Background(), trial.Victim{})
	if f.log == "" {
		return err
	}
	return errors.Join(err, os.Remove(f.log))
}
