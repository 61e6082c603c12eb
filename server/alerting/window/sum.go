package window

import "math"

// Values from huge on are summed apart from the others and in units of up, so that the sum
// of any number of the largest floats is finite on the way.
const (
	huge = 0x1p900
	down = 0x1p-64
	up   = 0x1p+64
)

// sum adds floats. Unless its slack says otherwise it is exact, so it does not depend on the
// order: two words have room for the digits of whatever is measured.
type sum struct{ small, large pair }

func (s *sum) add(v float64) {
	if v < huge && v > -huge {
		s.small.add(v, 0)
		return
	}
	s.large.add(v*down, 0)
}

func (s *sum) merge(o *sum) {
	s.small.merge(&o.small)
	if o.large != (pair{}) {
		s.large.merge(&o.large)
	}
}

// total returns the sum and how far it may be off.
func (s *sum) total() (t total, slack float64) {
	if s.large.value() == 0 && s.large.slack == 0 {
		t, slack = total{s.small.value(), false}, s.small.slack
		if slack > 0 {
			slack += math.Abs(t.value) * 0x1p-50
		}
		return t, 2 * slack
	}
	t = total{s.large.value() + s.small.value()*down, true}
	return t, 2 * (s.large.slack + s.small.slack*down + math.Abs(t.value)*0x1p-50)
}

// total is a sum, in units of up when it is scaled.
type total struct {
	value  float64
	scaled bool
}

// sum is infinite when it is beyond the largest float.
func (t total) sum(int64) float64 {
	if t.scaled {
		return t.value * up
	}
	return t.value
}

// mean is finite; of nothing it is NaN.
func (t total) mean(n int64) float64 {
	if !t.scaled {
		return t.value / float64(n)
	}
	// Rounding must not carry the mean of the largest floats beyond them.
	return max(-math.MaxFloat64, min(t.value/float64(n)*up, math.MaxFloat64))
}

// pair is a sum in two words. Slack bounds what did not fit.
type pair struct{ high, low, slack float64 }

func (p *pair) merge(o *pair) {
	p.add(o.high, o.low)
	p.slack += o.slack
}

func (p *pair) add(high, low float64) {
	var e1, e2, e3 float64
	p.high, e1 = twoSum(p.high, high)
	p.low, e2 = twoSum(p.low, e1)
	if low != 0 {
		p.low, e3 = twoSum(p.low, low)
	}
	if e2 != 0 || e3 != 0 {
		p.slack += math.Abs(e2) + math.Abs(e3)
	}
}

// value is rounded once, so it is the nearest float when slack is 0.
func (p *pair) value() float64 { return p.high + p.low }

// twoSum returns a sum and what rounding took from it (Knuth).
func twoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	c := sum - a
	return sum, (a - (sum - c)) + (b - c)
}

// Exact adds floats without any loss, in as many words as it takes. It allocates for the
// first few only.
type Exact struct {
	small, large expansion
	n            int64
}

// Add adds v, which is finite.
func (e *Exact) Add(v float64) {
	e.n++
	if v < huge && v > -huge {
		e.small.add(v)
		return
	}
	e.large.add(v * down)
}

func (e *Exact) total() total {
	if e.large.value() == 0 { // exactly: they cancel each other
		return total{e.small.value(), false}
	}
	all := expansion{parts: append([]float64(nil), e.large.parts...)}
	all.add(e.small.value() * down)
	return total{all.value(), true}
}

// Sum is infinite when it is beyond the largest float.
func (e *Exact) Sum() float64 { return e.total().sum(e.n) }

// Avg is finite; it is NaN when nothing was added.
func (e *Exact) Avg() float64 { return e.total().mean(e.n) }

// expansion is a sum in parts that do not overlap, the smallest first, some forty at most
// (Shewchuk, Adaptive precision floating-point arithmetic).
type expansion struct{ parts []float64 }

func (e *expansion) add(x float64) {
	kept := 0
	for _, part := range e.parts {
		var lost float64
		if x, lost = twoSum(x, part); lost != 0 {
			e.parts[kept] = lost
			kept++
		}
	}
	e.parts = append(e.parts[:kept], x)
}

// value is the nearest float.
func (e *expansion) value() float64 {
	i := len(e.parts) - 1
	if i < 0 {
		return 0
	}
	total := e.parts[i]
	var lost float64
	for i--; i >= 0 && lost == 0; i-- {
		total, lost = twoSum(total, e.parts[i])
	}
	// What is lost is half a digit at most. At exactly half, the parts below decide.
	if i >= 0 && lost != 0 && (lost < 0) == (e.parts[i] < 0) {
		if double := lost * 2; (total+double)-total == double {
			total += double
		}
	}
	return total
}
