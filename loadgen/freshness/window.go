package freshness

import (
	"strconv"
	"time"
)

const (
	// margin is how far the server's clock is supposed to be from where it is
	// expected, which is at ours until a sample was found, and tightMargin how far
	// from where that sample showed it to be. A tight range spares the server a
	// scan and us the rows of other probes.
	margin      = time.Minute
	tightMargin = 2 * time.Second
	// widenAfter is the age at which a probe suspects that this is wrong.
	widenAfter = time.Second
	// latest is the end of all times, in Unix ms: the largest integer that servers
	// which read it as a float64 have, too.
	latest = 1<<53 - 1
)

// span is a range of time in Unix ms, both ends inclusive.
type span struct{ start, end int64 }

func around(centre int64, margin time.Duration) span {
	return span{
		start: max(centre-margin.Milliseconds(), 0),
		end:   min(centre+margin.Milliseconds(), latest),
	}
}

func (s span) holds(r *row) bool {
	return r.Timestamp != nil && *r.Timestamp >= float64(s.start) && *r.Timestamp <= float64(s.end)
}

// window is the range of time that a probe asks for, narrow at first and then
// wide, and when it was last in vain. A miss in the narrow range may be the range's
// fault. It counts only when the sample was found to lie within.
type window struct {
	accepted time.Time
	narrow   span
	wide     span
	widenAt  time.Duration
	widened  bool

	missedNarrow, missedWide time.Time // when the last such query was sent, zero without
}

// newWindow starts narrow. Offset is how far the server's clock is ahead of ours,
// in ms, or nil when that is not known: then the wide range is all times. When it
// is known, clocks are trusted not to jump by more than the margin.
func newWindow(accepted time.Time, timeout time.Duration, offset *int64) *window {
	w := &window{
		accepted: accepted,
		narrow:   around(accepted.UnixMilli(), margin),
		wide:     span{0, latest},
		// Before the timeout, so that who never sees the sample has asked widely.
		widenAt: min(widenAfter, timeout/2),
	}
	if offset != nil {
		expected := accepted.UnixMilli() + *offset
		w.narrow, w.wide = around(expected, tightMargin), around(expected, margin)
	}
	return w
}

// widen makes the window wide from a certain age on.
func (w *window) widen(age time.Duration) { w.widened = w.widened || age >= w.widenAt }

// target is the path and parameters of the next query.
func (w *window) target(series string) string {
	s := w.narrow
	if w.widened {
		s = w.wide
	}
	return "/query?name=" + series +
		"&start=" + strconv.FormatInt(s.start, 10) + "&end=" + strconv.FormatInt(s.end, 10)
}

// miss notes that a query sent at an instant did not find the sample.
func (w *window) miss(sent time.Time) {
	if w.widened {
		w.missedWide = sent
	} else {
		w.missedNarrow = sent
	}
}

// lowerBound is the age at the last miss that counts, 0 without one. The row is
// what the last query found, or nil.
func (w *window) lowerBound(found *row) time.Duration {
	last := w.missedWide
	within := found != nil && (!w.widened || w.narrow.holds(found))
	if within && w.missedNarrow.After(last) {
		last = w.missedNarrow
	}
	if last.IsZero() {
		return 0
	}
	return last.Sub(w.accepted)
}

// offset is how far a sample shows the server's clock to be ahead of ours, in ms,
// or nil when its timestamp is missing or absurd.
func (w *window) offset(found *row) *int64 {
	if !(span{0, latest}).holds(found) {
		return nil
	}
	ms := int64(*found.Timestamp) - w.accepted.UnixMilli()
	return &ms
}
