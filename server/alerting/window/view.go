package window

import (
	"math"
	"slices"

	"phase0/server/alerting/rule"
)

// View is a range of a window. Its samples are those from low to before high; those from
// high on are of the future. They form a queue of two stacks: of those before the fence it
// is known what every rest of them amounts to, of those behind it what all do.
type View struct {
	window    *Window
	width     int64
	low, high position
	n         int

	cells, moments, ranks bool // what is asked for beside the number, the first and the last

	fence position
	// front[i] is what is between the beginning of chunk frontAt+i and the fence amounts to;
	// rest[i] the same from sample i of the chunk restAt on.
	front   []cell
	frontAt int
	rest    []cell
	restAt  int
	stale   bool // front and rest must be computed again
	back    cell

	order order
}

func (v *View) need(f rule.Func) {
	switch f {
	case rule.Avg, rule.Sum, rule.Min, rule.Max:
		v.cells = true
	case rule.Stddev:
		v.cells, v.moments = true, true
	case rule.Quantile:
		v.ranks = true
	}
}

// Len returns how many samples are in the view.
func (v *View) Len() int { return v.n }

func (v *View) advance(now int64, end position) {
	w := v.window
	v.high, v.fence = w.settle(v.high), w.settle(v.fence)
	for v.high.before(end) {
		p := w.point(v.high)
		if p.time > now {
			break
		}
		v.enter(p.value)
		v.high.at++
		v.high = w.settle(v.high)
	}
	v.low = w.settle(v.low)
	for v.low.before(v.high) && w.point(v.low).time <= now-v.width {
		v.leave()
	}
}

func (v *View) enter(value float64) {
	v.n++
	if v.cells {
		v.back.add(value, v.moments)
	}
	if v.ranks {
		v.order.add(value)
	}
}

// leave lets go of the oldest sample.
func (v *View) leave() {
	v.n--
	if v.ranks {
		v.order.remove(v.window.point(v.low).value)
	}
	v.low.at++
	v.low = v.window.settle(v.low)
}

// skip lets go of everything before a position.
func (v *View) skip(to position) {
	v.low, v.high = v.window.settle(v.low), v.window.settle(v.high)
	for v.low.before(v.high) && v.low.before(to) {
		v.leave()
	}
	if v.low.before(to) {
		v.low, v.high = to, to
	}
	if v.fence.before(v.low) {
		v.stale = true
	}
}

// inserted notes a sample that took a place before others. Positions at or behind that
// place move by one, unless they are the place itself: high is where the future begins.
func (v *View) inserted(p position, value float64) {
	inside := !p.before(v.low) && p.before(v.high)
	if p.chunk == v.fence.chunk && p.at < v.fence.at {
		v.fence.at++
	}
	front := inside && p.before(v.fence)
	for _, mark := range []*position{&v.low, &v.high} {
		if p.chunk == mark.chunk && p.at < mark.at {
			mark.at++
		}
	}
	if !inside {
		if p.chunk == v.restAt {
			v.restAt = -1 // its samples have other places now
		}
		return
	}
	v.n++
	if v.ranks {
		v.order.add(value)
	}
	if !v.cells {
		return
	}
	if !front {
		v.back.add(value, v.moments)
		return
	}
	v.restAt = -1
	for i := v.frontAt; i <= p.chunk && i-v.frontAt < len(v.front); i++ {
		v.front[i-v.frontAt].add(value, v.moments)
	}
}

// split notes that the second half of a chunk has become a chunk of its own.
func (v *View) split(number int) {
	for _, mark := range []*position{&v.low, &v.high, &v.fence} {
		switch {
		case mark.chunk > number:
			mark.chunk++
		case mark.chunk == number && mark.at > stretch:
			*mark = position{number + 1, mark.at - stretch}
		}
	}
	v.stale = true
}

// all returns what all samples of the view amount to.
func (v *View) all() cell {
	v.low, v.fence = v.window.settle(v.low), v.window.settle(v.fence)
	if v.stale || !v.low.before(v.fence) {
		v.turn()
	}
	if !v.low.before(v.fence) {
		return v.back
	}
	if v.restAt != v.low.chunk {
		v.fillRest()
	}
	all := v.rest[v.low.at]
	all.merge(&v.back, v.moments)
	return all
}

// turn puts everything on the front stack.
func (v *View) turn() {
	w := v.window
	v.fence, v.back, v.stale, v.restAt = w.settle(v.high), cell{}, false, -1
	v.frontAt = v.low.chunk + 1
	length := max(0, v.fence.chunk-v.low.chunk)
	if cap(v.front) < length {
		v.front = make([]cell, length)
	}
	v.front = v.front[:length]
	var all cell
	for i := v.fence.chunk; i >= v.frontAt; i-- {
		c := w.chunks[i-w.first]
		if i == v.fence.chunk {
			for _, p := range c.points[:v.fence.at] {
				all.add(p.value, v.moments)
			}
		} else {
			if c.whole.n == 0 {
				for _, p := range c.points {
					c.whole.add(p.value, true) // views differ in what they ask for
				}
			}
			all.merge(&c.whole, v.moments)
		}
		v.front[i-v.frontAt] = all
	}
}

// fillRest takes the oldest chunk of the front stack apart.
func (v *View) fillRest() {
	points := v.window.at(v.low).points
	var all cell
	if v.low.chunk == v.fence.chunk {
		points = points[:v.fence.at]
	} else if i := v.low.chunk + 1 - v.frontAt; i < len(v.front) {
		all = v.front[i]
	}
	v.rest, v.restAt = slices.Grow(v.rest[:0], len(points))[:len(points)], v.low.chunk
	for i := len(points) - 1; i >= v.low.at; i-- {
		all.add(points[i].value, v.moments)
		v.rest[i] = all
	}
}

// Value returns what f makes of the samples, NaN when there are none, or too few. The
// threshold is what it will be compared with: so near to it that rounding might decide,
// the value is computed from the samples themselves, to its last digit.
func (v *View) Value(f rule.Func, quantile, threshold float64) float64 {
	if v.n == 0 {
		return math.NaN()
	}
	switch f {
	case rule.Count:
		return float64(v.n)
	case rule.Rate:
		return v.rate()
	case rule.Quantile:
		return v.order.rank(int32(Rank(quantile, v.n)))
	}
	all := v.all()
	switch f {
	case rule.Min:
		return all.min
	case rule.Max:
		return all.max
	case rule.Stddev:
		return v.stddev(&all, threshold)
	case rule.Sum:
		return v.summed(&all.sum, threshold, total.sum)
	default:
		return v.summed(&all.sum, threshold, total.mean)
	}
}

// Rank returns which of n sorted values a quantile is, from 1.
func Rank(quantile float64, n int) int {
	rank := quantile * float64(n)
	if whole := math.Round(rank); math.Abs(rank-whole) < 1e-6 {
		rank = whole // 0.07 × 100 is 7, not a little more
	}
	return max(1, min(int(math.Ceil(rank)), n))
}

func (v *View) summed(s *sum, threshold float64, figure func(total, int64) float64) float64 {
	n := int64(v.n)
	t, slack := s.total()
	value := figure(t, n)
	if slack == 0 {
		return value
	}
	least, most := figure(total{t.value - slack, t.scaled}, n), figure(total{t.value + slack, t.scaled}, n)
	if threshold < least || threshold > most {
		return value
	}
	var e Exact
	v.each(func(p point) { e.Add(p.value) })
	return figure(e.total(), n)
}

func (v *View) stddev(c *cell, threshold float64) float64 {
	value := c.moments.Stddev(c.min, c.max)
	if c.min == c.max || math.Abs(value-threshold) > c.moments.doubt(value) {
		return value
	}
	return ExactStddev(func(yield func(float64)) { v.each(func(p point) { yield(p.value) }) })
}

func (v *View) each(yield func(point)) {
	for p := v.window.settle(v.low); p.before(v.high); p = v.window.settle(p) {
		yield(v.window.point(p))
		p.at++
	}
}

// rate is the change per second from the first to the last sample.
func (v *View) rate() float64 {
	from, to := v.window.point(v.window.settle(v.low)), v.newest()
	return Rate(from.time, from.value, to.time, to.value)
}

// Rate is NaN when no time lies between first and last.
func Rate(first int64, from float64, last int64, to float64) float64 {
	if first == last {
		return math.NaN()
	}
	return (to - from) / (float64(last-first) / 1000)
}

// Newest returns the time of the newest sample of the view, if it has any.
func (v *View) Newest() (time int64, ok bool) {
	if v.n == 0 {
		return 0, false
	}
	return v.newest().time, true
}

func (v *View) newest() point {
	last := v.high
	if last.at--; last.at < 0 {
		last.chunk--
		last.at = len(v.window.at(last).points) - 1
	}
	return v.window.point(last)
}
