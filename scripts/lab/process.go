package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"phase0/bench/trial"
)

// Bounds of processes.
const (
	stopTimeout = 30 * time.Second
	// keptOutput is how much of the end of a process' output is kept.
	keptOutput   = 64 << 10
	maxComplaint = 300 // bytes of it that an error quotes
)

// OnCores returns the command line that runs a program on the given cores. Without
// pinning it is the program's own.
func OnCores(p trial.Placement, cores []int, path string, args []string) (string, []string) {
	if !p.Pinned || len(cores) == 0 {
		return path, args
	}
	list := make([]string, len(cores))
	for i, core := range cores {
		list[i] = strconv.Itoa(core)
	}
	return "taskset", append([]string{"-c", strings.Join(list, ","), path}, args...)
}

// Plan chooses cores for server and generator. Where taskset is missing nothing is
// pinned, and the placement says so.
func Plan() trial.Placement {
	p := trial.PlanPlacement()
	if _, err := exec.LookPath("taskset"); err != nil && p.Pinned {
		p.Pinned, p.Why = false, "not pinned: taskset is missing"
	}
	return p
}

// Cost is the CPU time of a process, start and end included.
type Cost struct {
	User   float64 `json:"user_seconds"`
	System float64 `json:"system_seconds"`
}

// Seconds is the sum.
func (c Cost) Seconds() float64 { return c.User + c.System }

// costOf is that of a command that has ended, or nothing if it never started.
func costOf(cmd *exec.Cmd) Cost {
	if s := cmd.ProcessState; s != nil {
		return Cost{s.UserTime().Seconds(), s.SystemTime().Seconds()}
	}
	return Cost{}
}

// Command says what to start.
type Command struct {
	Path string
	Args []string
	Dir  string // working directory, empty for the program's own
	// Ready is looked for in each line of standard output; its first group is what
	// the process says of itself. Without it the process counts as ready at once.
	Ready *regexp.Regexp
	// Patience bounds the wait for Ready.
	Patience time.Duration
}

// Process is a running process. Stop or Kill ends it; one of them must be called.
type Process struct {
	Said string // the group that Ready matched

	cmd    *exec.Cmd
	stdout sync.WaitGroup
	out    *tail
	err    *tail
}

// errSilent is returned for a process that does not get ready.
var errSilent = errors.New("it did not get ready")

// Start starts a process and waits until it is ready. When ctx ends it is told to
// stop.
func Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, c.Path, c.Args...), out: &tail{}, err: &tail{}}
	p.cmd.Dir, p.cmd.Stderr, p.cmd.SysProcAttr = c.Dir, p.err, attributes()
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopTimeout
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	ready := make(chan string, 1)
	p.stdout.Go(func() { p.read(stdout, c.Ready, ready) })
	if c.Ready == nil {
		return p, nil
	}
	if err := p.await(ctx, ready, c.Patience); err != nil {
		p.Kill()
		return nil, fmt.Errorf("start %s: %w: it said %q", c.Path, err, p.Complaint())
	}
	return p, nil
}

func (p *Process) await(ctx context.Context, ready <-chan string, patience time.Duration) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case said, ok := <-ready:
		if !ok {
			return errSilent
		}
		p.Said = said
		return nil
	case <-timeout.C:
		return fmt.Errorf("%w within %v", errSilent, patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read keeps the end of the output and passes on what Ready matches first; it closes
// ready at the output's end.
func (p *Process) read(stdout io.Reader, pattern *regexp.Regexp, ready chan<- string) {
	defer close(ready)
	lines := bufio.NewReaderSize(stdout, keptOutput)
	found := pattern == nil
	for {
		line, err := lines.ReadSlice('\n')
		if !found {
			if m := pattern.FindSubmatch(line); m != nil {
				ready <- string(m[1])
				found = true
			}
		}
		p.out.keep(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// PID is the process' number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Complaint is the end of what the process wrote to standard error, or else to
// standard output.
func (p *Process) Complaint() string {
	for _, t := range []*tail{p.err, p.out} {
		if text := bytes.TrimSpace(t.text()); len(text) > 0 {
			return string(text[max(0, len(text)-maxComplaint):])
		}
	}
	return ""
}

// Stop asks the process to end and waits. It returns the end of what the process
// wrote to standard output, and its cost. One that does not end in time is killed.
func (p *Process) Stop() (output []byte, used Cost, err error) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.Kill()
		return nil, costOf(p.cmd), fmt.Errorf("stop process: %w: it said %q", err, p.Complaint())
	}
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	p.stdout.Wait() // standard output must be read to its end before Wait closes it
	err = p.cmd.Wait()
	if err != nil && !endedByStop(err) {
		return p.out.text(), costOf(p.cmd), fmt.Errorf("stop process: %w: it said %q", err, p.Complaint())
	}
	return p.out.text(), costOf(p.cmd), nil
}

// endedByStop reports a program that does not handle the signal and is ended by it,
// which is as good.
func endedByStop(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

// Kill ends the process without ceremony and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only when it has ended already
	p.stdout.Wait()
	_ = p.cmd.Wait() // always reports the kill
}

// Run runs a command to its end and returns its standard output. An exit status
// that allowed lists is no error.
func Run(ctx context.Context, path string, args []string, allowed ...int) ([]byte, Cost, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	var stdout bytes.Buffer
	words := &tail{}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &stdout, words, attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		for _, code := range allowed {
			if exit.ExitCode() == code {
				return stdout.Bytes(), costOf(cmd), nil
			}
		}
	}
	if err != nil {
		text := bytes.TrimSpace(words.text())
		return nil, costOf(cmd), fmt.Errorf("run %s: %w: %s", path, err, text[max(0, len(text)-maxComplaint):])
	}
	return stdout.Bytes(), costOf(cmd), nil
}

// tail keeps the end of what is written to it. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer and never fails.
func (t *tail) Write(b []byte) (int, error) { t.keep(b); return len(b), nil }

func (t *tail) keep(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b[max(0, len(b)-keptOutput):]...)
	t.kept = t.kept[max(0, len(t.kept)-keptOutput):]
}

func (t *tail) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept)
}
