// Package run carries out one run: it plans it, lets an engine drive it, and
// condenses and judges what was recorded. It neither reads flags nor prints.
package run

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/engine/epoll"
	"phase0/loadgen/engine/fasthttp"
	"phase0/loadgen/freshness"
	"phase0/loadgen/ledger"
	"phase0/loadgen/machine"
	"phase0/loadgen/record"
	"phase0/loadgen/schedule"
	"phase0/loadgen/verdict"
	"phase0/loadgen/verify"
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

// Check returns an error if the engine that was asked for cannot do what was, or
// if the request cannot be built.
func (cfg Config) Check() error {
	if err := cfg.choose(); err != nil {
		return err
	}
	if _, err := cfg.ingest(engine.StartClock(), nil); err != nil {
		return err
	}
	if cfg.QueryRPS == 0 {
		return nil
	}
	_, err := cfg.queries(engine.StartClock(), time.Second)
	return err
}

// choose replaces Auto, or returns an error if the engine that was asked for
// cannot do it.
func (cfg *Config) choose() error {
	can := epoll.Available && cfg.URL.Scheme == "http" && (cfg.QueryURL == nil || cfg.QueryURL.Scheme == "http")
	switch {
	case cfg.Engine != "" && cfg.Engine != Auto && cfg.Engine != Epoll && cfg.Engine != FastHTTP:
		return fmt.Errorf("engine %q is unknown: %s, %s or %s", cfg.Engine, Auto, Epoll, FastHTTP)
	case cfg.Freshness && cfg.URL.Scheme != "http":
		return errors.New("freshness is probed over plain http only")
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
	URL     *url.URL // with host and path
	Method  string
	Headers []engine.Header
	Body    []byte // nil for the default body
	Batch   int    // samples in the default body; 0 counts as 1
	Literal bool   // slots are sent as they stand

	Model       string
	RPS         float64          // of the open model
	Phases      []schedule.Phase // instead of RPS, if there are any
	Profile     string           // the phases as they were asked for
	Arrivals    schedule.Arrivals
	Duration    time.Duration // zero does not bound
	Requests    int64         // zero does not bound
	Connections int
	Timeout     time.Duration
	KeepAlive   bool
	Reconnect   bool
	TLS         *tls.Config // for https; nil stands for the defaults
	Engine      string      // see Auto; empty counts as Auto

	QueryRPS float64 // of queries beside the load; 0 for none
	// QueryURL is what they ask for; nil for a series of the default body from the
	// start of the run on.
	QueryURL *url.URL

	Freshness bool // probes how long accepted samples take to become visible

	// Verify reads back afterwards what was accepted; it needs the default body.
	// VerifyWait bounds how long the server may take to have stored it.
	Verify     bool
	VerifyWait time.Duration

	Seed    uint64
	RunID   string // see NewRunID
	Version string // of the tool

	// Progress, if set, is called a few times per second during the run, never
	// concurrently.
	Progress func(elapsed time.Duration, p record.Progress)
	// Verifying, if set, is called while samples are read back, with how many
	// were and how many there should be at most.
	Verifying func(read, total int64)
}

// QueryError is why the queries beside a load could not be offered.
type QueryError struct {
	URL *url.URL
	Err error
}

func (e *QueryError) Error() string { return fmt.Sprintf("queries of %s: %v", e.URL, e.Err) }
func (e *QueryError) Unwrap() error { return e.Err }

// NewRunID returns a short random name, so that every run has series of its own.
func NewRunID() string {
	var b [4]byte
	// Never fails: crypto/rand ends the program instead.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Streams is how many kinds of requests are offered at the same time, each from a
// thread of its own.
func (cfg Config) Streams() int {
	if cfg.QueryRPS > 0 {
		return 2
	}
	return 1
}

// Run carries out cfg. For a steady open model the caller sets GOMAXPROCS to the
// number of cores and Streams more: each sender occupies one while it sleeps. The
// end of the context interrupts the run, which is not an error: the result has what
// was measured so far. ErrNoServer of package engine is returned, wrapped, when the
// first connection fails.
func Run(ctx context.Context, cfg Config) (record.Result, error) {
	if err := cfg.choose(); err != nil {
		return record.Result{}, err
	}
	var book *ledger.Ledger
	if cfg.Verify {
		book = ledger.New()
	}
	clock := engine.StartClock()
	load, err := cfg.ingest(clock, book)
	if err != nil {
		return record.Result{}, err
	}
	streams := []*stream{load}
	if cfg.QueryRPS > 0 {
		queries, err := cfg.queries(clock, cfg.length(load))
		if err != nil {
			return record.Result{}, fmt.Errorf("queries: %w", err)
		}
		streams = append(streams, queries)
	}
	// What planning took is not the run's.
	*clock = *engine.StartClock()
	before := readUsage()
	threads := machine.WatchThreads()
	defer threads.Stop()
	probes, err := cfg.drive(ctx, clock, streams)
	if err != nil {
		return record.Result{}, err
	}
	res := cfg.describe(clock, load.out.Interrupted)
	res.Freshness = probes
	res.Generator = before.until(readUsage())
	threads.Fill(&res.Generator)
	if err := fill(&res, streams); err != nil {
		return record.Result{}, err
	}
	res.Verdict = judge(res)
	if cfg.Verify && !res.Interrupted {
		if res.Verification, err = cfg.verify(ctx, res, book); err != nil {
			return res, err
		}
	}
	return res, nil
}

// length is how long the load is planned to last.
func (cfg Config) length(load *stream) time.Duration {
	if load.plan.Schedule == nil {
		return cfg.Duration
	}
	return load.plan.Schedule.Due(load.plan.Schedule.Len())
}

// schedule returns nil for the closed model.
func (cfg Config) schedule() (schedule.Schedule, error) {
	if cfg.Model == Closed {
		return nil, nil
	}
	due, err := schedule.New(schedule.Plan{
		Phases: cfg.Phases, Rate: cfg.RPS, Duration: cfg.Duration, Limit: cfg.Requests,
		Arrivals: cfg.Arrivals, Seed: cfg.Seed,
	})
	if err != nil {
		return nil, fmt.Errorf("plan schedule: %w", err)
	}
	return due, nil
}

// offered is the rate that a schedule amounts to, in requests per second.
func (cfg Config) offered(due schedule.Schedule) float64 {
	if cfg.Arrivals == schedule.Poisson || len(cfg.Phases) > 0 {
		return schedule.OfferedRate(due)
	}
	return cfg.RPS
}

// drive lets the engine run all streams, and probes beside them, telling progress
// of the first. When that is over before its time, so is the rest.
func (cfg Config) drive(ctx context.Context, clock *engine.Clock, streams []*stream) (*record.Freshness, error) {
	load, length := streams[0], cfg.length(streams[0])
	over := make(chan struct{})
	var others, teller sync.WaitGroup
	if cfg.Progress != nil {
		teller.Go(func() { cfg.tell(clock, load.rec, over) })
	}
	beside, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(streams)+1)
	for i, s := range streams[1:] {
		others.Go(func() {
			if err := s.run(beside, cfg.engine()); err != nil {
				errs[i+1] = &QueryError{URL: s.url, Err: err}
			}
		})
	}
	var probes *record.Freshness
	if cfg.Freshness {
		others.Go(func() { probes, errs[len(streams)] = cfg.probe(beside, length) })
	}
	// Requests of the open model are due to the end; those of the closed one may
	// have come to their number before.
	if errs[0] = load.run(ctx, cfg.engine()); errs[0] != nil || load.plan.Schedule == nil && time.Duration(clock.Now()) < length {
		stop()
	}
	close(over)
	others.Wait()
	teller.Wait()
	return probes, errors.Join(errs...)
}

// probe measures freshness for a while.
func (cfg Config) probe(ctx context.Context, d time.Duration) (*record.Freshness, error) {
	f, err := freshness.Run(ctx, freshness.Config{
		Ingest: cfg.URL, Headers: cfg.Headers, RunID: cfg.RunID, Seed: cfg.Seed,
		Duration: d, Timeout: cfg.Timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("probe freshness: %w", err)
	}
	return &f, nil
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

// describe returns a result with what is known without the recorders.
func (cfg Config) describe(clock *engine.Clock, interrupted bool) record.Result {
	elapsed := time.Duration(clock.Now())
	return record.Result{
		Schema:      record.SchemaVersion,
		RunID:       cfg.RunID,
		ToolVersion: cfg.Version,
		Engine:      cfg.Engine,

		Model:     cfg.Model,
		Profile:   cfg.Profile,
		KeepAlive: cfg.KeepAlive,
		Seed:      cfg.Seed,

		Start:       clock.Start().UTC().Round(0),
		End:         clock.Start().Add(elapsed).UTC().Round(0),
		Interrupted: interrupted,

		PlannedSeconds:  cfg.Duration.Seconds(),
		PlannedRequests: cfg.Requests,
		ElapsedSeconds:  elapsed.Seconds(),
		TimeoutSeconds:  cfg.Timeout.Seconds(),
	}
}

func fill(res *record.Result, streams []*stream) error {
	elapsed := time.Duration(res.ElapsedSeconds * float64(time.Second))
	if err := streams[0].fill(&res.Stream, elapsed); err != nil {
		return err
	}
	if len(streams) == 1 {
		return nil
	}
	res.Queries = new(record.Stream)
	return streams[1].fill(res.Queries, elapsed)
}

// judge returns the verdict on the load, and on the queries where that is worse.
func judge(res record.Result) record.Verdict {
	v := verdict.Judge(res)
	if res.Queries == nil {
		return v
	}
	beside := res
	beside.Stream = *res.Queries
	q := verdict.Judge(beside)
	for _, reason := range q.Reasons {
		if !slices.Contains(v.Reasons, reason) {
			v.Reasons = append(v.Reasons, "queries: "+reason)
		}
	}
	if verdict.Worse(q.Level, v.Level) {
		v.Level, v.Bottleneck = q.Level, q.Bottleneck
	}
	return v
}

func (cfg Config) verify(ctx context.Context, res record.Result, book *ledger.Ledger) (*record.Verification, error) {
	v, err := verify.Run(ctx, verify.Config{
		Base: cfg.URL, TLS: cfg.TLS, RunID: cfg.RunID, Batch: max(cfg.Batch, 1), Ledger: book,
		From: res.Start, To: res.End, Wait: cfg.VerifyWait, Progress: cfg.Verifying,
	})
	if err != nil {
		return nil, err
	}
	return &v, nil
}
