package trial

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/engine/epoll"
	"phase0/loadgen/engine/fasthttp"
	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
	"phase0/loadgen/run"
	"phase0/loadgen/schedule"
	"phase0/loadgen/verify"
)

// ledgerTimeout is for an answer and for connecting, unless a trial says otherwise.
const ledgerTimeout = 5 * time.Second

// ledgered is a load from this process that remembers of every sample whether it was
// accepted. A load generator in a process of its own counts them, too, but its ledger
// ends with it, and a second reader could then compare sums only.
type ledgered struct {
	runID   string
	book    *ledger.Ledger
	timeout time.Duration // for an answer and for connecting
	// Valid after offer.
	from, to time.Time
}

func newLedgered() *ledgered {
	return &ledgered{runID: run.NewRunID(), book: ledger.New(), timeout: ledgerTimeout}
}

// offer sends one sample per request at a rate until d is over or ctx ends, which is
// no error: what is then without an answer is ambiguous.
func (l *ledgered) offer(ctx context.Context, to *url.URL, rate float64, d time.Duration, connections int, seed uint64) error {
	template, err := engine.NewTemplate(engine.Request{Method: http.MethodPost, URL: to, RunID: l.runID, Seed: seed, KeepAlive: true})
	if err != nil {
		return fmt.Errorf("offer samples: %w", err)
	}
	due, err := schedule.New(schedule.Plan{Rate: rate, Duration: d})
	if err != nil {
		return fmt.Errorf("offer samples: %w", err)
	}
	rec := record.New(d+2*l.timeout, runtime.GOMAXPROCS(0))
	rec.Observe(witness{l.book})
	plan := engine.Plan{
		Address: to.Host, Request: template, Clock: engine.StartClock(), Schedule: due,
		Connections: connections, Timeout: l.timeout, KeepAlive: true,
	}
	l.from = time.Now()
	_, err = fastest().Run(ctx, plan, rec)
	l.to = time.Now()
	if err != nil {
		return fmt.Errorf("offer samples: %w", err)
	}
	return nil
}

func fastest() engine.Engine {
	if epoll.Available {
		return epoll.Engine{}
	}
	return fasthttp.Engine{}
}

// ask compares the ledger with what the server answers to queries.
func (l *ledgered) ask(ctx context.Context, s *server) (record.Verification, error) {
	return verify.Run(ctx, verify.Config{
		Base: s.endpoint(), RunID: l.runID, Batch: 1, Ledger: l.book, From: l.from, To: l.to, Wait: requestTimeout,
	})
}

// witness enters what became of requests in a ledger.
type witness struct{ *ledger.Ledger }

// Answered implements record.Witness. A server that answers 5xx may have stored the
// sample all the same.
func (w witness) Answered(index int64, status int) {
	switch status / 100 {
	case 2:
		w.Mark(index, ledger.Accepted)
	case 4:
		w.Mark(index, ledger.Refused)
	default:
		w.Mark(index, ledger.Ambiguous)
	}
}

// Unclear implements record.Witness.
func (w witness) Unclear(index int64) { w.Mark(index, ledger.Ambiguous) }
