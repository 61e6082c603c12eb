package run

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
	"phase0/loadgen/schedule"
)

// stream is one kind of request under way.
type stream struct {
	plan    engine.Plan
	rec     *record.Recorder
	url     *url.URL
	method  string
	offered float64 // requests per second, 0 in the closed model
	about   record.Stream
	out     engine.Outcome
}

// ingest plans the load that was asked for. The ledger is nil unless the run is to
// be verified.
func (cfg Config) ingest(clock *engine.Clock, book *ledger.Ledger) (*stream, error) {
	due, err := cfg.schedule()
	if err != nil {
		return nil, err
	}
	s, err := cfg.stream(clock, due, engine.Request{
		Method: cfg.Method, URL: cfg.URL, Headers: cfg.Headers, Body: cfg.Body, Batch: cfg.Batch,
	})
	if err != nil {
		return nil, err
	}
	if book != nil {
		s.rec.Observe(witness{book})
	}
	if due != nil {
		s.about.Arrivals, s.offered = string(cfg.Arrivals), cfg.offered(due)
	}
	if cfg.Body == nil && engine.CarriesBody(cfg.Method) {
		s.about.Batch = max(cfg.Batch, 1)
	}
	return s, nil
}

// queries plans the reads beside the load. They are due by the clock for as long
// as the load is planned to last.
func (cfg Config) queries(clock *engine.Clock, length time.Duration) (*stream, error) {
	due, err := schedule.New(schedule.Plan{Rate: cfg.QueryRPS, Duration: length})
	if err != nil {
		return nil, err
	}
	target := cfg.QueryURL
	if target == nil {
		target = &url.URL{
			Scheme: cfg.URL.Scheme, Host: cfg.URL.Host, Path: "/query",
			RawQuery: fmt.Sprintf("name=loadgen_%s_0&start=%d", cfg.RunID, time.Now().UnixMilli()),
		}
	}
	s, err := cfg.stream(clock, due, engine.Request{Method: "GET", URL: target, Headers: cfg.Headers})
	if err != nil {
		return nil, err
	}
	s.about.Arrivals, s.offered = string(schedule.Uniform), cfg.QueryRPS
	return s, nil
}

func (cfg Config) stream(clock *engine.Clock, due schedule.Schedule, r engine.Request) (*stream, error) {
	r.RunID, r.Seed, r.KeepAlive, r.Literal = cfg.RunID, cfg.Seed, cfg.KeepAlive, cfg.Literal
	template, err := engine.NewTemplate(r)
	if err != nil {
		return nil, err
	}
	var secure *tls.Config
	if r.URL.Scheme == "https" {
		if secure = cfg.TLS; secure == nil {
			secure = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	return &stream{
		rec: record.New(cfg.longest(due), runtime.GOMAXPROCS(0)),
		url: r.URL, method: r.Method,
		plan: engine.Plan{
			Address:     address(r.URL),
			Request:     template,
			Clock:       clock,
			Schedule:    due,
			Duration:    cfg.Duration,
			Requests:    cfg.Requests,
			Connections: cfg.Connections,
			Timeout:     cfg.Timeout,
			KeepAlive:   cfg.KeepAlive,
			Reconnect:   cfg.Reconnect,
			TLS:         secure,
		},
	}, nil
}

// longest is the longest time that a request can take.
func (cfg Config) longest(due schedule.Schedule) time.Duration {
	if due == nil {
		return 2 * cfg.Timeout
	}
	return due.Due(due.Len()) + 2*cfg.Timeout
}

func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (s *stream) run(ctx context.Context, e engine.Engine) (err error) {
	s.out, err = e.Run(ctx, s.plan, s.rec)
	return err
}

// fill completes what is known of the stream into st. Elapsed is how long the run
// took.
func (s *stream) fill(st *record.Stream, elapsed time.Duration) error {
	*st = s.about
	st.URL, st.Method, st.OfferedRPS = s.url.String(), s.method, s.offered
	st.SendBoundNS = int64(s.out.Bunch)
	if err := s.rec.Fill(st, s.out.Scheduled); err != nil {
		return err
	}
	st.Connections = record.Connections{Allowed: s.plan.Connections, Peak: s.out.Peak, Dials: s.out.Dials}
	window := s.window(elapsed)
	st.WindowSeconds = window.Seconds()
	if window > 0 {
		st.AchievedRPS = float64(st.Accounting.Sent) / window.Seconds()
		st.AcceptedRPS = float64(st.Accounting.Accepted) / max(window, s.rec.LastAccepted()).Seconds()
	}
	return nil
}

// window is the time that sending took: the planned one, if the run came to its
// planned end, and longer if the last request was sent later.
func (s *stream) window(elapsed time.Duration) time.Duration {
	due, scheduled := s.plan.Schedule, s.out.Scheduled
	switch {
	case due != nil: // if it was interrupted: the time that its requests stand for
		return max(due.Due(scheduled), s.rec.LastSent())
	case s.out.Interrupted:
		return elapsed
	case s.plan.Requests > 0 && scheduled == s.plan.Requests:
		return max(s.rec.LastSent(), s.rec.LastAccepted())
	default:
		return max(s.plan.Duration, s.rec.LastSent())
	}
}

// witness enters what became of requests in a ledger.
type witness struct{ *ledger.Ledger }

// Answered implements record.Witness. What a server did that answers 5xx, or sends
// elsewhere, is not known.
func (w witness) Answered(index int64, status int) {
	switch {
	case status >= 200 && status <= 299:
		w.Mark(index, ledger.Accepted)
	case status >= 400 && status <= 499:
		w.Mark(index, ledger.Refused)
	default:
		w.Mark(index, ledger.Ambiguous)
	}
}

// Unclear implements record.Witness.
func (w witness) Unclear(index int64) { w.Mark(index, ledger.Ambiguous) }
