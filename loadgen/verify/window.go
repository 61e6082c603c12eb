package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// wantedRows is how many samples a window should hold, a quarter of what the
	// server answers by default.
	wantedRows = 250_000
	// maxWindows bounds the queries for one series.
	maxWindows = 100_000
	// clockMargin is how far the server's clock may be off for the samples to lie in
	// the windows that are cut to the run's rate. Others are found all the same.
	clockMargin = time.Minute
)

// span is a range of time in Unix ms, both ends inclusive, and how wide its first
// window is to be.
type span struct{ start, end, width int64 }

// plan is how a series is read. Whatever the server's clock says, each of its
// samples lies in exactly one span.
type plan struct {
	// whole: try one query for all of time first, because a server that looks
	// through a whole file for every query makes queries dear.
	whole bool
	spans []span // before, during and after the run
}

// newPlan plans for a run from from to to that left rows samples in a series.
func newPlan(from, to time.Time, rows int64) plan {
	begin := max(0, from.Add(-clockMargin).UnixMilli())
	after := max(begin, to.Add(clockMargin).UnixMilli())
	width := after - begin
	if rows > wantedRows {
		run := float64(to.Sub(from).Milliseconds())
		width = min(width, int64(run*wantedRows/float64(rows)))
	}
	p := plan{whole: rows <= wantedRows}
	for _, s := range []span{
		{start: 0, end: begin - 1, width: begin},
		{start: begin, end: after - 1, width: max(width, 1)},
		{start: after, end: math.MaxInt64, width: math.MaxInt64},
	} {
		if s.start <= s.end {
			p.spans = append(p.spans, s)
		}
	}
	return p
}

// read hands the values of a series to take, window after window.
func (c *client) read(ctx context.Context, name string, p plan, take func(values []float64)) error {
	if p.whole {
		values, err := c.window(ctx, name, 0, math.MaxInt64)
		if err == nil {
			take(values)
			return nil
		}
		if !errors.Is(err, errTooMany) {
			return fmt.Errorf("read series %s: %w", name, err)
		}
	}
	queries := maxWindows
	for _, s := range p.spans {
		if err := c.readSpan(ctx, name, s, &queries, take); err != nil {
			return fmt.Errorf("read series %s: %w", name, err)
		}
	}
	return nil
}

// readSpan reads a span in windows that are halved while they hold too much and
// doubled after ones that hold little. It lowers queries by as many as it takes.
func (c *client) readSpan(ctx context.Context, name string, s span, queries *int, take func(values []float64)) error {
	width := s.width
	for start := s.start; ; {
		if *queries == 0 {
			return fmt.Errorf("not done after %d queries", maxWindows)
		}
		*queries--
		end := s.end
		if end-start >= width {
			end = start + width - 1
		}
		values, err := c.window(ctx, name, start, end)
		if errors.Is(err, errTooMany) && end > start {
			width = (end-start)/2 + 1
			continue
		}
		if err != nil {
			return err
		}
		take(values)
		if end == s.end {
			return nil
		}
		start = end + 1
		if len(values) < wantedRows/4 && width <= math.MaxInt64/2 {
			width *= 2
		}
	}
}
