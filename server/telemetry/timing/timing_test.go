package timing

import (
	"math"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		d     time.Duration
		bound float64
	}{
		{-time.Second, 1e-6}, {0, 1e-6}, {1, 1e-6}, {time.Microsecond, 1e-6}, {time.Microsecond + 1, 2e-6}, {2 * time.Microsecond, 2e-6},
		{3 * time.Microsecond, 4e-6}, {time.Millisecond, 1.024e-3}, {time.Second, 1.048576}, {33 * time.Second, 33.554432},
		{34 * time.Second, math.Inf(1)}, {math.MaxInt64, math.Inf(1)},
	} {
		var h Histogram
		h.Observe(tc.d)
		s := h.Snapshot()
		if s.Count != 1 || s.Sum != max(tc.d, 0) || len(s.AtMost) != buckets {
			t.Errorf("%v: %+v", tc.d, s)
		}
		for bound, n := range s.AtMost {
			want := uint64(0)
			if bound >= tc.bound {
				want = 1
			}
			if n != want {
				t.Errorf("%v: %d up to %v", tc.d, n, bound)
			}
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(12345)
	}
}
