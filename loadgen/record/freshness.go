package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Freshness says how long after it was accepted a sample is visible to queries,
// as found by probes beside the load. Every probe that was started ends in one of
// four ways:
//
//	probes = visible + invisible + open + not accepted
//
// The freshness of one probe is never seen exactly, but it is bounded. The sample
// was not visible yet when the server answered the last query that missed it,
// which was not before that query was sent; it was visible when the first query
// that hit it was answered, which was not after that answer was read. Lower and
// Upper are the distributions of these two bounds. The interval from a percentile
// of Lower to the same percentile of Upper holds that percentile of the true
// values: each true value lies between its two bounds, and a quantile does not
// fall when no value does. That is about the probes that were made; the interval
// does not say how far other probes would have differed. Its ends are exact to
// 0.1 %, the histograms' precision.
type Freshness struct {
	EverySeconds   float64 `json:"every_seconds"`   // one probe per this
	TimeoutSeconds float64 `json:"timeout_seconds"` // a probe was given up after this

	Probes      int64 `json:"probes"` // started
	Visible     int64 `json:"visible"`
	Invisible   int64 `json:"invisible"`    // accepted, but not visible within the timeout
	Open        int64 `json:"open"`         // accepted, but not visible yet when the run was interrupted
	NotAccepted int64 `json:"not_accepted"` // no 2xx answer to the sample
	// Skipped were not started, because too many were outstanding. That happens when
	// the server is slow, so the distributions lack some of its slow times.
	Skipped int64 `json:"skipped"`

	Queries int64 `json:"queries"` // failed ones included
	// QueryErrors counts queries that tell nothing: neither hit nor miss.
	QueryErrors int64 `json:"query_errors"`

	// The kinds are a Kind's name, or "bad_json", "status_503" and the like, or
	// "timeout": the probe's time was over first. The maps hold only what happened and
	// add up to the totals above.
	NotAcceptedKinds map[string]int64 `json:"not_accepted_kinds"`
	QueryErrorKinds  map[string]int64 `json:"query_error_kinds"`
	// FirstError is the text of the first error of either sort, or empty.
	FirstError string `json:"first_error,omitempty"`

	// Lower holds the lower bounds of all accepted probes; that of one that never
	// became visible is as true as the others'.
	Lower Distribution `json:"lower"`
	// Upper holds the upper bounds of the visible. The others are censored, at the
	// age at which they were given up. A percentile counts them as infinite, so
	// that it is an upper bound in any case; where it falls on one of them AtLeast
	// is set, and there is no upper bound.
	Upper Distribution `json:"upper"`
}

// FreshnessBook collects what becomes of freshness probes. Its memory does not
// depend on their number. It is safe for concurrent use. Each probe that was
// started ends in one call of Visible, Invisible, Open or NotAccepted.
type FreshnessBook struct {
	mu       sync.Mutex
	counts   Freshness // without Probes, the totals of the kinds and the distributions
	lower    *histogram
	upper    *histogram
	censored *histogram
}

// NewFreshnessBook returns an empty book for bounds up to longest, which should
// be a little more than the probes' timeout; what is longer is counted as overflow.
func NewFreshnessBook(longest time.Duration) *FreshnessBook {
	highest := int64(min(max(longest, minRange), maxRange))
	book := &FreshnessBook{counts: Freshness{
		NotAcceptedKinds: map[string]int64{},
		QueryErrorKinds:  map[string]int64{},
	}}
	for _, h := range []**histogram{&book.lower, &book.upper, &book.censored} {
		*h = &histogram{Histogram: hdr.New(1, highest, 3)}
	}
	return book
}

// Visible records a probe that became visible between two ages.
func (b *FreshnessBook) Visible(lower, upper time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Visible++
	b.lower.keep(lower)
	b.upper.keep(upper)
}

// Invisible records a probe that reached the timeout, after which nothing but the
// lower bound is known.
func (b *FreshnessBook) Invisible(lower, givenUp time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Invisible++
	b.lower.keep(lower)
	b.censored.keep(givenUp)
}

// Open records a probe that an interruption cut off at the age givenUp.
func (b *FreshnessBook) Open(lower, givenUp time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Open++
	b.lower.keep(lower)
	b.censored.keep(givenUp)
}

// NotAccepted records a probe whose sample was refused, or may have been. The
// error is nil when there is nothing to add to the kind.
func (b *FreshnessBook) NotAccepted(kind string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.NotAcceptedKinds[kind]++
	b.counts.note(err)
}

// Skipped records a probe that was due and not started.
func (b *FreshnessBook) Skipped() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Skipped++
}

// Query records that a query is about to be sent.
func (b *FreshnessBook) Query() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Queries++
}

// QueryError records that a query told nothing.
func (b *FreshnessBook) QueryError(kind string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.QueryErrorKinds[kind]++
	b.counts.note(err)
}

// Result condenses what was recorded. The caller fills in EverySeconds and
// TimeoutSeconds.
func (b *FreshnessBook) Result() (Freshness, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.counts
	f.NotAcceptedKinds = maps.Clone(f.NotAcceptedKinds)
	f.QueryErrorKinds = maps.Clone(f.QueryErrorKinds)
	f.NotAccepted = total(f.NotAcceptedKinds)
	f.QueryErrors = total(f.QueryErrorKinds)
	f.Probes = f.Visible + f.Invisible + f.Open + f.NotAccepted
	var err error
	none := hdr.New(1, b.lower.HighestTrackableValue(), 3)
	if f.Lower, err = distribution(b.lower.Histogram, none, b.lower.overflow); err != nil {
		return Freshness{}, fmt.Errorf("condense lower bounds of freshness: %w", err)
	}
	if f.Upper, err = distribution(b.upper.Histogram, b.censored.Histogram, b.upper.overflow); err != nil {
		return Freshness{}, fmt.Errorf("condense upper bounds of freshness: %w", err)
	}
	f.Upper.takeCensoredAsInfinite(b.upper.Histogram)
	return f, nil
}

// note keeps the first error's text.
func (f *Freshness) note(err error) {
	if f.FirstError == "" && err != nil {
		f.FirstError = err.Error()
	}
}

// keep counts a duration, what lies beyond the range at its end.
func (h *histogram) keep(d time.Duration) {
	highest := h.HighestTrackableValue()
	if int64(d) > highest {
		h.overflow++
	}
	// The value is within the range, so this cannot fail.
	_ = h.RecordValue(min(max(int64(d), 0), highest))
}

// takeCensoredAsInfinite makes those percentiles exact that the censored can only
// push up to a value that was observed. A Distribution of durations must not do
// that: there a censored request may have been about to end.
func (d *Distribution) takeCensoredAsInfinite(observed *hdr.Histogram) {
	for i, l := range levels() {
		p := &d.Percentiles[i]
		if rank := l.rank(d.Count + d.Censored); p.AtLeast && rank <= d.Count {
			p.NS, p.AtLeast = valueAtRank(observed, rank), false
		}
	}
}

// Summary tells people, in lines that end in a line end: the bracket of some
// percentiles, and then only what was not as it should be.
func (f Freshness) Summary() string {
	var s strings.Builder
	s.WriteString("freshness  ")
	for i, p := range f.Lower.Percentiles {
		switch p.Quantile {
		case 0.5, 0.9, 0.99:
			fmt.Fprintf(&s, "  %s %s", p.Name, bracket(p, f.Upper.Percentiles[i]))
		}
	}
	fmt.Fprintf(&s, "  max %s", bracket(f.Lower.Max, f.Upper.Max))
	fmt.Fprintf(&s, "  of %d probes; %d not visible within %v\n", f.Visible+f.Invisible+f.Open, f.Invisible,
		time.Duration(f.TimeoutSeconds*float64(time.Second)))
	if f.Open > 0 {
		fmt.Fprintf(&s, "             %d not visible yet when interrupted\n", f.Open)
	}
	if f.Skipped > 0 {
		fmt.Fprintf(&s, "             %d skipped, because too many were outstanding\n", f.Skipped)
	}
	if f.NotAccepted > 0 {
		fmt.Fprintf(&s, "             %d not accepted:%s\n", f.NotAccepted, listed(f.NotAcceptedKinds))
	}
	if f.QueryErrors > 0 {
		fmt.Fprintf(&s, "             %d of %d queries failed:%s\n", f.QueryErrors, f.Queries, listed(f.QueryErrorKinds))
	}
	if f.FirstError != "" {
		fmt.Fprintf(&s, "             first error: %s\n", f.FirstError)
	}
	return s.String()
}

func bracket(lower, upper Percentile) string {
	switch {
	case lower.Unavailable != "":
		return "n/a"
	case upper.Unavailable != "", upper.AtLeast:
		return "≥ " + short(lower.NS)
	}
	return "[" + short(lower.NS) + ", " + short(upper.NS) + "]"
}

// short prints nanoseconds with three significant digits.
func short(ns int64) string {
	unit := time.Duration(1)
	for time.Duration(ns) >= 1000*unit {
		unit *= 10
	}
	return time.Duration(ns).Round(unit).String()
}

func listed(counts map[string]int64) string {
	var s strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&s, "  %s %d", k, counts[k])
	}
	return s.String()
}
