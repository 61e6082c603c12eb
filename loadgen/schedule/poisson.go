package schedule

import (
	"math"
	"slices"
	"sync"
	"time"
)

// poisson are the arrivals of a Poisson process with a profile's rate.
//
// Their number is drawn first. Given that, Λ(arrival) / Λ(total) of them are
// independent and uniform in [0, 1), which a tree places. Given the time of
// arrival n + 1 instead, the n before it are the same in [0, that time): so a
// constant rate without planned time has a random one.
type poisson struct {
	profile
	tree
	n int64

	mu     sync.Mutex
	cache  [cached]stretch
	lookup int64 // counts calls, so that the stretch used longest ago can go
}

// cached is how many stretches are kept. One serves whoever makes requests due and
// one whoever sends those that waited; two are for what is between.
const cached = 4

// stretch holds when the arrivals of a leaf are due.
type stretch struct {
	first, n int64 // arrivals first to first + n - 1
	used     int64 // the lookup that used it last
	due      [leafSize]time.Duration
}

// newPoisson takes a plan that was checked.
func newPoisson(p Plan) *poisson {
	chance := newSource(p.Seed, countKey)
	phases := p.phases()
	timed := total(phases) > 0
	if !timed {
		seconds := chance.gamma(float64(p.Limit)+1) / p.Rate
		phases[0].Duration = max(time.Duration(seconds*float64(time.Second)), 1)
	}
	s := &poisson{profile: newProfile(phases), tree: tree{seed: p.Seed, points: p.Limit}}
	if timed {
		s.points = max(chance.poisson(s.requests), 1)
	}
	s.n = limited(s.points, p.Limit)
	return s
}

// Due implements Schedule.
func (s *poisson) Due(i int64) time.Duration {
	if i >= s.points {
		return s.total
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stretchOf(i)
	return st.due[i-st.first]
}

// Len implements Schedule.
func (s *poisson) Len() int64 { return s.n }

// stretchOf returns the stretch that has arrival i. The caller holds mu.
func (s *poisson) stretchOf(i int64) *stretch {
	s.lookup++
	oldest := &s.cache[0]
	for k := range s.cache {
		st := &s.cache[k]
		if i >= st.first && i-st.first < st.n {
			st.used = s.lookup
			return st
		}
		if st.used < oldest.used {
			oldest = st
		}
	}
	s.fill(oldest, i)
	oldest.used = s.lookup
	return oldest
}

// fill makes st the stretch that has arrival i.
//
// Rounding may take a time past its neighbours'. Sorting after the change of time,
// and keeping to the times of the leaf's ends, which the next leaf shares, makes
// sure that none decreases.
func (s *poisson) fill(st *stretch, i int64) {
	l := s.leafOf(i)
	width := math.Ldexp(s.requests, -l.depth)
	below := math.Nextafter(s.requests, 0)
	at := func(place float64) time.Duration { return s.at(min(place*width, below)) }

	start, end := at(float64(l.place)), at(float64(l.place+1))
	chance := newSource(s.seed, l.node)
	st.first, st.n = l.first, l.points
	due := st.due[:l.points]
	for k := range due {
		due[k] = min(max(at(float64(l.place)+chance.unit()), start), end)
	}
	slices.Sort(due)
}
