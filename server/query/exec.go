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
	// MaxBytes bounds the answer's text, and so what names and labels may hold in memory:
	// a sample can take a hundred bytes or a hundred thousand. It must be positive.
	MaxBytes int
}

// leastLine is what a sample takes in an answer beside its name and its labels, at least.
const leastLine = len(`{"name":"","value":0,"timestamp":0},`)

// Exec returns the samples that r selects in time order, those of equal time in
// the order of the file. The error is ErrTooManySamples when r has no limit and
// more than MaxSamples match, ErrTooManyBytes when they cannot be written in MaxBytes,
// or the engine's. With a limit, samples that others would have pushed out count as well.
func Exec(ctx context.Context, e Engine, r Request) ([]sample.Sample, Stats, error) {
	c := collector{request: r}
	stats, err := e.Select(ctx, r.Selector, c.add)
	if err != nil {
		return nil, stats, err
	}
	if c.err != nil {
		return nil, stats, c.err
	}
	if c.shrink(); c.bytes > r.MaxBytes {
		return nil, stats, ErrTooManyBytes
	}
	return c.samples, stats, nil
}

// collector holds what matched, at most max(2·Limit, MaxSamples) samples, and at most
// 2·MaxBytes of text and a sample.
type collector struct {
	request Request
	samples []sample.Sample
	bytes   int // of the samples in an answer, at least
	err     error
}

func leastBytes(s sample.Sample) int { return leastLine + len(s.Name) + len(s.Labels) }

func (c *collector) add(s sample.Sample) bool {
	limit := c.request.Limit
	if limit == 0 && len(c.samples) == c.request.MaxSamples {
		c.err = ErrTooManySamples
		return false
	}
	c.samples = append(c.samples, s)
	c.bytes += leastBytes(s)
	if limit == 0 {
		return c.fits(c.request.MaxBytes)
	}
	if len(c.samples) >= 2*limit || len(c.samples) > limit && c.bytes > 2*c.request.MaxBytes {
		// Sorting each time the surplus has doubled costs O(log limit) a sample.
		c.shrink()
		return c.fits(c.request.MaxBytes)
	}
	return c.fits(2 * c.request.MaxBytes)
}

func (c *collector) fits(limit int) bool {
	if c.bytes > limit {
		c.err = ErrTooManyBytes
	}
	return c.err == nil
}

// shrink sorts the samples and lets go of those beyond the limit.
func (c *collector) shrink() {
	byTime := func(a, b sample.Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) }
	if !slices.IsSortedFunc(c.samples, byTime) {
		slices.SortStableFunc(c.samples, byTime)
	}
	limit := c.request.Limit
	if limit == 0 || len(c.samples) <= limit {
		return
	}
	for _, s := range c.samples[limit:] {
		c.bytes -= leastBytes(s)
	}
	clear(c.samples[limit:]) // their text is free
	c.samples = c.samples[:limit]
}
