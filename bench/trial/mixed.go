package trial

import (
	"context"
	"strconv"
	"time"

	"phase0/bench/stat"
	"phase0/loadgen/record"
)

// Mixed describes a trial of queries beside a load, on a file that holds points
// already.
type Mixed struct {
	Points Points
	// Share is which part of the prepared file's time queries ask for, as in Query.
	Share float64
	// Rate is that of ingest, QueryRate that of queries; both in requests per second,
	// open loop.
	Rate           int
	QueryRate      float64
	Connections    int
	Warmup, Window time.Duration
}

// Estimate implements Spec.
func (m Mixed) Estimate() time.Duration {
	copying := time.Duration(m.Points.N) * 60 * time.Nanosecond
	return m.load().Estimate() + copying
}

func (m Mixed) load() Load {
	return Load{Rate: m.Rate, Connections: m.Connections, Warmup: m.Warmup, Window: m.Window}
}

// Run implements Spec. The server has one core, which queries and ingest share.
func (m Mixed) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	return h.runIn(arm, seed, func(r *Result, dir string) error {
		file, err := h.prepare(ctx, m.Points)
		if err != nil {
			return err
		}
		if err := file.copy(dataFile(dir)); err != nil {
			return err
		}
		query := Query{Points: m.Points, Share: m.Share}
		return h.load(ctx, r, dir, arm, m.load(), company{
			prepared: int64(m.Points.N),
			args: []string{
				"-query-rps", strconv.FormatFloat(m.QueryRate, 'f', -1, 64),
				"-query-url", query.asker(file, seed).path(query),
			},
			fill: func(r *Result, g record.Result) { r.fillMixed(g.Queries) },
		})
	})
}

func (r *Result) fillMixed(queries *record.Stream) {
	if queries == nil {
		r.voidf("load generator reported no queries")
		return
	}
	r.fillPercentile(queries.ResponseTime, 0.5, UnitQueryP50)
	r.Values[UnitQueryRPS] = queries.AcceptedRPS
	a := queries.Accounting
	if a.Scheduled >= int64(stat.P99.MinObservations()) { // fewer were planned in short windows
		r.fillPercentile(queries.ResponseTime, 0.99, UnitQueryP99)
	}
	if a.Accepted == 0 {
		r.voidf("no query was answered: %v", a.StatusCodes)
	}
	if failed := a.Scheduled - a.Accepted; failed > 0 {
		r.warnf("%d of %d queries failed: %v", failed, a.Scheduled, a.StatusCodes)
	}
}
