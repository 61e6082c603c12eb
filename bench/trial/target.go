package trial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// defaultPath is where samples are posted.
const defaultPath = "/metrics"

// target is a running server under load: one of ours, a foreign command, or one
// that ran already.
type target interface {
	// endpoint is where the load goes.
	endpoint() *url.URL
	// args say how the server was started, as results show it.
	shownArgs() []string
	// cpu is the CPU time used so far; memory the resident set and its peak in bytes.
	// Their errors say why that is not known.
	cpu() (time.Duration, error)
	memory() (now, peak int64, err error)
	// stop asks the server to end and waits, bounded. The error names what went
	// wrong with it since it came up.
	stop() (exit, error)
	// kill ends it without ceremony.
	kill()
}

// errUnknown is the reason why a server that runs already tells nothing.
var errUnknown = errors.New("not known of a server that bench did not start")

// startTarget starts the arm's server on cores.
func (h *Harness) startTarget(ctx context.Context, cores []int, dir string, arm Arm) (target, error) {
	switch {
	case arm.Command != "":
		return h.startForeign(ctx, cores, dir, arm)
	case arm.URL != "":
		return findRemote(ctx, arm)
	}
	return h.startServer(ctx, cores, dataFile(dir), arm.ServerArgs...)
}

// remote is a server that runs already, perhaps on another machine.
type remote struct{ at *url.URL }

// findRemote checks that somebody listens.
func findRemote(ctx context.Context, arm Arm) (target, error) {
	at, err := arm.target(arm.URL)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: startTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", at.Host)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServerStart, err)
	}
	return remote{at}, conn.Close()
}

func (r remote) endpoint() *url.URL            { return r.at }
func (r remote) shownArgs() []string           { return []string{r.at.String()} }
func (r remote) cpu() (time.Duration, error)   { return 0, errUnknown }
func (r remote) memory() (_, _ int64, _ error) { return 0, 0, errUnknown }
func (r remote) stop() (exit, error)           { return exit{}, nil }
func (r remote) kill()                         {}
