package window

import "math"

// cell is what some samples amount to.
type cell struct {
	n        int64
	sum      sum
	min, max float64
	moments  Moments // where they are asked for
}

func (c *cell) add(v float64, moments bool) {
	if c.n++; c.n == 1 {
		c.min, c.max = v, v
	} else if v < c.min {
		c.min = v
	} else if v > c.max {
		c.max = v
	}
	c.sum.add(v)
	if moments {
		c.moments.Add(v)
	}
}

// merge adds what o holds.
func (c *cell) merge(o *cell, moments bool) {
	if o.n == 0 {
		return
	}
	if c.n == 0 {
		*c = *o
		return
	}
	if moments {
		c.moments.merge(&o.moments)
	}
	c.n += o.n
	c.sum.merge(&o.sum)
	c.min, c.max = min(c.min, o.min), max(c.max, o.max)
}

// Moments are the mean and the sum of the squared distances from it (Welford).
type Moments struct{ n, mean, squares float64 }

// Add adds a value.
func (m *Moments) Add(v float64) {
	m.n++
	delta := v - m.mean
	m.mean += delta / m.n
	m.squares += delta * (v - m.mean)
}

// merge adds what o holds, as in Chan, Golub, LeVeque: Updating formulae and a pairwise
// algorithm for computing sample variances. Neither is empty.
func (m *Moments) merge(o *Moments) {
	n := m.n + o.n
	delta := o.mean - m.mean
	m.mean += delta * (o.n / n)
	m.squares += o.squares + delta*delta*(m.n/n)*o.n
	m.n = n
}

// widest is the range of values whose squared distances can be summed.
const widest = 0x1p500

// Stddev is that of the population, of which least and most are the extremes. It is infinite
// for values that are 2^500 apart: so it does not depend on the order in which their squares
// overflow.
func (m *Moments) Stddev(least, most float64) float64 {
	switch {
	case least == most:
		return 0
	case most-least > widest:
		return math.Inf(1)
	}
	return math.Sqrt(m.squares / m.n)
}

// doubt bounds what rounding did to Stddev.
func (m *Moments) doubt(stddev float64) float64 {
	return m.n * 0x1p-50 * (math.Abs(m.mean) + stddev)
}

// ExactStddev is Moments.Stddev without the rounding that depends on the order of the
// values, which are gone through twice.
func ExactStddev(each func(yield func(float64))) float64 {
	var sum, squares Exact
	least, most := math.Inf(1), math.Inf(-1)
	each(func(v float64) {
		sum.Add(v)
		least, most = min(least, v), max(most, v)
	})
	if least == most || most-least > widest {
		return (&Moments{}).Stddev(least, most)
	}
	mean := sum.Avg()
	each(func(v float64) { squares.Add(float64((v - mean) * (v - mean))) })
	return math.Sqrt(squares.Avg())
}
