package record

import (
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Part is one run's share of a Stream that several runs offered together.
type Part struct {
	RunID  string        // for errors
	Offset time.Duration // of the run's start from the earliest start, ≥ 0
	Stream Stream
}

// Sum adds up what the parts recorded: accounting, connections, distributions
// and timelines. Percentiles come from the added histograms, by the rules of a
// single run. URL, method, window and rates are left to the caller. The error
// names the run and the field.
func Sum(parts []Part) (Stream, error) {
	var sum Stream
	for _, p := range parts {
		sum.Accounting.add(p.Stream.Accounting)
		sum.Connections.add(p.Stream.Connections)
		sum.Timeline.add(p.Stream.Timeline, p.Offset)
	}
	for i, f := range sum.fields() {
		var t tally
		for _, p := range parts {
			if err := t.add(*p.Stream.fields()[i].d); err != nil {
				return Stream{}, fmt.Errorf("add up run %s: %s.%w", p.RunID, f.name, err)
			}
		}
		var err error
		if *f.d, err = t.distribution(); err != nil {
			return Stream{}, fmt.Errorf("add up %s: %w", f.name, err)
		}
	}
	return sum, nil
}

// field is a Distribution of a Stream with its name in the JSON form.
type field struct {
	name string
	d    *Distribution
}

func (s *Stream) fields() []field {
	return []field{
		{"response_time", &s.ResponseTime},
		{"service_time", &s.ServiceTime},
		{"other_response_time", &s.OtherResponseTime},
		{"other_service_time", &s.OtherServiceTime},
		{"send_lag", &s.SendLag},
		{"own_lateness", &s.OwnLateness},
		{"connection_wait", &s.ConnectionWait},
	}
}

// tally adds up distributions. Its histograms have the widest range of all.
type tally struct {
	observed, censored *hdr.Histogram // nil before the first
	overflow           int64
}

func (t *tally) add(d Distribution) error {
	observed, censored, err := d.histograms()
	if err != nil {
		return err
	}
	t.overflow += d.Overflow
	if t.observed == nil {
		t.observed, t.censored = observed, censored
		return nil
	}
	if observed.HighestTrackableValue() > t.observed.HighestTrackableValue() {
		t.observed, observed = observed, t.observed
		t.censored, censored = censored, t.censored
	}
	if dropped := t.observed.Merge(observed) + t.censored.Merge(censored); dropped > 0 {
		return fmt.Errorf("hdr: %d observations do not fit into the sum", dropped)
	}
	return nil
}

func (t *tally) distribution() (Distribution, error) {
	if t.observed == nil {
		t.observed, t.censored = newHistogram(int64(minRange)), newHistogram(int64(minRange))
	}
	return distribution(t.observed, t.censored, t.overflow)
}

// histograms decodes both histograms. They have the same range; that of the
// censored is empty when there are none. The error begins with the field's name.
func (d Distribution) histograms() (observed, censored *hdr.Histogram, err error) {
	if observed, err = decode(d.HDR, digits); err != nil {
		return nil, nil, fmt.Errorf("hdr: %w", err)
	}
	if d.CensoredHDR == "" {
		return observed, newHistogram(observed.HighestTrackableValue()), nil
	}
	if censored, err = decode(d.CensoredHDR, digits); err != nil {
		return nil, nil, fmt.Errorf("censored_hdr: %w", err)
	}
	if got, want := censored.HighestTrackableValue(), observed.HighestTrackableValue(); got != want {
		return nil, nil, fmt.Errorf("censored_hdr: reaches to %d ns, want %d as hdr", got, want)
	}
	return observed, censored, nil
}

// digits is the precision of all histograms but the timeline's.
const digits = 3

func newHistogram(highest int64) *hdr.Histogram { return hdr.New(1, highest, digits) }

// decode returns a histogram with the buckets of a Recorder's, of a precision in
// digits: others cannot be added to it bucket by bucket.
func decode(text string, digits int64) (*hdr.Histogram, error) {
	h, err := hdr.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	low, high, precision := h.LowestTrackableValue(), h.HighestTrackableValue(), h.SignificantFigures()
	if low != 1 || high < int64(minRange) || high > int64(maxRange) || precision != digits {
		return nil, fmt.Errorf("from %d to %d ns with %d digits, want from 1 to between %d and %d with %d",
			low, high, precision, minRange.Nanoseconds(), maxRange.Nanoseconds(), digits)
	}
	return h, nil
}

func (a *Accounting) add(b Accounting) {
	a.Scheduled += b.Scheduled
	a.Sent += b.Sent
	a.NeverSent += b.NeverSent
	a.Answered += b.Answered
	a.TimedOut += b.TimedOut
	a.Failed += b.Failed
	a.Open += b.Open
	a.Accepted += b.Accepted
	addCounts(&a.NeverSentKinds, b.NeverSentKinds)
	addCounts(&a.FailedKinds, b.FailedKinds)
	addCounts(&a.StatusClasses, b.StatusClasses)
	addCounts(&a.StatusCodes, b.StatusCodes)
}

func addCounts(to *map[string]int64, from map[string]int64) {
	if *to == nil {
		*to = map[string]int64{}
	}
	for k, n := range from {
		(*to)[k] += n
	}
}

// add adds the peaks too, which need not have come at the same time: the sum is
// an upper bound.
func (c *Connections) add(other Connections) {
	c.Allowed += other.Allowed
	c.Peak += other.Peak
	c.Dials += other.Dials
}

// add adds a timeline that begins at an offset from t's begin. It widens t to the
// wider slices of the two, and further until all fits. A slice of the other counts
// where its middle lies.
func (t *Timeline) add(other Timeline, offset time.Duration) {
	t.SliceSeconds = max(t.SliceSeconds, 1)
	for t.SliceSeconds < other.SliceSeconds {
		t.fold()
	}
	for i, s := range other.Slices {
		t.at(offset.Seconds() + (float64(i)+0.5)*other.SliceSeconds).add(s)
	}
}

// at returns the slice of a time in seconds, ≥ 0, from t's begin.
func (t *Timeline) at(seconds float64) *Slice {
	for seconds >= maxSlices*t.SliceSeconds {
		t.fold()
	}
	i := int(seconds / t.SliceSeconds)
	for i >= len(t.Slices) {
		t.Slices = append(t.Slices, Slice{})
	}
	return &t.Slices[i]
}

// fold doubles the width.
func (t *Timeline) fold() {
	t.SliceSeconds *= 2
	half := make([]Slice, (len(t.Slices)+1)/2)
	for i, s := range t.Slices {
		half[i/2].add(s)
	}
	t.Slices = half
}

// add forgets the percentiles when both sides have some and their histograms are not
// known: two numbers do not tell that of the whole.
func (s *Slice) add(other Slice) {
	switch {
	case s.Accepted == 0:
		s.P50NS, s.P99NS, s.HDR = other.P50NS, other.P99NS, other.HDR
	case other.Accepted > 0:
		s.join(other)
	}
	s.addCounts(other)
}

func (s *Slice) addCounts(other Slice) {
	s.Sent += other.Sent
	s.Accepted += other.Accepted
	s.Rejected += other.Rejected
	s.Errors += other.Errors
}

// join adds the other's histogram, or leaves none.
func (s *Slice) join(other Slice) {
	a, errA := s.Histogram()
	b, errB := other.Histogram()
	s.P50NS, s.P99NS, s.HDR = 0, 0, ""
	if a == nil || b == nil || errA != nil || errB != nil {
		return
	}
	if b.HighestTrackableValue() > a.HighestTrackableValue() {
		a, b = b, a
	}
	if dropped := a.Merge(b); dropped > 0 || s.encode(a) != nil {
		return
	}
	s.condense(a)
}
