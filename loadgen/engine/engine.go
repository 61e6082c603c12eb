// Package engine defines what drives the connections of a run. An Engine sends
// the requests of a Plan and tells a record.Recorder what becomes of each of
// them. Template holds a request's bytes, built once; Clock is the run's time,
// with a sleep that is accurate to some tens of microseconds.
//
// Child packages are the engines. What every engine promises:
//
//   - A request that is due takes any idle connection, or dials another up to the
//     limit, or waits in order with its intended start kept. Connections are never
//     dialled ahead of need, so that none sits idle in front of a server that
//     serves one at a time.
//   - Requests are neither retried nor dialled again, but for what Plan.Reconnect
//     allows.
//   - After the last intended start, answers are awaited up to the timeout; what
//     is open then is recorded as open.
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"phase0/loadgen/record"
	"phase0/loadgen/schedule"
)

// ErrNoServer is returned, wrapped, when a connection fails before any other was
// made: there is no server to measure.
var ErrNoServer = errors.New("no server")

// Limits of an answer.
const (
	HeaderLimit  = 8 << 10  // bytes of one header block
	BodyLimit    = 64 << 20 // bytes; drained, not kept
	InterimLimit = 16       // 1xx answers before the final one
)

// CloseGrace is how long a server that announced it may take to close.
const CloseGrace = 200 * time.Millisecond

// The pause after failed dials in the closed model: it doubles from the first to
// the last, so that a server that is gone is not hammered.
const (
	FirstPause = 10 * time.Millisecond
	LastPause  = time.Second
)

// ReconnectPause is the time between two attempts to reach a server that is away.
const ReconnectPause = 20 * time.Millisecond

// Plan is what a run offers.
type Plan struct {
	Address string // host:port
	// TLS is how to encrypt connections; nil means plain ones. An engine takes a
	// copy, speaks HTTP/1.1 over TLS 1.2 or later, and expects the certificate of
	// ServerName or, where that is empty, of the host in Address. The handshake is
	// part of the dial.
	TLS     *tls.Config
	Request *Template
	Clock   *Clock // its start is the start of the run

	// Schedule is the open model's; nil means the closed model, in which each
	// connection sends its next request as soon as it has the answer to the last.
	Schedule schedule.Schedule
	// Duration and Requests bound the closed model; zero does not bound.
	Duration time.Duration
	Requests int64

	Connections int           // most connections at the same time, ≥ 1
	Timeout     time.Duration // for an answer from its actual start, and for a dial
	KeepAlive   bool          // false closes a connection after its first answer
	// Reconnect lets a request whose connection is refused wait, up to the timeout,
	// for the server to come back. Without it the request counts as never sent. In
	// the closed model no request becomes due while the server is away.
	Reconnect bool
}

// Outcome is what an engine knows beside what it recorded.
type Outcome struct {
	Scheduled   int64 // requests that became due
	Peak        int   // most connections open or being dialled at the same time
	Dials       int64 // attempts to connect
	Interrupted bool  // the context ended the run
	// Bunch is by how much requests were delayed at most so that several left in
	// one wake-up; 0 when each left by itself.
	Bunch time.Duration
}

// Engine drives connections.
type Engine interface {
	// Run offers the plan and returns when every request that became due is
	// recorded and every goroutine and connection is gone: at the latest a timeout
	// after the last intended start. The context's end stops the run at once and is
	// not an error. ErrNoServer is the only failure of a valid plan.
	Run(ctx context.Context, p Plan, rec *record.Recorder) (Outcome, error)
}
