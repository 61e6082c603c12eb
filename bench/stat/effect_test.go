package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

const near = 1e-9

func TestCompareByHand(t *testing.T) {
	// Differences ln 1.1 ... ln 1.6: the Walsh averages of six values are 21, the
	// exact interval at n=6 is their range, and the estimate is the eleventh.
	a := []float64{100, 100, 100, 100, 100, 100}
	b := []float64{110, 120, 130, 140, 150, 160}
	e, err := Compare(a, b, HigherIsBetter, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.Low-1.1) > near || math.Abs(e.High-1.6) > near {
		t.Errorf("interval [%v, %v], want [1.1, 1.6]", e.Low, e.High)
	}
	// Ranked, the eleventh is the mean of ln 1.1 and ln 1.6 or its neighbour; by
	// hand: sqrt(1.2 * 1.5) = 1.3416.
	if math.Abs(e.Ratio-math.Sqrt(1.2*1.5)) > near {
		t.Errorf("ratio %v, want %v", e.Ratio, math.Sqrt(1.2*1.5))
	}
	if e.P != 2.0/64 || e.N != 6 || e.Level != 1-2.0/64 {
		t.Errorf("p %v, n %d, level %v", e.P, e.N, e.Level)
	}
}

func TestCompareTurnsCosts(t *testing.T) {
	a := []float64{20, 20, 20, 20, 20, 20}
	b := []float64{10, 10, 10, 10, 10, 10}
	e, err := Compare(a, b, LowerIsBetter, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.Ratio-2) > near || math.Abs(e.Low-2) > near || math.Abs(e.High-2) > near {
		t.Errorf("half the cost is %v [%v, %v], want 2", e.Ratio, e.Low, e.High)
	}
}

func TestCompareEdges(t *testing.T) {
	equal := []float64{5, 5, 5, 5, 5, 5}
	e, err := Compare(equal, equal, HigherIsBetter, 1)
	if err != nil || e.Ratio != 1 || e.Low != 1 || e.High != 1 || e.P != 1 || e.Zeros != 6 {
		t.Errorf("equal arms: %+v, %v; want ratio 1 [1, 1]", e, err)
	}
	few, err := Compare(equal[:5], equal[:5], HigherIsBetter, 1)
	if err != nil || few.HasInterval() {
		t.Errorf("five pairs: %+v, %v; want no interval", few, err)
	}
	if v, needed := Judge(few, MinDelta); v != Inconclusive || needed != MinPairs {
		t.Errorf("five pairs judged %v, %d", v, needed)
	}
	tests := []struct {
		name string
		a, b []float64
		want error
	}{
		{"none", nil, nil, ErrNoPairs},
		{"unpaired", equal, equal[:5], ErrUnpaired},
		{"zero", []float64{1, 0}, []float64{1, 1}, ErrNotPositive},
		{"negative", []float64{1, 1}, []float64{1, -1}, ErrNotPositive},
		{"NaN", []float64{1, 1}, []float64{1, math.NaN()}, ErrNotPositive},
		{"infinite", []float64{1, 1}, []float64{1, math.Inf(1)}, ErrNotPositive},
		{"too many", make([]float64, MaxPairs+1), make([]float64, MaxPairs+1), ErrTooManyPairs},
	}
	for _, tt := range tests {
		if _, err := Compare(tt.a, tt.b, HigherIsBetter, 1); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestCompareIsReproducible(t *testing.T) {
	a, b := plantedPairs(rand.New(rand.NewPCG(3, 3)), 10, 1.05, 0.02)
	first, _ := Compare(a, b, HigherIsBetter, 42)
	second, _ := Compare(a, b, HigherIsBetter, 42)
	if first != second {
		t.Errorf("same seed, different effects: %+v, %+v", first, second)
	}
}

func TestAASaysNoDifference(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 1))
	const repetitions = 40
	excluded, claimed := 0, 0
	for range repetitions {
		a, b := plantedPairs(rng, 10, 1, 0.015)
		e := mustCompare(t, a, b)
		if e.Excludes1() {
			excluded++
		}
		if v, _ := Judge(e, MinDelta); v == Faster || v == Slower {
			claimed++
		}
	}
	// 2 are expected to exclude 1; 7 or more happen once in 250 such tests.
	if excluded >= 7 || claimed > 1 {
		t.Errorf("of %d A/A comparisons %d excluded 1, %d claimed a difference", repetitions, excluded, claimed)
	}
}

func TestPlantedFivePercentIsFound(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(12, 1))
	const repetitions = 20
	found := 0
	for range repetitions {
		a, b := plantedPairs(rng, 10, 1/1.05, 0.015)
		if v, _ := Judge(mustCompare(t, a, b), MinDelta); v == Slower {
			found++
		}
	}
	if found < repetitions*9/10 {
		t.Errorf("a planted 5 %% slowdown was found in %d of %d", found, repetitions)
	}
}

// plantedPairs draws n pairs whose true ratio is given: each block has its own
// level, each trial its own noise.
func plantedPairs(rng *rand.Rand, n int, ratio, noise float64) (a, b []float64) {
	for range n {
		level := 2000 * math.Exp(0.2*rng.NormFloat64())
		a = append(a, level*math.Exp(noise*rng.NormFloat64()))
		b = append(b, level*ratio*math.Exp(noise*rng.NormFloat64()))
	}
	return a, b
}

func mustCompare(t *testing.T, a, b []float64) Effect {
	t.Helper()
	e, err := Compare(a, b, HigherIsBetter, 1)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestJudge(t *testing.T) {
	effect := func(ratio, low, high float64) Effect {
		return Effect{Ratio: ratio, Low: low, High: high, BootLow: low, BootHigh: high, Level: 0.96, N: 6}
	}
	disagreeing := effect(1.2, 1.1, 1.3)
	disagreeing.BootLow = 0.9
	tests := []struct {
		name string
		e    Effect
		want Verdict
	}{
		{"far above", effect(11, 10, 12), Faster},
		{"far below", effect(0.5, 0.4, 0.6), Slower},
		{"inside the band", effect(1, 0.99, 1.01), Equivalent},
		{"above 1 but inside the band", effect(1.01, 1.005, 1.015), Equivalent},
		{"across the edge", effect(1.03, 1.01, 1.05), Inconclusive},
		{"wide", effect(1, 0.8, 1.25), Inconclusive},
		{"bootstrap disagrees", disagreeing, Inconclusive},
	}
	for _, tt := range tests {
		v, needed := Judge(tt.e, MinDelta)
		if v != tt.want || (needed > 0) != (v == Inconclusive) {
			t.Errorf("%s: %v, needs %d; want %v", tt.name, v, needed, tt.want)
		}
	}
	// Noise makes a difference harder to claim, and equivalence no easier.
	if v, _ := Judge(effect(1.06, 1.03, 1.09), 0.13); v != Inconclusive {
		t.Errorf("inside a noisy band: %v", v)
	}
	if v, _ := Judge(effect(1.16, 1.14, 1.19), 0.13); v != Faster {
		t.Errorf("outside a noisy band: %v", v)
	}
	if _, needed := Judge(effect(1, 0.9, 1/0.9), MinDelta); needed < 300 || needed > 400 {
		t.Errorf("needed %d pairs to shrink 10 %% to 2 %% and be sure of it, want about 345", needed)
	}
	// A noisy machine moves the outer edge, and not the one that equivalence must clear.
	for _, tt := range []struct {
		name      string
		e         Effect
		low, high int
	}{
		{"alike but for noise", effect(1, 0.9, 1/0.9), 300, 400},
		{"between the edges", effect(1.1, 1.05, 1.15), MaxNeeded, MaxNeeded},
		{"beyond the outer one", effect(1.3, 1.1, 1.5), 10, 100},
	} {
		if v, needed := Judge(tt.e, 0.2); v != Inconclusive || needed < tt.low || needed > tt.high {
			t.Errorf("%s: %v, needs %d, want %d to %d", tt.name, v, needed, tt.low, tt.high)
		}
	}
	if d := Delta(effect(1, 0.9, 1/0.9)); math.Abs(d-0.105) > 0.001 {
		t.Errorf("band %v, want the A/A half-width", d)
	}
}
