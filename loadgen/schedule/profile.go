package schedule

import (
	"math"
	"sort"
	"time"
)

// profile is Λ, the requests that the rate amounts to until a time, and its
// inverse. It is not changed once it is made.
type profile struct {
	segments []segment
	total    time.Duration
	requests float64 // Λ(total), above 0
}

// segment is a phase in its place.
type segment struct {
	Phase
	start  time.Duration
	before float64 // Λ(start)
}

func newProfile(phases []Phase) profile {
	p := profile{segments: make([]segment, 0, len(phases))}
	for _, ph := range phases {
		p.segments = append(p.segments, segment{Phase: ph, start: p.total, before: whole(p.requests)})
		p.total += ph.Duration
		p.requests += ph.requests()
	}
	p.requests = whole(p.requests)
	return p
}

// whole returns the whole number that y misses by no more than rounding can
// explain, otherwise y. It keeps 0.3 s at 10 rps, computed as 3.0000000000000004,
// from being four requests, and a request that is due when a pause ends from
// being due when it begins. The absolute part is that of NewConstant; the relative
// one is what sums over 1,000 phases are typically out by. Nothing becomes 0, since
// a profile has requests.
func whole(y float64) float64 {
	r := math.Round(y)
	if r >= 1 && math.Abs(y-r) <= 1e-6+1e-14*y {
		return r
	}
	return y
}

// at returns when Λ passes y, which lies in [0, requests). In a pause, where Λ
// rests, that is its end. The time is rounded down to a nanosecond and lies before
// the end of its phase.
func (p *profile) at(y float64) time.Duration {
	after := sort.Search(len(p.segments), func(k int) bool { return p.segments[k].before > y })
	s := &p.segments[after-1]
	offset := time.Duration(s.passes(y-s.before) * float64(time.Second))
	return s.start + min(offset, s.Duration-1)
}

// passes returns the seconds from the segment's start until y requests.
//
// With r the lower of a ramp's two rates and g > 0 its growth per second, r·t + g·t²/2 = y
// has the root t = 2y / (r + √(r² + 2gy)), counted from the end with the lower rate. All
// terms are positive, so nothing cancels, and in a flat ramp it becomes y / r.
func (s *segment) passes(y float64) float64 {
	if s.From == s.To {
		return y / s.From
	}
	d := s.Duration.Seconds()
	growth := math.Abs(s.To-s.From) / d
	if s.To < s.From {
		return max(d-root(s.To, growth, s.requests()-y), 0)
	}
	return root(s.From, growth, y)
}

func root(rate, growth, y float64) float64 {
	if y <= 0 {
		return 0
	}
	return 2 * y / (rate + math.Sqrt(rate*rate+2*growth*y))
}
