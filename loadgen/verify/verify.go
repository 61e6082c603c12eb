// Package verify reads back what a run with the default body has stored and
// compares it with the run's ledger: which samples are lost, which are there
// twice, and which should not be there at all. It is the set checker of Jepsen,
// for series of consecutive numbers.
//
// The values of each series are read in disjoint windows of time that together
// cover all of it, so that the server's clock does not matter, and checked series
// by series: the memory is 2 bits per sample of one series, and some 20 MB.
// It needs of the server GET /query, and GET /health if there is one.
package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
)

// MaxSamples bounds what Run checks: 1 GiB of memory for the largest series.
const MaxSamples = engine.SeriesCount << 32

// Config says what to verify. All fields but TLS and Progress are required.
type Config struct {
	Base   *url.URL    // the server's scheme and host; the rest is not used
	TLS    *tls.Config // for https; nil stands for the defaults
	RunID  string      // the one in the series' names
	Batch  int         // samples per request, ≥ 1
	Ledger *ledger.Ledger
	// From and To are when the run began and ended, by any clock. If it differs by
	// more than a minute from the server's, reading takes more queries.
	From, To time.Time
	// Wait bounds how long the server may take to drain, and also how long it may be
	// away at a time: not reachable, or answering 429 or 5xx.
	Wait time.Duration
	// Progress, if set, is called after every window, never concurrently, with the
	// number of samples read and how many there should be at most.
	Progress func(done, total int64)
}

func (cfg Config) validate() error {
	switch {
	case cfg.Base == nil || cfg.Base.Host == "":
		return errors.New("base URL lacks a host")
	case cfg.RunID == "":
		return errors.New("run id is empty")
	case cfg.Ledger == nil:
		return errors.New("ledger is missing")
	case cfg.Batch < 1:
		return fmt.Errorf("batch is %d, want at least 1", cfg.Batch)
	case cfg.To.Before(cfg.From):
		return errors.New("the run ends before it begins")
	case cfg.Wait <= 0:
		return fmt.Errorf("wait is %v, want more than 0", cfg.Wait)
	case cfg.Ledger.Len() > MaxSamples/int64(cfg.Batch):
		return fmt.Errorf("%d requests of %d samples are more than the %d samples that can be checked",
			cfg.Ledger.Len(), cfg.Batch, int64(MaxSamples))
	}
	return nil
}

// Run waits until the server has drained and verifies the run, which must be over.
// What the server has done to the samples is in the result and not an error. The
// error says why it could not be found out: a bad Config, the end of the context,
// a server that was away for longer than Config.Wait or whose answers are not what
// was asked for. The result is then empty, since no part of it would be the whole.
func Run(ctx context.Context, cfg Config) (record.Verification, error) {
	if err := cfg.validate(); err != nil {
		return record.Verification{}, fmt.Errorf("verify run: %w", err)
	}
	begin := time.Now()
	found, err := cfg.run(ctx)
	if err != nil {
		return record.Verification{}, fmt.Errorf("verify run: %w", err)
	}
	found.Seconds = time.Since(begin).Seconds()
	return found, nil
}

func (cfg Config) run(ctx context.Context) (record.Verification, error) {
	counts, batch := cfg.Ledger.Counts(), int64(cfg.Batch)
	expected := (counts.Accepted + counts.Ambiguous) * batch
	all := newPlan(cfg.From, cfg.To, expected/engine.SeriesCount)
	server := newClient(cfg.Base, cfg.TLS, cfg.Wait)
	drained, err := server.drain(ctx, func() (int64, error) { return cfg.count(ctx, server, all) })
	if err != nil {
		return record.Verification{}, err
	}
	c := check{ledger: cfg.Ledger, batch: batch, samples: cfg.Ledger.Len() * batch, forgets: counts.Beyond > 0}
	for series := range int64(engine.SeriesCount) {
		c.begin(series, cfg.name(series))
		err := server.read(ctx, c.name, all, func(values []float64) {
			c.take(values)
			if cfg.Progress != nil {
				cfg.Progress(c.found.Read, expected)
			}
		})
		if err != nil {
			return record.Verification{}, err
		}
		c.end()
	}
	found := c.sum(counts)
	found.Drained, found.ServerErrors = drained, server.failed
	return found, nil
}

// count returns how many samples of the run the server has at present.
func (cfg Config) count(ctx context.Context, server *client, all plan) (n int64, err error) {
	for series := range int64(engine.SeriesCount) {
		if err := server.read(ctx, cfg.name(series), all, func(values []float64) { n += int64(len(values)) }); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// name returns the name of a series, as the default body has it.
func (cfg Config) name(series int64) string {
	return fmt.Sprintf("loadgen_%s_%d", cfg.RunID, series)
}
