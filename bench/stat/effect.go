package stat

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// alpha is one minus the confidence of every interval in this package.
const alpha = 0.05

// Errors of Compare and CompareMeans.
var (
	// ErrNoPairs is returned when there is nothing to compare.
	ErrNoPairs = errors.New("no observations to compare")
	// ErrUnpaired is returned when the two arms have different numbers of trials.
	ErrUnpaired = errors.New("arms have different numbers of trials")
	// ErrTooManyPairs is returned above MaxPairs.
	ErrTooManyPairs = errors.New("too many pairs for exact enumeration")
	// ErrNotPositive is returned for values that have no ratio: zero, negative,
	// infinite, not a number.
	ErrNotPositive = errors.New("ratio needs positive finite values")
)

// Direction says which way of a metric is the good one.
type Direction int

// The two directions.
const (
	HigherIsBetter Direction = iota
	LowerIsBetter
)

// Effect is the ratio of arm b to arm a, turned so that above 1 means b is
// better. Its fields are all finite, so that it can be stored as JSON.
type Effect struct {
	Ratio float64 `json:"ratio"`
	// Low and High bound Ratio with confidence Level. Level is 0, and so are they,
	// where there are too few pairs for 95 %.
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"`
	// P is the exact two-sided signed-rank p-value; HasP is false where the effect
	// is not one of paired trials.
	P    float64 `json:"p"`
	HasP bool    `json:"has_p"`
	// BootLow and BootHigh are the bootstrap's 95 % interval, a cross-check.
	BootLow  float64 `json:"boot_low"`
	BootHigh float64 `json:"boot_high"`
	BootSeed uint64  `json:"boot_seed"`
	// N counts the pairs, or for CompareMeans the smaller arm's observations.
	N int `json:"n"`
	// Zeros counts pairs without any difference, which the p-value leaves out.
	Zeros int `json:"zeros,omitempty"`
}

// HasInterval reports whether there were enough observations for an interval.
func (e Effect) HasInterval() bool { return e.Level > 0 }

// HalfWidth is half the interval's width on the log scale: about the relative
// uncertainty of the ratio. It is 0 without an interval.
func (e Effect) HalfWidth() float64 {
	if !e.HasInterval() {
		return 0
	}
	return math.Log(e.High/e.Low) / 2
}

// Excludes1 reports whether the exact interval lies wholly on one side of 1.
func (e Effect) Excludes1() bool { return e.HasInterval() && (e.Low > 1 || e.High < 1) }

// Agrees reports whether bootstrap and exact interval say the same about 1.
func (e Effect) Agrees() bool { return e.Excludes1() == (e.BootLow > 1 || e.BootHigh < 1) }

// Compare estimates the ratio of b to a from paired trials: a[i] and b[i] were
// measured in the same block. With fewer than MinPairs pairs the effect has a
// ratio and no interval. It returns an error that wraps ErrNoPairs, ErrUnpaired,
// ErrTooManyPairs or ErrNotPositive.
func Compare(a, b []float64, better Direction, seed uint64) (Effect, error) {
	d, err := logRatios(a, b, better)
	if err != nil {
		return Effect{}, fmt.Errorf("compare paired trials: %w", err)
	}
	walsh := appendWalsh(nil, d)
	e := Effect{Ratio: math.Exp(middle(walsh)), HasP: true, BootSeed: seed, N: len(d)}
	e.P, e.Zeros = signedRankP(d)
	if k, level, ok := margin(len(d), alpha); ok {
		e.Low, e.High, e.Level = math.Exp(walsh[k]), math.Exp(walsh[len(walsh)-1-k]), level
	}
	low, high := bootstrapPaired(d, seed)
	e.BootLow, e.BootHigh = math.Exp(low), math.Exp(high)
	return e, nil
}

func logRatios(a, b []float64, better Direction) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%w: %d and %d", ErrUnpaired, len(a), len(b))
	}
	if len(a) > MaxPairs {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyPairs, len(a), MaxPairs)
	}
	if err := checkPositive(a, b); err != nil {
		return nil, err
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = math.Log(b[i] / a[i])
		if better == LowerIsBetter {
			d[i] = -d[i]
		}
	}
	return d, nil
}

func checkPositive(arms ...[]float64) error {
	for _, arm := range arms {
		if len(arm) == 0 {
			return ErrNoPairs
		}
		for i, x := range arm {
			if !(x > 0) || math.IsInf(x, 1) {
				return fmt.Errorf("%w: observation %d is %v", ErrNotPositive, i, x)
			}
		}
	}
	return nil
}

// appendWalsh appends the means of all pairs (i <= j) of d to walsh, which is
// empty, and sorts them.
func appendWalsh(walsh, d []float64) []float64 {
	for i := range d {
		for _, y := range d[i:] {
			walsh = append(walsh, (d[i]+y)/2)
		}
	}
	slices.Sort(walsh)
	return walsh
}

// middle is the median of sorted values, of which there is at least one.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
