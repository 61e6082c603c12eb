package verify

import (
	"math"
	"testing"
)

func TestLossBoundKnownValues(t *testing.T) {
	tests := []struct {
		lost, n int64
		want    float64
	}{
		{0, 0, 1},
		{0, 2, 1},
		{0, 184_203, 3.0 / 184_203},
		{5, 5, 1},
		{9, 10, 0.994883803}, // 0.95^(1/10)
		{1, 2, 0.974679434},  // √0.95
	}
	for _, tt := range tests {
		if got := lossBound(tt.lost, tt.n); math.Abs(got-tt.want) > 1e-8 {
			t.Errorf("%d of %d: %.10f, want %.10f", tt.lost, tt.n, got, tt.want)
		}
	}
}

// The bound is the rate at which so few losses have a chance of 5 %. The oracle
// adds up the binomial distribution.
func TestLossBoundInvertsTheBinomial(t *testing.T) {
	for _, n := range []int64{2, 10, 137, 5000} {
		for _, lost := range []int64{1, n / 10, n / 2, n - 1} {
			if lost == 0 {
				continue
			}
			if got := binomialCDF(lost, n, lossBound(lost, n)); math.Abs(got-0.05) > 1e-7 {
				t.Errorf("%d of %d: chance %.9f, want 0.05", lost, n, got)
			}
		}
	}
}

func binomialCDF(x, n int64, p float64) float64 {
	sum, ways := 0.0, 0.0 // the logarithm of n over i
	for i := range x + 1 {
		sum += math.Exp(ways + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
		ways += math.Log(float64(n-i)) - math.Log(float64(i+1))
	}
	return sum
}

// Where counts are large and losses rare, twice n times the bound is the 0.95
// quantile of chi-squared with 2·(lost+1) degrees of freedom.
func TestLossBoundOfManySamples(t *testing.T) {
	const n = 10_000_000_000
	for lost, chi := range map[int64]float64{1: 9.487729037, 4: 18.307038053, 9: 31.410432844} {
		want := chi / 2 / n
		if got := lossBound(lost, n); math.Abs(got/want-1) > 1e-4 {
			t.Errorf("%d: %v, want %v", lost, got, want)
		}
	}
	const half = n / 2
	if got, want := lossBound(half, n), 0.5+1.644853627*0.5/math.Sqrt(n); math.Abs(got-want) > 1e-8 {
		t.Errorf("half: %.10f, want %.10f", got, want)
	}
}
