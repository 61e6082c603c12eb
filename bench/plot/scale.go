package plot

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Axis describes one numeric axis.
type Axis struct {
	// Title names the quantity and its unit.
	Title string
	// Log asks for a logarithmic axis, which needs positive values.
	Log bool
	// Ticks fixes the tick positions; without them round numbers are chosen.
	Ticks []float64
	// Min and Max extend the axis beyond the data where they are not both 0.
	Min, Max float64
	// Format prints a tick; the default is the shortest decimal form.
	Format func(float64) string
}

func (a Axis) format(v float64) string {
	if a.Format != nil {
		return a.Format(v)
	}
	return fmt.Sprintf("%g", v)
}

// scale maps values of an axis to coordinates between from and to.
type scale struct {
	log      bool
	low      float64
	high     float64
	from, to float64
}

// newScale covers the values and the axis' own bounds with a little room beyond.
func newScale(a Axis, values []float64, from, to float64) scale {
	if a.Min != 0 || a.Max != 0 {
		values = append([]float64{a.Min, a.Max}, values...)
	}
	s := scale{log: a.Log, low: math.Inf(1), high: math.Inf(-1), from: from, to: to}
	for _, v := range values {
		if !s.drawable(v) {
			continue
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
	if s.low > s.high {
		s.low, s.high = 1, 10
	}
	s.widen()
	return s
}

func (s scale) drawable(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!s.log || v > 0)
}

// widen leaves room beside the outermost values. A linear axis that starts at
// zero keeps its zero, and a single value gets a stretch around it.
func (s *scale) widen() {
	if s.log {
		room := math.Pow(s.high/s.low, 0.06)
		if s.high < s.low*2 {
			room = math.Sqrt(2 * s.low / s.high)
		}
		s.low, s.high = s.low/room, s.high*room
		return
	}
	if s.high == s.low {
		s.low, s.high = s.low-1, s.high+1
		return
	}
	room := (s.high - s.low) * 0.04
	if s.low != 0 {
		s.low -= room
	}
	s.high += room
}

// at returns the coordinate of v, clamped to the axis.
func (s scale) at(v float64) float64 {
	if !s.drawable(v) {
		return s.from
	}
	f := (v - s.low) / (s.high - s.low)
	if s.log {
		f = math.Log(v/s.low) / math.Log(s.high/s.low)
	}
	return s.from + min(1, max(0, f))*(s.to-s.from)
}

// axisTicks returns the ticks that the axis fixes and the scale shows, or else
// round ones.
func (s scale) axisTicks(a Axis, limit int) []float64 {
	if a.Ticks == nil {
		return s.ticks(limit)
	}
	shown := func(v float64) bool { return v >= s.low && v <= s.high }
	return slices.DeleteFunc(slices.Clone(a.Ticks), func(v float64) bool { return !shown(v) })
}

// ticks returns the round values inside the axis, at most about limit of them.
func (s scale) ticks(limit int) []float64 {
	if s.log {
		return s.logTicks(limit)
	}
	step := math.Pow(10, math.Floor(math.Log10(s.high-s.low)))
	for _, f := range []float64{0.1, 0.2, 0.5, 1, 2, 5} {
		if (s.high-s.low)/(step*f) <= float64(limit) {
			step *= f
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(s.low / step); i*step <= s.high; i++ {
		ticks = append(ticks, roundTick(i*step)+0) // + 0 makes -0 print as 0
	}
	return ticks
}

// logTicks tries ever coarser sets of multiples until the limit holds.
func (s scale) logTicks(limit int) []float64 {
	var ticks []float64
	for _, multiples := range [][]float64{{1, 1.2, 1.5, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}, {1}} {
		ticks = ticks[:0]
		for decade := math.Floor(math.Log10(s.low)); math.Pow(10, decade) <= s.high; decade++ {
			for _, m := range multiples {
				if v := roundTick(m * math.Pow(10, decade)); v >= s.low && v <= s.high {
					ticks = append(ticks, v)
				}
			}
		}
		if len(ticks) <= limit {
			break
		}
	}
	return ticks
}

// roundTick removes the binary noise of a product, so that 0.3 prints as such.
func roundTick(v float64) float64 {
	clean, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return v
	}
	return clean
}
