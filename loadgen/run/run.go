// Package run carries out one run: it plans it, lets an engine drive it, and
// condenses and judges what was recorded. It neither reads flags nor prints.
package run

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"sync"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/engine/epoll"
	"phase0/loadgen/engine/fasthttp"
	"phase0/loadgen/record"
	"phase0/loadgen/schedule"
	"phase0/loadgen/verdict"
)

// The models.
const (
	Open   = "open"   // requests are due by the clock
	Closed = "closed" // requests are due when a connection is free
)

// The engines. Auto is the fastest that can do what is asked for.
const (
	Auto     = "auto"
	Epoll    = epoll.Name
	FastHTTP = fasthttp.Name
)

// choose replaces Auto, or returns an error if the engine that was asked for
// cannot do it.
func (cfg *Config) choose() error {
	can := epoll.Available && cfg.URL.Scheme == "http"
	switch {
	case cfg.Engine == Epoll && !epoll.Available:
		return fmt.Errorf("engine %s needs Linux", Epoll)
	case cfg.Engine == Epoll && !can:
		return fmt.Errorf("engine %s speaks plain http only; use -engine %s", Epoll, FastHTTP)
	case (cfg.Engine == Auto || cfg.Engine == "") && can:
		cfg.Engine = Epoll
	case cfg.Engine == Auto || cfg.Engine == "":
		cfg.Engine = FastHTTP
	}
	return nil
}

func (cfg Config) engine() engine.Engine {
	if cfg.Engine == Epoll {
		return epoll.Engine{}
	}
	return fasthttp.Engine{}
}

// progressInterval is how often progress is told.
const progressInterval = 500 * time.Millisecond

// Config is what to do. All values must be within the ranges that the
// command line states.
type Config struct {
	URL     *url.URL // http, with host and path
	Method  string
	Headers []engine.Header
	Body    []byte // nil for the default body

	Model       string
	RPS         float64       // of the open model
	Duration    time.Duration // zero does not bound
	Requests    int64         // zero does not bound
	Connections int
	Timeout     time.Duration
	KeepAlive   bool
	Engine      string // see Engines; empty is Auto

	Seed    uint64
	RunID   string // see NewRunID
	Version string // of the tool

	// Progress, if set, is called a few times per second during the run, never
	// concurrently.
	Progress func(elapsed time.Duration, p record.Progress)
}

// NewRunID returns a short random name, so that every run has series of its own.
func NewRunID() string {
	var b [4]byte
	// Never fails: crypto/rand ends the program instead.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Run carries out cfg. For a steady open model the caller sets GOMAXPROCS to one
// more than there are cores: the sender occupies one while it sleeps. The end of the context interrupts the run, which is not
// an error: the result has what was measured so far. ErrNoServer of package
// engine is returned, wrapped, when the first connection fails.
func Run(ctx context.Context, cfg Config) (record.Result, error) {
	if err := cfg.choose(); err != nil {
		return record.Result{}, err
	}
	template, err := engine.NewTemplate(engine.Request{
		Method:    cfg.Method,
		URL:       cfg.URL,
		Headers:   cfg.Headers,
		Body:      cfg.Body,
		RunID:     cfg.RunID,
		KeepAlive: cfg.KeepAlive,
	})
	if err != nil {
		return record.Result{}, err
	}
	due, err := cfg.schedule()
	if err != nil {
		return record.Result{}, err
	}
	rec := record.New(cfg.longest(due), runtime.GOMAXPROCS(0))
	before := readUsage()
	plan := engine.Plan{
		Address:     cfg.address(),
		Request:     template,
		Clock:       engine.StartClock(),
		Schedule:    due,
		Duration:    cfg.Duration,
		Requests:    cfg.Requests,
		Connections: cfg.Connections,
		Timeout:     cfg.Timeout,
		KeepAlive:   cfg.KeepAlive,
	}
	out, err := cfg.drive(ctx, plan, rec)
	if err != nil {
		return record.Result{}, err
	}
	res := cfg.describe(plan.Clock)
	res.Generator = before.until(readUsage())
	if err := cfg.fill(&res, plan, out, rec); err != nil {
		return record.Result{}, err
	}
	res.Verdict = verdict.Judge(res)
	return res, nil
}

// schedule returns nil for the closed model.
func (cfg Config) schedule() (schedule.Schedule, error) {
	if cfg.Model == Closed {
		return nil, nil
	}
	due, err := schedule.NewConstant(cfg.RPS, cfg.Duration, cfg.Requests)
	if err != nil {
		return nil, fmt.Errorf("plan schedule: %w", err)
	}
	return due, nil
}

// longest is the longest time that a request can take.
func (cfg Config) longest(due schedule.Schedule) time.Duration {
	if due == nil {
		return 2 * cfg.Timeout
	}
	return due.Due(due.Len()) + 2*cfg.Timeout
}

func (cfg Config) address() string {
	port := cfg.URL.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(cfg.URL.Hostname(), port)
}

// drive lets the engine run, telling progress meanwhile.
func (cfg Config) drive(ctx context.Context, plan engine.Plan, rec *record.Recorder) (engine.Outcome, error) {
	over := make(chan struct{})
	var teller sync.WaitGroup
	if cfg.Progress != nil {
		teller.Go(func() { cfg.tell(plan.Clock, rec, over) })
	}
	out, err := cfg.engine().Run(ctx, plan, rec)
	close(over)
	teller.Wait()
	return out, err
}

func (cfg Config) tell(clock *engine.Clock, rec *record.Recorder, over <-chan struct{}) {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			now := time.Duration(clock.Now())
			cfg.Progress(now, rec.Progress(now))
		}
	}
}

// describe returns a result with what is known without the recorder.
func (cfg Config) describe(clock *engine.Clock) record.Result {
	elapsed := time.Duration(clock.Now())
	res := record.Result{
		Schema:      record.SchemaVersion,
		RunID:       cfg.RunID,
		ToolVersion: cfg.Version,
		Engine:      cfg.Engine,

		Model:     cfg.Model,
		KeepAlive: cfg.KeepAlive,
		Seed:      cfg.Seed,

		Start: clock.Start().UTC().Round(0),
		End:   clock.Start().Add(elapsed).UTC().Round(0),

		PlannedSeconds:  cfg.Duration.Seconds(),
		PlannedRequests: cfg.Requests,
		ElapsedSeconds:  elapsed.Seconds(),
		TimeoutSeconds:  cfg.Timeout.Seconds(),
	}
	if cfg.Model == Open {
		res.OfferedRPS = cfg.RPS
	}
	return res
}

func (cfg Config) fill(res *record.Result, plan engine.Plan, out engine.Outcome, rec *record.Recorder) error {
	if err := rec.Fill(&res.Stream, out.Scheduled); err != nil {
		return err
	}
	res.URL, res.Method = cfg.URL.String(), cfg.Method
	res.Interrupted = out.Interrupted
	res.Connections = record.Connections{Allowed: cfg.Connections, Peak: out.Peak, Dials: out.Dials}
	window := cfg.window(res, plan.Schedule, rec)
	res.WindowSeconds = window.Seconds()
	if window > 0 {
		res.AchievedRPS = float64(res.Accounting.Sent) / window.Seconds()
		res.AcceptedRPS = float64(res.Accounting.Accepted) / max(window, rec.LastAccepted()).Seconds()
	}
	return nil
}

// window is the time that sending took: the planned one, if the run came to its
// planned end, and longer if the last request was sent later.
func (cfg Config) window(res *record.Result, due schedule.Schedule, rec *record.Recorder) time.Duration {
	elapsed := time.Duration(res.ElapsedSeconds * float64(time.Second))
	switch {
	case due != nil && !res.Interrupted:
		return max(due.Due(res.Accounting.Scheduled), rec.LastSent())
	case res.Interrupted:
		return elapsed
	case cfg.Requests > 0 && res.Accounting.Scheduled == cfg.Requests:
		return max(rec.LastSent(), rec.LastAccepted())
	default:
		return max(cfg.Duration, rec.LastSent())
	}
}
