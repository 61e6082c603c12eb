package stat

import (
	"fmt"
	"math"
	"slices"

	"github.com/montanaflynn/stats"
)

// Percentile names a quantile in hundredths of a percent: 9900 is p99, 9990 is
// p99.9. An integer, because ranks computed in floating point are off by one at
// some numbers of observations.
type Percentile int

// The percentiles that reports use.
const (
	P50 Percentile = 5000
	P95 Percentile = 9500
	P99 Percentile = 9900
)

const wholePercentile = 10_000

// MinObservations is the fewest observations from which a two-sided 95 %
// interval of the percentile exists: the n at which the maximum exceeds it with
// probability 97.5 %.
func (p Percentile) MinObservations() int {
	tail := min(p, wholePercentile-p)
	if tail <= 0 {
		return math.MaxInt
	}
	inside := 1 - float64(tail)/wholePercentile
	return int(math.Ceil(math.Log(alpha/2) / math.Log(inside)))
}

// Quantile returns the nearest-rank percentile of sorted values: an observation
// that occurred, never one in between. It returns 0 for no values.
func Quantile[T int64 | float64](sorted []T, p Percentile) T {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[p.rank(len(sorted))-1]
}

// rank is the nearest rank, from 1, among n values, of which there is at least one.
func (p Percentile) rank(n int) int {
	return min(max((n*int(p)+wholePercentile-1)/wholePercentile, 1), n)
}

// Summary describes one arm's trials in one metric.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	// MAD is the median absolute deviation, not scaled.
	MAD float64 `json:"mad"`
	Min float64 `json:"min"`
	Max float64 `json:"max"`
	// Low and High bound the median by order statistics over trials, with at least
	// 95 % confidence; both are 0 with fewer than MinPairs trials.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Describe summarises x. It returns an error for no values or one that is not
// finite.
func Describe(x []float64) (Summary, error) {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Summary{}, fmt.Errorf("describe trials: value %v is not finite", v)
		}
	}
	median, err := stats.Median(x)
	if err != nil {
		return Summary{}, fmt.Errorf("describe trials: %w", err)
	}
	mad, err := stats.MedianAbsoluteDeviation(x)
	if err != nil {
		return Summary{}, fmt.Errorf("describe trials: %w", err)
	}
	sorted := slices.Sorted(slices.Values(x))
	s := Summary{N: len(x), Median: median, MAD: mad, Min: sorted[0], Max: sorted[len(x)-1]}
	if k := medianRank(len(x)); k > 0 {
		s.Low, s.High = sorted[k-1], sorted[len(x)-k]
	}
	return s, nil
}

// medianRank returns the largest k for which [x(k), x(n+1-k)] covers the median
// with 95 % confidence, or 0 where even [min, max] does not.
func medianRank(n int) int {
	probability := math.Pow(0.5, float64(n))
	cumulative := 0.0
	for k := 0; k <= n/2; k++ {
		cumulative += probability
		if cumulative > alpha/2 {
			return k
		}
		probability *= float64(n-k) / float64(k+1)
	}
	return 0
}
