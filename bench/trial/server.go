package trial

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 30 * time.Second
	// tailBytes of a child's stderr are kept for error messages.
	tailBytes = 2048
)

// ErrServerStart is returned when a server process does not come up.
var ErrServerStart = errors.New("server did not start")

// server is a running server process.
type server struct {
	cmd  *exec.Cmd
	data string // path of the storage file
	addr string
	args []string // as results show them

	watch  sync.WaitGroup
	output *serverOutput
	stderr *tail
}

// exit is how a server ended.
type exit struct {
	accepted, stored int64 // from the closing line
	peak             int64 // largest resident set, bytes
}

// anyPort lets the system choose a port on loopback.
const anyPort = "127.0.0.1:0"

// startServer starts a server on cores and waits for its start-up line. It
// returns an error that wraps ErrServerStart and ends with the server's own words.
func (h *Harness) startServer(ctx context.Context, cores []int, data string, args ...string) (*server, error) {
	return h.startServerAt(ctx, cores, anyPort, data, args...)
}

// startServerAt is startServer with an address.
func (h *Harness) startServerAt(ctx context.Context, cores []int, addr, data string, args ...string) (*server, error) {
	return h.startHeard(ctx, cores, addr, data, nil, args...)
}

// startHeard is startServerAt with somebody who is called for each line that the server
// prints, from one goroutine; nil is nobody. The line is only lent.
func (h *Harness) startHeard(ctx context.Context, cores []int, addr, data string, hear func(line []byte), args ...string) (*server, error) {
	args = append([]string{"-addr", addr, "-data", data}, args...)
	s := &server{data: data, args: h.shown(args), output: newServerOutput(hear), stderr: &tail{}}
	s.cmd = exec.Command(h.Server, args...)
	s.cmd.Stderr = s.stderr
	s.cmd.SysProcAttr = childAttributes()
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if err := h.Placement.start(&s.watch, cores, s.cmd.Start, func() { s.output.read(stdout) }); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if err := s.awaitStart(ctx); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

func (s *server) awaitStart(ctx context.Context) error {
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case port, ok := <-s.output.port:
		if !ok {
			return fmt.Errorf("%w: %s", ErrServerStart, s.stderr.lastLine())
		}
		s.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		return nil
	case <-timeout.C:
		return fmt.Errorf("%w: no start-up line within %v", ErrServerStart, startTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// url returns the address of an endpoint.
func (s *server) url(path string) string { return "http://" + s.addr + path }

func (s *server) endpoint() *url.URL {
	return &url.URL{Scheme: "http", Host: s.addr, Path: defaultPath}
}
func (s *server) shownArgs() []string                  { return s.args }
func (s *server) cpu() (time.Duration, error)          { return processCPU(s.pid()) }
func (s *server) memory() (now, peak int64, err error) { return processMemory(s.pid()) }

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop asks the server to end, waits for it, and returns what it said. A server
// that does not end in time is killed.
func (s *server) stop() (exit, error) {
	_, peak, peakErr := s.memory()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.kill()
		return exit{}, fmt.Errorf("stop server: %w", err)
	}
	overdue := time.AfterFunc(stopTimeout, func() { _ = s.cmd.Process.Kill() })
	defer overdue.Stop()
	s.watch.Wait() // stdout must be read to its end before Wait closes it
	err := s.cmd.Wait()
	e := exit{accepted: s.output.accepted, stored: s.output.stored, peak: peak}
	if usage, ok := s.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && peakErr != nil {
		e.peak = usage.Maxrss * maxRSSUnit
	}
	switch {
	case err != nil:
		return e, fmt.Errorf("stop server: %w: %s", err, s.stderr.lastLine())
	case !s.output.closed:
		return e, errors.New("stop server: no closing line")
	}
	return e, nil
}

// kill ends the process without ceremony and waits for it.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // fails only when it has ended already
	s.watch.Wait()
	_ = s.cmd.Wait() // always reports the kill
}

// serverOutput picks out of a server's stdout what a trial needs.
type serverOutput struct {
	port chan int // gets the port once; closed at the end of the output
	hear func(line []byte)

	// Valid after the output ended.
	accepted, stored int64
	closed           bool
}

func newServerOutput(hear func(line []byte)) *serverOutput {
	if hear == nil {
		hear = func([]byte) {}
	}
	return &serverOutput{port: make(chan int, 1), hear: hear}
}

func (o *serverOutput) read(stdout io.Reader) {
	started := regexp.MustCompile(`^\[Ingestion\] Server started on port (\d{1,5})$`)
	closing := regexp.MustCompile(`^\[Shutdown\] Accepted (\d{1,18}) samples, stored (\d{1,18}) samples`)
	defer close(o.port)
	lines := bufio.NewScanner(stdout)
	announced := false
	for lines.Scan() {
		o.hear(lines.Bytes())
		if m := started.FindSubmatch(lines.Bytes()); m != nil && !announced {
			o.port <- int(number(m[1]))
			announced = true
		}
		if m := closing.FindSubmatch(lines.Bytes()); m != nil {
			o.accepted, o.stored, o.closed = number(m[1]), number(m[2]), true
		}
	}
	// A line too long for the scanner must not block the server's writes.
	_, _ = io.Copy(io.Discard, stdout)
}

// number reads digits that a pattern has bounded.
func number(digits []byte) int64 {
	n, _ := strconv.ParseInt(string(digits), 10, 64)
	return n
}

// tail keeps the end of what is written to it. It is safe for use by a process'
// copying goroutine and a reader at the same time.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer and never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailBytes):]...)
	t.kept = t.kept[max(0, len(t.kept)-tailBytes):]
	return len(p), nil
}

func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.kept)
	if len(text) == 0 {
		return "it said nothing on stderr"
	}
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// countLines returns the number of line ends in a file; a torn last line is not
// a line.
func countLines(path string) (int64, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // nothing was ever stored
	}
	if err != nil {
		return 0, fmt.Errorf("count stored lines: %w", err)
	}
	defer file.Close()
	return countMore(file, make([]byte, 64<<10))
}

// countMore counts the line ends from a file's position to its present end.
func countMore(file io.Reader, buffer []byte) (int64, error) {
	var lines int64
	for {
		n, err := file.Read(buffer)
		lines += int64(bytes.Count(buffer[:n], []byte("\n")))
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return 0, fmt.Errorf("count stored lines: %w", err)
		}
	}
}
