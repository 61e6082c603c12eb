package query

import (
	"math"

	"phase0/server/sample"
)

// Fold sums samples up, in windows of time. It is filled by an Engine: either sample by
// sample in the order of the file, or in parts, each of which holds a stretch of the file
// and which are merged in the file's order. It belongs to one goroutine; parts may be
// filled by others.
type Fold struct {
	start, step int64 // step 0: one window
	cells       []cell
	// Dividing once for a run of samples of one window is enough.
	window     *cell
	windowAt   int32
	begin, end int64 // of window

	moments, keeps bool // what the aggregates need beside the plain figures
	room           int  // for more values
	full           bool

	// Of a part only: which cells have samples, and its values with their cells.
	part    bool
	touched []int32
	keys    []uint64
	keyAt   []int32
}

func newFold(windows int, sel Selector, step int64, list []Aggregate, maxValues int) *Fold {
	f := &Fold{start: sel.Start, step: step, cells: make([]cell, windows), room: maxValues}
	for _, a := range list {
		f.moments = f.moments || a.name == "stddev"
		f.keeps = f.keeps || a.isPercentile()
	}
	f.end = -1 // no window yet: times are not negative
	return f
}

// Part returns an empty fold of the same windows, to be merged into f.
func (f *Fold) Part() *Fold {
	return &Fold{start: f.start, step: f.step, cells: make([]cell, len(f.cells)), moments: f.moments, keeps: f.keeps, part: true, end: -1}
}

// Reset empties a part.
func (f *Fold) Reset() {
	for _, i := range f.touched {
		f.cells[i] = cell{}
	}
	f.touched, f.keys, f.keyAt = f.touched[:0], f.keys[:0], f.keyAt[:0]
}

// Add adds a sample of the request's range. False means that f is full and that no more
// are wanted.
func (f *Fold) Add(s sample.Sample) bool {
	if s.Timestamp > f.end || s.Timestamp < f.begin {
		f.seek(s.Timestamp)
	}
	c := f.window
	if c.count == 0 && f.part {
		f.touched = append(f.touched, f.windowAt)
	}
	c.add(s.Timestamp, s.Value)
	if f.moments {
		c.addMoments(s.Value)
	}
	return !f.keeps || f.keep(f.windowAt, keyOf(s.Value))
}

// seek finds the window of time t.
func (f *Fold) seek(t int64) {
	f.begin, f.end, f.windowAt = f.start, math.MaxInt64, 0
	if f.step > 0 {
		i := (t - f.start) / f.step
		f.windowAt = int32(i)
		f.begin += i * f.step
		if f.end-f.begin >= f.step {
			f.end = f.begin + f.step - 1
		}
	}
	f.window = &f.cells[f.windowAt]
}

func (f *Fold) keep(at int32, key uint64) bool {
	if f.part {
		f.keys, f.keyAt = append(f.keys, key), append(f.keyAt, at)
		return true
	}
	if f.room == 0 {
		f.full = true
		return false
	}
	f.room--
	f.cells[at].values.add(key)
	return true
}

// Merge adds a part that follows everything that f has. False means as with Add.
func (f *Fold) Merge(part *Fold) bool {
	for _, i := range part.touched {
		f.cells[i].merge(&part.cells[i])
	}
	for i, key := range part.keys {
		if !f.keep(part.keyAt[i], key) {
			return false
		}
	}
	return true
}

// cell is what is known of the samples of one window.
type cell struct {
	count       int64
	sum         sum
	min, max    float64
	first, last point
	// Welford's mean and sum of squared distances from it.
	mean, squares float64
	values        values
}

type point struct {
	time  int64
	value float64
}

func (c *cell) add(time int64, v float64) {
	if c.count == 0 {
		c.min, c.max = v, v
		c.first, c.last = point{time, v}, point{time, v}
	}
	c.count++
	c.sum.add(v)
	c.min, c.max = min(c.min, v), max(c.max, v)
	if time < c.first.time {
		c.first = point{time, v}
	}
	if time >= c.last.time {
		c.last = point{time, v}
	}
}

// addMoments comes after add.
func (c *cell) addMoments(v float64) {
	delta := v - c.mean
	c.mean += delta / float64(c.count)
	c.squares += delta * (v - c.mean)
}

// merge adds the samples of o, which stand behind those of c in the file.
func (c *cell) merge(o *cell) {
	if c.count == 0 {
		values := c.values
		*c = *o
		c.values = values
		return
	}
	// Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing
	// sample variances.
	n, m := float64(c.count), float64(o.count)
	delta := o.mean - c.mean
	c.mean += delta * (m / (n + m))
	c.squares += o.squares + delta*delta*(n/(n+m))*m

	c.count += o.count
	c.sum.merge(o.sum)
	c.min, c.max = min(c.min, o.min), max(c.max, o.max)
	if o.first.time < c.first.time {
		c.first = o.first
	}
	if o.last.time >= c.last.time {
		c.last = o.last
	}
}

// rate is the change per second.
func (c *cell) rate() float64 {
	if c.last.time == c.first.time {
		return math.NaN()
	}
	return (c.last.value - c.first.value) / (float64(c.last.time-c.first.time) / 1000)
}

func (c *cell) stddev() float64 { return math.Sqrt(c.squares / float64(c.count)) }

// sum adds floats with the error of each addition kept (Neumaier), so that the order in
// which parts are added hardly matters, and without overflow on the way.
type sum struct {
	// small holds values below huge, large the others divided by scale.
	small, large compensated
}

const (
	huge  = 0x1p900
	scale = 0x1p200
)

func (s *sum) add(v float64) {
	if v < huge && v > -huge {
		s.small.add(v)
		return
	}
	s.large.add(v / scale)
}

func (s *sum) merge(o sum) {
	s.small.merge(o.small)
	s.large.merge(o.large)
}

// value is infinite when the sum is beyond the largest float.
func (s *sum) value() float64 {
	if s.large == (compensated{}) {
		return s.small.value()
	}
	return s.scaled() * scale
}

// scaled is the sum divided by scale.
func (s *sum) scaled() float64 {
	total := s.large
	total.add(s.small.value() / scale)
	return total.value()
}

// mean is finite always.
func (s *sum) mean(n int64) float64 {
	if s.large == (compensated{}) {
		return s.small.value() / float64(n)
	}
	// Rounding must not carry the mean of the largest floats beyond them.
	return max(-math.MaxFloat64, min(s.scaled()/float64(n)*scale, math.MaxFloat64))
}

// compensated is a sum and what rounding took from it.
type compensated struct{ sum, lost float64 }

func (c *compensated) add(v float64) {
	t := c.sum + v
	// Knuth's two-sum: the exact error of the addition, without a branch.
	b := t - c.sum
	c.lost += (c.sum - (t - b)) + (v - b)
	c.sum = t
}

func (c *compensated) merge(o compensated) {
	c.add(o.sum)
	c.lost += o.lost
}

func (c *compensated) value() float64 { return c.sum + c.lost }
