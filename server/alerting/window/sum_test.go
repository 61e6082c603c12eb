package window

import (
	"math"
	"testing"
)

func TestExact(t *testing.T) {
	const most = math.MaxFloat64
	for _, tc := range []struct {
		values   []float64
		sum, avg float64
	}{
		{nil, 0, math.NaN()},
		{[]float64{85}, 85, 85},
		{[]float64{80, 81, 85}, 246, 82},
		{[]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 1, 0.1},
		{[]float64{most, most, most}, math.Inf(1), most},
		{[]float64{-most, -most, -most}, math.Inf(-1), -most},
		{[]float64{most, most, 3, -most, -most}, 3, 0.6},
		{[]float64{5e-324}, 5e-324, 5e-324},
		{[]float64{1e300, 1, 1e-300, -1e300, -1}, 1e-300, 2e-301},
		// Half a digit, which what follows carries to the one side or the other.
		{[]float64{1, 0x1p-53, 0x1p-100}, 1 + 0x1p-52, (1 + 0x1p-52) / 3},
		{[]float64{1, 0x1p-53, -0x1p-100}, 1, 1. / 3},
	} {
		var e Exact
		for _, v := range tc.values {
			e.Add(v)
		}
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !same(e.Sum(), tc.sum) || !same(e.Avg(), tc.avg) {
			t.Errorf("%g: sum %g, average %g; want %g, %g", tc.values, e.Sum(), e.Avg(), tc.sum, tc.avg)
		}
	}
	var e Exact
	e.Add(1)
	if n := testing.AllocsPerRun(100, func() { e.Add(1) }); n != 0 {
		t.Errorf("%v allocations per sample", n)
	}
}

func TestHugeValuesThatCancelLeaveTheOthers(t *testing.T) {
	var s sum
	for _, v := range []float64{1e-300, 1e300, math.MaxFloat64, -1e300, -math.MaxFloat64} {
		s.add(v)
	}
	if got, slack := s.total(); slack != 0 || got.sum(5) != 1e-300 {
		t.Errorf("sum %g ± %g", got.sum(5), slack)
	}
}

func TestMeasuredValuesFitInTwoWords(t *testing.T) {
	var s sum
	for i := range 1_000_000 {
		s.add(float64(i%1000) / 10)
	}
	if got, slack := s.total(); slack != 0 || got.mean(1_000_000) != 49.95 {
		t.Errorf("mean %v ± %g", got.mean(1_000_000), slack)
	}
}

// What does not fit into two words is told: a threshold that is as near is then decided by
// the samples themselves.
func TestWhatDoesNotFitIsTold(t *testing.T) {
	var s sum
	for _, v := range []float64{0x1p200, 1, 0x1p-200} {
		s.add(v)
	}
	if _, slack := s.total(); slack < 0x1p-200 {
		t.Errorf("slack %v", slack)
	}
}
