package record

import (
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// maxSlices bounds a timeline. A run that is longer gets wider slices.
const maxSlices = 64

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
	return slice{response: hdr.New(1, highest, 2)}
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

func (t *timeline) export() Timeline {
	out := Timeline{
		SliceSeconds: time.Duration(t.width).Seconds(),
		Slices:       make([]Slice, 0, len(t.slices)),
	}
	for _, s := range t.slices {
		out.Slices = append(out.Slices, s.export())
	}
	return out
}

func (s *slice) add(other slice) {
	s.sent += other.sent
	s.accepted += other.accepted
	s.rejected += other.rejected
	s.errors += other.errors
	s.response.Merge(other.response)
}

func (s *slice) export() Slice {
	out := Slice{Sent: s.sent, Accepted: s.accepted, Rejected: s.rejected, Errors: s.errors}
	n := s.response.TotalCount()
	for _, l := range levels() {
		switch {
		case n < l.needs:
		case l.name == "p50":
			out.P50NS = valueAtRank(s.response, l.rank(n))
		case l.name == "p99":
			out.P99NS = valueAtRank(s.response, l.rank(n))
		}
	}
	return out
}
