package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits on a request for aggregates.
const (
	// MaxPoints bounds the steps of one answer.
	MaxPoints = 11_000
	// MaxAggregates bounds the figures of one step.
	MaxAggregates = 32
	// maxPercentDigits bounds the digits behind the point of a percentile.
	maxPercentDigits = 6
)

// Aggregate is one figure about the samples of a window. Figures that have no finite
// value, such as the average of nothing, are NaN.
//
// Percentiles are nearest rank: pX is the smallest value such that at least X percent of
// the samples are not above it. rate is (last − first) ÷ seconds between them, in the
// order of time and, where times are equal, of the file. stddev is that of the population.
type Aggregate struct {
	name string
	// numerator/denominator is the share of a percentile, as a fraction of 1.
	numerator, denominator int64
}

// String returns the name by which the figure was asked for.
func (a Aggregate) String() string { return a.name }

func (a Aggregate) isPercentile() bool { return a.denominator > 0 }

// rank returns which of n sorted values a percentile is, from 1.
func (a Aggregate) rank(n int) int {
	// n is at most some tens of millions and the numerator 10^8: no overflow.
	return int((int64(n)*a.numerator + a.denominator - 1) / a.denominator)
}

var figures = map[string]func(*cell) float64{
	"avg":    func(c *cell) float64 { return c.sum.mean(c.count) },
	"sum":    func(c *cell) float64 { return c.sum.value() },
	"min":    func(c *cell) float64 { return c.min },
	"max":    func(c *cell) float64 { return c.max },
	"count":  func(c *cell) float64 { return float64(c.count) },
	"rate":   (*cell).rate,
	"stddev": (*cell).stddev,
}

const knownAggregates = "avg, sum, min, max, count, rate, stddev and percentiles such as p50, p99.9"

// ParseAggregates parses a list such as avg,p99,p99.9.
func ParseAggregates(text string) ([]Aggregate, error) {
	var list []Aggregate
	for name := range strings.SplitSeq(text, ",") {
		a, ok := parseAggregate(name)
		if !ok {
			return nil, fmt.Errorf("unknown aggregate %q; known are %s", name, knownAggregates)
		}
		if slices.Contains(list, a) {
			return nil, fmt.Errorf("aggregate %q stands twice", name)
		}
		if list = append(list, a); len(list) > MaxAggregates {
			return nil, fmt.Errorf("more than %d aggregates", MaxAggregates)
		}
	}
	return list, nil
}

func parseAggregate(name string) (Aggregate, bool) {
	if figures[name] != nil {
		return Aggregate{name: name}, true
	}
	digits, ok := strings.CutPrefix(name, "p")
	if !ok {
		return Aggregate{}, false
	}
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 1 && whole[0] == '0' || point && fraction == "" || len(whole) > 3 || len(fraction) > maxPercentDigits {
		return Aggregate{}, false
	}
	numerator, err := strconv.ParseUint(whole+fraction, 10, 63)
	denominator := int64(100)
	for range fraction {
		denominator *= 10
	}
	if err != nil || numerator == 0 || int64(numerator) > denominator {
		return Aggregate{}, false
	}
	return Aggregate{name: name, numerator: int64(numerator), denominator: denominator}, true
}

// AggregateRequest is a question of GET /query for aggregates.
type AggregateRequest struct {
	Selector
	Aggregates []Aggregate
	// Step divides the range into windows of so many milliseconds, from Start; 0 makes
	// it one window.
	Step int64
	// FromOldest and ToNewest put the oldest and the newest matching sample in the place
	// of Start and End.
	FromOldest, ToNewest bool
	// MaxValues bounds the samples of which percentiles are computed; each takes 8 bytes.
	MaxValues int
}

// Unknown is the time of a sample that there is not.
const Unknown = -1

// Window is what the samples with Start ≤ time ≤ End amount to. The oldest or newest of no
// samples is Unknown.
type Window struct {
	Start, End int64
	// Figures are in the order in which they were asked for.
	Figures []float64
}

// points returns how many windows there are.
func (r *AggregateRequest) points() (int64, error) {
	if r.Step == 0 {
		return 1, nil
	}
	behindFirst := (r.End - r.Start) / r.Step
	if behindFirst >= MaxPoints {
		return 0, fmt.Errorf("%w: from %d to %d there are more than %d steps of %d ms%s", ErrTooManyPoints, r.Start, r.End, MaxPoints, r.Step, r.missing())
	}
	return behindFirst + 1, nil
}

// missing says which ends of the range were left to the samples.
func (r *AggregateRequest) missing() string {
	switch {
	case r.FromOldest && r.ToNewest:
		return "; give start and end"
	case r.FromOldest:
		return "; give start"
	case r.ToNewest:
		return "; give end"
	}
	return ""
}

// Run answers r, one Window a step, in the order of time; without step there is exactly
// one. Where a range is to begin or end with a sample and there is none, there are no steps.
func (r AggregateRequest) Run(ctx context.Context, e Engine) ([]Window, Stats, error) {
	var total Stats
	if r.Step > 0 && (r.FromOldest || r.ToNewest) {
		// Where the first step begins must be known before a sample is folded.
		bounds := newFold(1, r.Selector, 0, nil, 0)
		stats, err := e.Fold(ctx, r.Selector, bounds)
		total.Add(stats)
		if err != nil || bounds.cells[0].count == 0 {
			return nil, total, err
		}
		r.narrow(&bounds.cells[0])
	}
	n, err := r.points()
	if err != nil {
		return nil, total, err
	}
	f := newFold(int(n), r.Selector, r.Step, r.Aggregates, r.MaxValues)
	stats, err := e.Fold(ctx, r.Selector, f)
	total.Add(stats)
	if err == nil && f.full {
		err = ErrTooManyValues
	}
	if err != nil {
		return nil, total, err
	}
	if r.Step == 0 {
		r.narrow(&f.cells[0])
	}
	return r.windows(f), total, nil
}

// narrow puts the times of c in the place of what was left open.
func (r *AggregateRequest) narrow(c *cell) {
	oldest, newest := c.first.time, c.last.time
	if c.count == 0 {
		oldest, newest = Unknown, Unknown
	}
	if r.FromOldest {
		r.Start = oldest
	}
	if r.ToNewest {
		r.End = newest
	}
}

func (r *AggregateRequest) windows(f *Fold) []Window {
	windows := make([]Window, len(f.cells))
	figures := make([]float64, len(f.cells)*len(r.Aggregates)) // one allocation
	var scratch []uint64
	for i := range windows {
		own := figures[:len(r.Aggregates):len(r.Aggregates)]
		figures = figures[len(own):]
		scratch = f.cells[i].figures(own, r.Aggregates, scratch)
		w := &windows[i]
		w.Start, w.End, w.Figures = r.Start, r.End, own
		if r.Step > 0 {
			w.Start += int64(i) * r.Step
			if r.End-w.Start >= r.Step {
				w.End = w.Start + r.Step - 1
			}
		}
	}
	return windows
}

// figures fills dst.
func (c *cell) figures(dst []float64, list []Aggregate, scratch []uint64) []uint64 {
	sorted := false
	for i, a := range list {
		switch {
		case c.count == 0 && a.name != "count":
			dst[i] = math.NaN()
		case a.isPercentile():
			if !sorted {
				scratch, sorted = c.values.prepare(scratch), true
			}
			dst[i] = floatOf(c.values.ranked(a.rank(c.values.n), scratch))
		default:
			dst[i] = figures[a.name](c)
		}
	}
	return scratch
}
