package query

import (
	"cmp"
	"context"
	"slices"

	"phase0/server/sample"
)

// Request is a question of GET /query.
type Request struct {
	Selector
	// Limit asks for the first Limit samples in time order; 0 asks for all.
	Limit int
	// MaxSamples bounds what one answer may hold in memory. It must be positive
	// and not below Limit.
	MaxSamples int
}

// Exec returns the samples that r selects in time order, those of equal time in
// the order of the file. The error is ErrTooManySamples when r has no limit and
// more than MaxSamples match, or the engine's.
func Exec(ctx context.Context, e Engine, r Request) ([]sample.Sample, Stats, error) {
	c := collector{request: r}
	stats, err := e.Select(ctx, r.Selector, c.add)
	if err != nil {
		return nil, stats, err
	}
	if c.overflow {
		return nil, stats, ErrTooManySamples
	}
	return c.result(), stats, nil
}

// collector holds what matched, at most max(2·Limit, MaxSamples) samples.
type collector struct {
	request  Request
	samples  []sample.Sample
	overflow bool
}

func (c *collector) add(s sample.Sample) bool {
	limit := c.request.Limit
	if limit == 0 && len(c.samples) == c.request.MaxSamples {
		c.overflow = true
		return false
	}
	c.samples = append(c.samples, s)
	if limit > 0 && len(c.samples) >= 2*limit {
		// Sorting each time the surplus has doubled costs O(log limit) a sample.
		c.samples = c.result()
	}
	return true
}

func (c *collector) result() []sample.Sample {
	byTime := func(a, b sample.Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) }
	if !slices.IsSortedFunc(c.samples, byTime) {
		slices.SortStableFunc(c.samples, byTime)
	}
	if limit := c.request.Limit; limit > 0 && len(c.samples) > limit {
		return c.samples[:limit]
	}
	return c.samples
}
