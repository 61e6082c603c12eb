package record

import (
	"fmt"
	"strconv"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// statusLimit bounds the status codes that are counted: 100 to 599.
const statusLimit = 600

// books are a shard's counters and histograms.
type books struct {
	highest int64 // of the histograms, ns

	sent, timedOut, open   int64
	status                 [statusLimit]int64
	failed, neverSent      [kinds]int64
	lastSent, lastAccepted int64

	response, service           *histogram // of the accepted
	otherResponse, otherService *histogram
	// Lower bounds of what ended without an answer for lack of time.
	censoredResponse, censoredService *histogram
	lag, lateness, wait               *histogram

	timeline *timeline
}

// histogram counts what lies beyond its range at its end and in overflow.
type histogram struct {
	*hdr.Histogram
	overflow int64
}

func newBooks(highest int64) *books {
	b := &books{highest: highest, timeline: newTimeline(highest)}
	for _, h := range b.histograms() {
		*h = &histogram{Histogram: hdr.New(1, highest, 3)}
	}
	return b
}

func (b *books) histograms() []**histogram {
	return []**histogram{
		&b.response, &b.service, &b.otherResponse, &b.otherService,
		&b.censoredResponse, &b.censoredService,
		&b.lag, &b.lateness, &b.wait,
	}
}

func (b *books) keep(h *histogram, ns int64) {
	if ns > b.highest {
		h.overflow++
		ns = b.highest
	}
	// The value is within the range, so this cannot fail.
	_ = h.RecordValue(max(ns, 0))
}

func (b *books) censor(f Flight, now int64) {
	b.keep(b.censoredResponse, now-f.Intended)
	b.keep(b.censoredService, now-f.Actual)
}

func (b *books) answered() int64 { return sum(b.status[:]) }
func (b *books) accepted() int64 { return sum(b.status[200:300]) }

// add adds other, whose timeline may be folded by that.
func (b *books) add(other *books) {
	b.sent += other.sent
	b.timedOut += other.timedOut
	b.open += other.open
	b.lastSent = max(b.lastSent, other.lastSent)
	b.lastAccepted = max(b.lastAccepted, other.lastAccepted)
	addEach(b.status[:], other.status[:])
	addEach(b.failed[:], other.failed[:])
	addEach(b.neverSent[:], other.neverSent[:])
	from := other.histograms()
	for i, h := range b.histograms() {
		(*h).Merge((*from[i]).Histogram)
		(*h).overflow += (*from[i]).overflow
	}
	b.timeline.add(other.timeline)
}

func (b *books) accounting(scheduled int64) Accounting {
	a := Accounting{
		Scheduled: scheduled,
		Sent:      b.sent,
		NeverSent: sum(b.neverSent[:]),
		Answered:  b.answered(),
		TimedOut:  b.timedOut,
		Failed:    sum(b.failed[:]),
		Open:      b.open,
		Accepted:  b.accepted(),

		NeverSentKinds: named(b.neverSent[:]),
		FailedKinds:    named(b.failed[:]),
		StatusClasses:  map[string]int64{},
		StatusCodes:    map[string]int64{},
	}
	for code, n := range b.status {
		if n > 0 {
			a.StatusCodes[strconv.Itoa(code)] = n
			a.StatusClasses[strconv.Itoa(code/100)+"xx"] += n
		}
	}
	return a
}

func (b *books) distributions(st *Stream) error {
	none := hdr.New(1, b.highest, 3)
	for _, d := range []struct {
		into     *Distribution
		observed *histogram
		censored *hdr.Histogram
		name     string
	}{
		{&st.ResponseTime, b.response, b.censoredResponse.Histogram, "response time"},
		{&st.ServiceTime, b.service, b.censoredService.Histogram, "service time"},
		{&st.OtherResponseTime, b.otherResponse, none, "other response time"},
		{&st.OtherServiceTime, b.otherService, none, "other service time"},
		{&st.SendLag, b.lag, none, "send lag"},
		{&st.OwnLateness, b.lateness, none, "own lateness"},
		{&st.ConnectionWait, b.wait, none, "connection wait"},
	} {
		var err error
		if *d.into, err = distribution(d.observed.Histogram, d.censored, d.observed.overflow); err != nil {
			return fmt.Errorf("condense %s: %w", d.name, err)
		}
	}
	return nil
}

// named returns the counts above zero by the name of their Kind.
func named(counts []int64) map[string]int64 {
	out := map[string]int64{}
	for k, n := range counts {
		if n > 0 {
			out[Kind(k).String()] = n
		}
	}
	return out
}

func sum(counts []int64) int64 {
	var total int64
	for _, n := range counts {
		total += n
	}
	return total
}

func addEach(to, from []int64) {
	for i, n := range from {
		to[i] += n
	}
}
