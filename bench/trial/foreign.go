package trial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// foreignStop is how long a foreign server may take to end after SIGTERM.
	foreignStop = 5 * time.Second
	// foreignPipe is how long its output is awaited after it ended: a child that
	// survived it may hold the other end.
	foreignPipe = time.Second
	dialPause   = 5 * time.Millisecond
)

// foreign is a server that is not ours, started from a command line. It leads a
// process group, so that its children end with it.
type foreign struct {
	cmd   *exec.Cmd
	words []string
	at    *url.URL
	said  *tail

	waiting sync.WaitGroup
	ended   chan struct{} // closed when the process is gone; err is valid then
	err     error
}

// startForeign starts the arm's command and waits until its port accepts a
// connection. The error wraps ErrServerStart.
func (h *Harness) startForeign(ctx context.Context, cores []int, dir string, arm Arm) (*foreign, error) {
	s, err := prepareForeign(dir, arm)
	if err != nil {
		return nil, err
	}
	s.words = h.shown(s.words)
	err = h.Placement.start(&s.waiting, cores, s.cmd.Start, func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServerStart, err)
	}
	if err := s.awaitPort(ctx); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

func prepareForeign(dir string, arm Arm) (*foreign, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	words, err := splitCommand(arm.Command)
	if err != nil {
		return nil, err
	}
	at, err := arm.target("http://" + net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	// After splitting: a directory with a blank in its name stays one word.
	fill := strings.NewReplacer("{port}", port, "{dir}", dir)
	for i := range words {
		words[i] = fill.Replace(words[i])
	}
	s := &foreign{words: words, at: at, said: &tail{}, ended: make(chan struct{})}
	s.cmd = exec.Command(words[0], words[1:]...)
	if s.cmd.Err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServerStart, s.cmd.Err)
	}
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	s.cmd.SysProcAttr = childAttributes()
	s.cmd.WaitDelay = foreignPipe
	return s, nil
}

// freePort returns a port that nobody listens on at the moment. Somebody may take it
// before the server does, which then does not start.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	return port, listener.Close()
}

func (s *foreign) awaitPort(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, ErrServerStart)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", s.at.Host)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%w: it ended before port %s accepted a connection (%s): %s; a server must stay in the foreground",
				ErrServerStart, s.at.Port(), s.state(), s.said.lastLine())
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), ErrServerStart) {
				return fmt.Errorf("%w: port %s accepts no connection after %v: %s", ErrServerStart, s.at.Port(), startTimeout, s.said.lastLine())
			}
			return ctx.Err()
		case <-time.After(dialPause):
		}
	}
}

// state says how the process ended, which it has.
func (s *foreign) state() string {
	if s.err == nil {
		return "exit status 0"
	}
	return s.err.Error()
}

func (s *foreign) endpoint() *url.URL                   { return s.at }
func (s *foreign) shownArgs() []string                  { return s.words }
func (s *foreign) cpu() (time.Duration, error)          { return groupCPU(s.cmd.Process.Pid) }
func (s *foreign) memory() (now, peak int64, err error) { return groupMemory(s.cmd.Process.Pid) }

// stop ends the process group. A server that had ended by itself is an error; how
// one ends that was asked to is its own affair.
func (s *foreign) stop() (exit, error) {
	var e exit
	select {
	case <-s.ended:
		s.kill() // its children
		return e, fmt.Errorf("the server ended during the trial (%s): %s", s.state(), s.said.lastLine())
	default:
	}
	_, e.peak, _ = s.memory() // 0 where the platform does not tell
	s.signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(foreignStop):
	}
	s.kill()
	return e, nil
}

// kill ends what is left of the process group and waits for its leader.
func (s *foreign) kill() {
	s.signal(syscall.SIGKILL)
	s.waiting.Wait()
}

// signal reaches every process of the group; it fails only when none is left.
func (s *foreign) signal(sig syscall.Signal) { _ = syscall.Kill(-s.cmd.Process.Pid, sig) }
