package stat

import (
	"fmt"
	"math"
)

// Interval bounds a ratio. Level is the confidence that it reaches; it is 0, and so
// are the ends, where there are too few pairs.
type Interval struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"`
}

// Simultaneous returns the exact interval of Compare at confidence 1 − 0.05/family: of
// that many intervals all cover their truths together with 95 % confidence
// (Bonferroni). Holm's p-values decide more; these say how far a whole table of
// ratios can be trusted at once.
func Simultaneous(a, b []float64, better Direction, family int) (Interval, error) {
	d, err := logRatios(a, b, better)
	if err != nil {
		return Interval{}, fmt.Errorf("compare paired trials: %w", err)
	}
	k, level, ok := margin(len(d), alpha/float64(max(1, family)))
	if !ok {
		return Interval{}, nil
	}
	walsh := appendWalsh(nil, d)
	return Interval{Low: math.Exp(walsh[k]), High: math.Exp(walsh[len(walsh)-1-k]), Level: level}, nil
}

// FamilyPairs returns the fewest pairs from which Simultaneous has an interval, or 0
// where MaxPairs are not enough: 10 for a family of 15.
func FamilyPairs(family int) int {
	for n := 1; n <= MaxPairs; n++ {
		if _, _, ok := margin(n, alpha/float64(max(1, family))); ok {
			return n
		}
	}
	return 0
}
