package lab

import "phase0/bench/stat"

// Summary is the median with its interval: that of order statistics with 95 %
// confidence from stat.MinPairs values on, minimum and maximum below. Of a ratio it
// is the Hodges–Lehmann estimate with the signed-rank interval, from as many on.
type Summary struct {
	N                 int
	Median, Low, High float64
}

// Summarize condenses the figures of several runs; ok is false when there are none.
func Summarize(x []float64) (s Summary, ok bool) {
	d, err := stat.Describe(x)
	if err != nil {
		return Summary{}, false
	}
	s = Summary{N: d.N, Median: d.Median, Low: d.Low, High: d.High}
	if d.N < stat.MinPairs {
		s.Low, s.High = d.Min, d.Max
	}
	return s, true
}

// Paired is how many times better the figures of b are than those of a, which were
// taken in the same rounds. All must be positive.
func Paired(a, b []float64, better stat.Direction, seed uint64) (s Summary, ok bool) {
	if len(a) >= stat.MinPairs {
		// Above the rounds that can be enumerated, the ratios' own interval must do.
		if e, err := stat.Compare(a, b, better, seed); err == nil {
			return Summary{N: e.N, Median: e.Ratio, Low: e.Low, High: e.High}, true
		}
	}
	var ratios []float64
	for i := range a {
		if better == stat.LowerIsBetter {
			ratios = append(ratios, a[i]/b[i])
		} else {
			ratios = append(ratios, b[i]/a[i])
		}
	}
	return Summarize(ratios)
}
