package trial

import (
	"context"
	"fmt"
	"time"

	"phase0/bench/stat"
	"phase0/loadgen/freshness"
	"phase0/loadgen/record"
	"phase0/loadgen/run"
)

// Freshness describes a trial that measures how soon accepted samples can be queried,
// beside a load.
type Freshness struct {
	// Rate is in requests per second, open loop.
	Rate           int
	Connections    int
	Warmup, Window time.Duration
	// Every is the time between two probes; 0 means 100 ms. A p99 needs 368 probes. A
	// probe asks until it finds its sample, so many of them are a load of their own.
	Every time.Duration
}

// Estimate implements Spec.
func (f Freshness) Estimate() time.Duration { return f.load().Estimate() }

func (f Freshness) load() Load {
	return Load{Rate: f.Rate, Connections: f.Connections, Warmup: f.Warmup, Window: f.Window}
}

// Run implements Spec.
func (f Freshness) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	var seen record.Freshness
	with := company{
		run: func(ctx context.Context, s target) (err error) {
			seen, err = freshness.Run(ctx, freshness.Config{
				Ingest: s.endpoint(), RunID: run.NewRunID(), Seed: seed,
				Every: f.Every, Duration: f.Window, Timeout: ledgerTimeout,
			})
			if err != nil {
				return fmt.Errorf("probe freshness: %w", err)
			}
			return nil
		},
		enter: func(b *books) {
			b.accepted += seen.Visible + seen.Invisible + seen.Open
			b.unknown += seen.NotAccepted
		},
		fill: func(r *Result, _ record.Result) { r.fillFreshness(seen) },
	}
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.load(ctx, r, dir, arm, f.load(), with) })
}

// fillFreshness enters the interval of each percentile: the truth lies in between.
func (r *Result) fillFreshness(f record.Freshness) {
	for _, p := range []struct {
		quantile   float64
		upper, low string
	}{{0.5, UnitFreshP50, UnitFreshP50Low}, {0.99, UnitFreshP99, UnitFreshP99Low}} {
		if p.quantile > 0.5 && f.Probes < int64(stat.P99.MinObservations()) {
			continue // so few were planned
		}
		r.fillPercentile(f.Lower, p.quantile, p.low)
		if upper, ok := f.Upper.At(p.quantile); ok && upper.AtLeast {
			r.unavailable(p.upper, "it falls on a sample that never became visible")
		} else {
			r.fillPercentile(f.Upper, p.quantile, p.upper)
		}
	}
	if f.Visible == 0 {
		r.voidf("no probe became visible: %s", f.FirstError)
	}
	if f.Invisible+f.NotAccepted+f.Skipped > 0 {
		r.warnf("of %d probes %d were not visible within %v, %d not accepted; %d were skipped, because too many were outstanding",
			f.Probes, f.Invisible, ledgerTimeout, f.NotAccepted, f.Skipped)
	}
	if f.QueryErrors > 0 {
		r.warnf("%d of %d queries for freshness failed: %s", f.QueryErrors, f.Queries, f.FirstError)
	}
}
