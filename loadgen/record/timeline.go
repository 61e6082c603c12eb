package record

import (
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// maxSlices bounds a timeline. A run that is longer gets wider slices.
const maxSlices = 64

// sliceDigits is the precision of a slice's histogram.
const sliceDigits = 2

// Timeline is a run cut into slices of equal width, from the first intended
// start on.
type Timeline struct {
	SliceSeconds float64 `json:"slice_seconds"` // a power of two
	Slices       []Slice `json:"slices"`
}

// Slice is what happened in one stretch of the run: requests count as sent in
// the slice of their actual start, all else in that of its completion.
type Slice struct {
	Sent     int64 `json:"sent"`
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"` // answered, not 2xx
	Errors   int64 `json:"errors"`   // never sent, failed or timed out
	// P50NS and P99NS are percentiles of the response time of the accepted, within
	// 1 %; 0 when there are too few (6 and 368).
	P50NS int64 `json:"p50_ns"`
	P99NS int64 `json:"p99_ns"`
	// HDR is the histogram behind them, in nanoseconds with two digits, encoded as that
	// of a Distribution. Empty when nothing was accepted, and in results of versions
	// that did not store it.
	HDR string `json:"hdr,omitempty"`
}

// Histogram decodes HDR. It returns nil when there is none.
func (s Slice) Histogram() (*hdr.Histogram, error) {
	if s.HDR == "" {
		return nil, nil
	}
	h, err := decode(s.HDR, sliceDigits)
	if err != nil {
		return nil, fmt.Errorf("hdr: %w", err)
	}
	return h, nil
}

// timeline collects slices. Slices are merged pairwise when they become too
// many, and all there can be are made with the first, so that a long run takes no
// more memory than a short one.
type timeline struct {
	width   int64 // ns
	highest int64 // of the histograms, ns
	slices  []slice
	spare   []slice // empty ones, for use
}

type slice struct {
	sent, accepted, rejected, errors int64
	response                         *hdr.Histogram // of the accepted, 1 %
}

func newSlice(highest int64) slice {
	return slice{response: hdr.New(1, highest, sliceDigits)}
}

func newTimeline(highest int64) *timeline {
	return &timeline{
		width:   int64(time.Second),
		highest: highest,
		slices:  make([]slice, 0, maxSlices),
		spare:   make([]slice, 0, maxSlices),
	}
}

// at returns the slice that an offset from the start of the run lies in.
func (t *timeline) at(offset int64) *slice {
	for offset/t.width >= maxSlices {
		t.fold()
	}
	i := int(max(offset, 0) / t.width)
	for i >= len(t.slices) {
		t.slices = append(t.slices, t.fresh())
	}
	return &t.slices[i]
}

// fresh returns an empty slice.
func (t *timeline) fresh() slice {
	if len(t.slices) == 0 && len(t.spare) == 0 {
		for range maxSlices {
			t.spare = append(t.spare, newSlice(t.highest))
		}
	}
	last := len(t.spare) - 1
	s := t.spare[last]
	t.spare = t.spare[:last]
	return s
}

// before returns the slice that ended last before an offset, or nil.
func (t *timeline) before(offset int64) *slice {
	if i := offset/t.width - 1; i >= 0 && i < int64(len(t.slices)) {
		return &t.slices[i]
	}
	return nil
}

// fold doubles the width.
func (t *timeline) fold() {
	t.width *= 2
	half := (len(t.slices) + 1) / 2
	for i := range half {
		s := t.slices[2*i]
		if 2*i+1 < len(t.slices) {
			second := t.slices[2*i+1]
			s.add(second)
			second.response.Reset()
			t.spare = append(t.spare, slice{response: second.response})
		}
		t.slices[i] = s
	}
	clear(t.slices[half:])
	t.slices = t.slices[:half]
}

// add merges another timeline into t. The other is folded to t's width if its
// own is smaller.
func (t *timeline) add(other *timeline) {
	for t.width < other.width {
		t.fold()
	}
	for other.width < t.width {
		other.fold()
	}
	for i, s := range other.slices {
		t.at(int64(i) * t.width).add(s)
	}
}

func (t *timeline) export() (Timeline, error) {
	out := Timeline{
		SliceSeconds: time.Duration(t.width).Seconds(),
		Slices:       make([]Slice, 0, len(t.slices)),
	}
	for _, s := range t.slices {
		exported := s.export()
		if err := exported.encode(s.response); err != nil {
			return Timeline{}, err
		}
		out.Slices = append(out.Slices, exported)
	}
	return out, nil
}

func (s *slice) add(other slice) {
	s.sent += other.sent
	s.accepted += other.accepted
	s.rejected += other.rejected
	s.errors += other.errors
	s.response.Merge(other.response)
}

// export leaves the histogram out, which is not needed while a run goes on.
func (s *slice) export() Slice {
	out := Slice{Sent: s.sent, Accepted: s.accepted, Rejected: s.rejected, Errors: s.errors}
	out.condense(s.response)
	return out
}

// condense sets the percentiles to those of a histogram.
func (s *Slice) condense(h *hdr.Histogram) {
	s.P50NS, s.P99NS = 0, 0
	n := h.TotalCount()
	for _, l := range levels() {
		switch {
		case n < l.needs:
		case l.name == "p50":
			s.P50NS = valueAtRank(h, l.rank(n))
		case l.name == "p99":
			s.P99NS = valueAtRank(h, l.rank(n))
		}
	}
}

func (s *Slice) encode(h *hdr.Histogram) error {
	s.HDR = ""
	if h.TotalCount() == 0 {
		return nil
	}
	text, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return fmt.Errorf("encode timeline: %w", err)
	}
	s.HDR = string(text)
	return nil
}
