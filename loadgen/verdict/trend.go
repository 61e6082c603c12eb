package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"phase0/loadgen/record"
)

// The gate on a trend over the run.
const (
	// Fewer slices show no trend, and in smaller ones the median is too uncertain.
	trendSlices, trendRequests = 8, 400
	// Of the Mann–Kendall test: one steady run in a hundred is beyond it by chance.
	trendZ = 2.58
	// Between the first and the last quarter of the run: what is less is no matter,
	// however certain.
	trendChange = 0.05
)

// trend fails when response time or goodput rose or fell throughout the run.
// Nothing held such a run back; its numbers describe no moment of it.
func trend(r record.Result) *finding {
	if r.Profile != "" {
		return nil // the rate was meant to vary
	}
	full := fullSlices(r)
	if p50 := medians(full); drifts(p50) {
		from, to := ends(p50)
		return drifted("response time (p50)", time.Duration(from).Round(time.Microsecond), time.Duration(to).Round(time.Microsecond))
	}
	if rps := goodput(full, r.Timeline.SliceSeconds); drifts(rps) {
		from, to := ends(rps)
		return drifted("the rate of accepted requests", fmt.Sprintf("%.1f", from), fmt.Sprintf("%.1f rps", to))
	}
	return nil
}

func drifted(what string, from, to any) *finding {
	reason := fmt.Sprintf("%s has a trend over the run, from %v to %v: one number does not describe it", what, from, to)
	return &finding{record.Degraded, reason, nobody}
}

// fullSlices returns the slices in which requests were sent from end to end.
func fullSlices(r record.Result) []record.Slice {
	t := r.Timeline
	if t.SliceSeconds <= 0 || r.WindowSeconds <= 0 {
		return nil
	}
	full := min(r.WindowSeconds/t.SliceSeconds, float64(len(t.Slices)))
	return t.Slices[:int(full)]
}

// medians returns the slices' median response times in ns, in order.
func medians(full []record.Slice) []float64 {
	var out []float64
	for _, s := range full {
		if s.Accepted >= trendRequests {
			out = append(out, float64(s.P50NS))
		}
	}
	return out
}

// goodput returns the slices' accepted requests per second, in order, unless they
// are too few for the numbers to be compared.
func goodput(full []record.Slice, seconds float64) []float64 {
	var out []float64
	var sent int64
	for _, s := range full {
		sent += s.Sent
		out = append(out, float64(s.Accepted)/seconds)
	}
	if sent < trendRequests*int64(len(full)) {
		return nil
	}
	return out
}

// drifts reports whether a series has a trend that is certain and matters.
func drifts(x []float64) bool {
	if len(x) < trendSlices || math.Abs(MannKendall(x)) < trendZ {
		return false
	}
	from, to := ends(x)
	return math.Abs(to-from) > trendChange*from
}

// ends returns the medians of the first and of the last quarter.
func ends(x []float64) (first, last float64) {
	n := len(x) / 4
	return median(x[:n]), median(x[len(x)-n:])
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// MannKendall returns the test's statistic, which is standard normal when x has
// no trend and its values are independent: Kendall's S with the continuity
// correction over its standard deviation, corrected for ties. It is 0 when all
// values are equal.
func MannKendall(x []float64) float64 {
	var s float64
	for i := range x {
		for j := range i {
			s += float64(cmp.Compare(x[i], x[j]))
		}
	}
	spread := func(n float64) float64 { return n * (n - 1) * (2*n + 5) / 18 }
	variance := spread(float64(len(x)))
	ties := map[float64]float64{}
	for _, v := range x {
		ties[v]++
	}
	for _, n := range ties {
		variance -= spread(n)
	}
	switch {
	case s == 0 || variance <= 0:
		return 0
	case s > 0:
		return (s - 1) / math.Sqrt(variance)
	default:
		return (s + 1) / math.Sqrt(variance)
	}
}
