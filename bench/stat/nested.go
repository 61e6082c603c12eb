package stat

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// neighbours is how many observations of adjacent strata stand for each other when
// observations from inside trials are drawn again. With one observation per stratum none
// can be drawn from a stratum alone, and drawn from all of a trial they would vary as if
// nobody had spread them evenly.
const neighbours = 4

// nestedResamples is fewer than resamples: each has hundreds of observations, and there are
// tables of such intervals. The ends move by a tenth of the width or two from seed to seed.
const nestedResamples = 1_000

// Estimate is a percentile with its 95 % interval. Level is 0, and so are the ends, with
// fewer observations than the percentile needs.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"`
}

// CompareMeans estimates the ratio of the means of observations from inside trials, with
// a bootstrap interval: a[t][i] and b[t][i] are both arms' observations of stratum i of
// trial t, and are drawn together. Such an effect has no p-value. The error wraps
// ErrNoPairs, ErrUnpaired or ErrNotPositive.
func CompareMeans(a, b [][]float64, better Direction, seed uint64) (Effect, error) {
	before, after := slices.Concat(a...), slices.Concat(b...)
	if err := checkPositive(before, after); err != nil {
		return Effect{}, fmt.Errorf("compare means: %w", err)
	}
	if !slices.Equal(sizes(a), sizes(b)) {
		return Effect{}, fmt.Errorf("compare means: %w: %v and %v observations", ErrUnpaired, sizes(a), sizes(b))
	}
	orient := func(ratio float64) float64 {
		if better == LowerIsBetter {
			return 1 / ratio
		}
		return ratio
	}
	e := Effect{Ratio: orient(mean(after) / mean(before)), BootSeed: seed, N: len(before)}
	rng := rand.New(rand.NewPCG(seed, bootStream))
	low, high := percentileInterval(nestedResamples, func() float64 {
		sumA, sumB := 0.0, 0.0
		redraw(rng, a, func(t, i int) { sumA, sumB = sumA+a[t][i], sumB+b[t][i] })
		return sumB / sumA
	})
	e.BootLow, e.BootHigh = min(orient(low), orient(high)), max(orient(low), orient(high))
	if e.N >= 2*neighbours {
		e.Low, e.High, e.Level = e.BootLow, e.BootHigh, 1-alpha
	}
	return e, nil
}

func sizes(trials [][]float64) []int {
	all := make([]int, len(trials))
	for t := range trials {
		all[t] = len(trials[t])
	}
	return all
}

// redraw makes one bootstrap draw and calls take for each observation in it: trials with
// replacement, as their processes differ by more than their observations do, and in each
// of them, from every group of neighbours, one observation fewer than it has. With all of
// them the draws would vary too little: a mean of m − 1 draws from m values varies as that
// of m values (Rao and Wu 1988).
func redraw(rng *rand.Rand, trials [][]float64, take func(t, i int)) {
	for range trials {
		t := rng.IntN(len(trials))
		n := len(trials[t])
		groups := max(1, n/neighbours)
		for g := range groups {
			from, size := g*neighbours, neighbours
			if g == groups-1 {
				size = n - from
			}
			for range min(size, max(1, size-1)) {
				take(t, from+rng.IntN(size))
			}
		}
	}
}

// Percentiles estimates percentiles of observations from inside trials, pooled, each by
// nearest rank. The order in a trial is that of its strata, as in CompareMeans.
func Percentiles(trials [][]float64, wanted []Percentile, seed uint64) []Estimate {
	sorted := slices.Sorted(slices.Values(slices.Concat(trials...)))
	all := make([]Estimate, len(wanted))
	for k, p := range wanted {
		all[k].Value = Quantile(sorted, p)
	}
	if len(sorted) == 0 {
		return all
	}
	draws := drawPercentiles(trials, sorted, wanted, seed)
	for k, p := range wanted {
		if len(sorted) < p.MinObservations() {
			continue
		}
		next := 0
		all[k].Low, all[k].High = percentileInterval(nestedResamples, func() float64 { next++; return draws[k][next-1] })
		all[k].Level = 1 - alpha
	}
	return all
}

// drawPercentiles returns each percentile of every draw. Observations are known by their
// place among all of them, so that no draw has to be sorted.
func drawPercentiles(trials [][]float64, sorted []float64, wanted []Percentile, seed uint64) [][]float64 {
	places := make([][]int, len(trials))
	for t := range trials {
		for _, v := range trials[t] {
			place, _ := slices.BinarySearch(sorted, v)
			places[t] = append(places[t], place)
		}
	}
	draws := make([][]float64, len(wanted))
	rng := rand.New(rand.NewPCG(seed, bootStream))
	counts := make([]int, len(sorted))
	for range nestedResamples {
		clear(counts)
		drawn := 0
		redraw(rng, trials, func(t, i int) { counts[places[t][i]]++; drawn++ })
		for k, p := range wanted {
			rank, place := p.rank(drawn), 0
			for seen := counts[0]; seen < rank; seen += counts[place] {
				place++
			}
			draws[k] = append(draws[k], sorted[place])
		}
	}
	return draws
}
