package stat

import (
	"math"
	"testing"
)

func TestMinObservations(t *testing.T) {
	for p, want := range map[Percentile]int{P50: 6, P99: 368, 9990: 3688, 9999: 36_887, 10_000: math.MaxInt, 0: math.MaxInt} {
		if got := p.MinObservations(); got != want {
			t.Errorf("percentile %d needs %d observations, want %d", p, got, want)
		}
	}
}

func TestQuantileIsNearestRank(t *testing.T) {
	ascending := func(n int) []int64 {
		x := make([]int64, n)
		for i := range x {
			x[i] = int64(i + 1)
		}
		return x
	}
	tests := []struct {
		n    int
		p    Percentile
		want int64
	}{
		{0, P50, 0}, {1, P50, 1}, {1, P99, 1}, {2, P50, 1}, {3, P50, 2}, {10, P99, 10}, {100, P99, 99},
		{101, P99, 100}, {1000, 9990, 999}, {10, 0, 1}, {10, 10_000, 10},
		{41_000, 9990, 40_959}, // in floating point this rank comes out as 40,960
	}
	for _, tt := range tests {
		if got := Quantile(ascending(tt.n), tt.p); got != tt.want {
			t.Errorf("percentile %d of 1..%d = %d, want %d", tt.p, tt.n, got, tt.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	s, err := Describe([]float64{6, 1, 5, 2, 4, 3})
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{N: 6, Median: 3.5, MAD: 1.5, Min: 1, Max: 6, Low: 1, High: 6}
	if s != want {
		t.Errorf("Describe = %+v, want %+v", s, want)
	}
	for _, bad := range [][]float64{nil, {math.NaN()}, {1, math.Inf(1)}} {
		if _, err := Describe(bad); err == nil {
			t.Errorf("Describe(%v) found nothing wrong", bad)
		}
	}
}

func TestMedianRank(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 0, 5: 0, 6: 1, 10: 2, 20: 6} {
		if got := medianRank(n); got != want {
			t.Errorf("medianRank(%d) = %d, want %d", n, got, want)
		}
	}
}
