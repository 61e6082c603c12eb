package verdict

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// timeline has n slices of a second, with what accepted and p50 say.
func timeline(n int, slice func(i int) (accepted int64, p50 time.Duration)) record.Timeline {
	t := record.Timeline{SliceSeconds: 1}
	for i := range n {
		accepted, p50 := slice(i)
		t.Slices = append(t.Slices, record.Slice{Sent: 500, Accepted: accepted, P50NS: int64(p50)})
	}
	return t
}

func TestTrend(t *testing.T) {
	steady := func(i int) (int64, time.Duration) { return 500, time.Duration(1000+i*7%5) * time.Microsecond }
	slower := func(i int) (int64, time.Duration) { return 500, time.Duration(1000+20*i) * time.Microsecond }
	tests := []struct {
		name   string
		n      int
		slice  func(i int) (int64, time.Duration)
		change func(*record.Result)
		reason string
	}{
		{"none", 20, steady, nil, ""},
		{"slower and slower", 20, slower, nil, "response time (p50) has a trend over the run, from 1.04ms to 1.34ms: one number"},
		{"closed model", 20, slower, func(r *record.Result) { r.OfferedRPS = 0 }, "trend"},
		{"quicker and quicker", 20, func(i int) (int64, time.Duration) {
			return 500, time.Duration(2000-20*i) * time.Microsecond
		}, nil, "from 1.96ms to 1.66ms"},
		{"certain but small", 20, func(i int) (int64, time.Duration) {
			return 500, time.Duration(1000+i) * time.Microsecond
		}, nil, ""},
		{"large but not a trend", 20, func(i int) (int64, time.Duration) {
			return 500, time.Duration(1000+500*(i%2)) * time.Microsecond
		}, nil, ""},
		{"fewer and fewer accepted", 20, func(i int) (int64, time.Duration) {
			return int64(600 - 10*i), time.Millisecond
		}, nil, "rate of accepted requests has a trend over the run, from 580.0 to 430.0 rps"},
		{"too few slices", 7, slower, nil, ""},
		{"just enough", 8, slower, nil, "trend"},
		{"too few requests for a median", 20, func(i int) (int64, time.Duration) {
			_, p50 := slower(i)
			return 399, p50
		}, nil, ""},
		{"the end of the run is not full", 8, slower, func(r *record.Result) { r.WindowSeconds = 7.9 }, ""},
		{"a rate that varies", 20, slower, func(r *record.Result) { r.Profile = "100..500" }, ""},
		{"no timeline", 0, slower, func(r *record.Result) { r.Timeline = record.Timeline{} }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			r.WindowSeconds, r.Timeline = float64(tt.n), timeline(tt.n, tt.slice)
			if tt.change != nil {
				tt.change(&r)
			}
			level := record.Degraded
			if tt.reason == "" {
				level = record.Valid
			}
			check(t, r, level, "", tt.reason)
		})
	}
}

func TestMannKendall(t *testing.T) {
	tests := []struct {
		name string
		x    []float64
		want float64 // (S ∓ 1)/√var by hand
	}{
		{"rising", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 44 / math.Sqrt(125)},
		{"falling", []float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, -44 / math.Sqrt(125)},
		{"ties", []float64{1, 1, 2, 2}, 3 / math.Sqrt(120.0/18)},
		{"equal", []float64{5, 5, 5, 5}, 0},
		{"balanced", []float64{1, 2, 2, 1}, 0},
		{"none", nil, 0},
	}
	for _, tt := range tests {
		if got := MannKendall(tt.x); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestTrendIsSeldomFoundWhereNoneIs counts false alarms of the test alone, whose
// level is 1 %, and of medians that are rounded as a timeline's are.
func TestTrendIsSeldomFoundWhereNoneIs(t *testing.T) {
	const trials, seed = 4000, 1
	for _, rounding := range []float64{1e-9, 0.5} {
		random := rand.New(rand.NewPCG(seed, 0))
		x := make([]float64, 20)
		alarms := 0
		for range trials {
			for i := range x {
				x[i] = math.Round(random.NormFloat64()/rounding) * rounding
			}
			if math.Abs(MannKendall(x)) >= trendZ {
				alarms++
			}
		}
		if share := float64(alarms) / trials; share < 0.004 || share > 0.016 {
			t.Errorf("rounded to %v, seed %d: %.2f %% of steady series have a trend, want about 1 %%", rounding, seed, 100*share)
		}
	}
}
