package window

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"phase0/server/alerting/rule"
)

var everyFunc = []rule.Func{rule.Avg, rule.Min, rule.Max, rule.Sum, rule.Count, rule.Rate, rule.Stddev, rule.Quantile}

// model keeps everything and computes from it.
type model struct{ points []point }

func (m *model) in(from, to int64) []point {
	var in []point
	for _, p := range m.points {
		if p.time > from && p.time <= to {
			in = append(in, p)
		}
	}
	slices.SortStableFunc(in, func(a, b point) int { return int(a.time - b.time) })
	return in
}

func (m *model) value(in []point, f rule.Func, q float64) float64 {
	if len(in) == 0 {
		return math.NaN()
	}
	n := len(in)
	sorted := make([]float64, n)
	total := new(big.Float).SetPrec(2200) // enough for any two floats
	for i, p := range in {
		sorted[i] = p.value
		total.Add(total, big.NewFloat(p.value))
	}
	slices.Sort(sorted)
	switch f {
	case rule.Min:
		return sorted[0]
	case rule.Max:
		return sorted[n-1]
	case rule.Count:
		return float64(n)
	case rule.Quantile:
		return sorted[Rank(q, n)-1]
	case rule.Rate:
		return Rate(in[0].time, in[0].value, in[n-1].time, in[n-1].value)
	case rule.Stddev:
		var m Moments
		for _, v := range sorted {
			m.Add(v)
		}
		return m.Stddev(sorted[0], sorted[n-1])
	}
	rounded, _ := total.Float64()
	if f == rule.Sum {
		return rounded
	}
	if !math.IsInf(rounded, 0) && math.Abs(rounded) < huge {
		return rounded / float64(n)
	}
	scaled, _ := total.SetMantExp(total, -64).Float64()
	return max(-math.MaxFloat64, min(scaled/float64(n)*up, math.MaxFloat64))
}

func near(f rule.Func, a, b float64) bool {
	if f == rule.Stddev && !math.IsInf(a, 0) {
		return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1e-300) || math.IsNaN(a) && math.IsNaN(b)
	}
	return a == b || math.IsNaN(a) && math.IsNaN(b)
}

// values of all kinds; those of one series are mostly of one kind.
var kinds = []func(*rand.Rand) float64{
	func(r *rand.Rand) float64 { return 100 * r.Float64() },
	func(r *rand.Rand) float64 { return float64(r.IntN(4)) },
	func(r *rand.Rand) float64 { return math.Round(1000*r.Float64()) / 10 },
	func(r *rand.Rand) float64 { return 0.1 },
	func(r *rand.Rand) float64 { return 1e300 * (r.Float64() - 0.5) },
	func(r *rand.Rand) float64 {
		return []float64{1e300, -1e300, 1, 1e-300, 3e16, -3e16, math.MaxFloat64, -math.MaxFloat64}[r.IntN(8)]
	},
}

func TestWindowIsWhatItsSamplesAre(t *testing.T) {
	seed := rand.Uint64()
	for run := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, run))
		budget := &Budget{Left: 1 << 30}
		w := New(budget)
		widths := []int64{10, 1000, 1 + r.Int64N(5000)}
		var views []*View
		for _, width := range widths {
			for _, f := range everyFunc {
				w.View(width, f)
			}
			views = append(views, w.View(width, rule.Avg))
		}
		m := &model{}
		now := int64(1e12)
		w.Advance(now)
		kind, lateness, pace := kinds[r.IntN(len(kinds))], r.Int64N(3000), 1+r.Int64N(40)
		for step := range 700 {
			now += r.Int64N(pace)
			if r.IntN(300) == 0 {
				now += r.Int64N(10_000)
			}
			w.Advance(now)
			for range r.IntN(4) {
				at := now
				switch r.IntN(6) {
				case 0:
					at -= r.Int64N(lateness + 1)
				case 1:
					at += r.Int64N(500) // the future
				}
				v := kind(r)
				if r.IntN(40) == 0 {
					v = kinds[r.IntN(len(kinds))](r)
				}
				w.Add(at, v)
				m.points = append(m.points, point{at, v})
			}
			w.Advance(now)
			if step%7 != 0 {
				continue
			}
			for i, view := range views {
				in := m.in(now-widths[i], now)
				if view.Len() != len(in) {
					t.Fatalf("seed %d run %d step %d: %d samples, want %d", seed, run, step, view.Len(), len(in))
				}
				for _, f := range everyFunc {
					q := r.Float64()
					want := m.value(in, f, q)
					if got := view.Value(f, q, want); !near(f, got, want) {
						t.Fatalf("seed %d run %d step %d width %d: %v = %v, want %v of %v", seed, run, step, widths[i], f, got, want, in)
					}
				}
			}
		}
		w.Clear()
		if budget.Left != 1<<30 || budget.Dropped != 0 {
			t.Fatalf("budget %+v", budget)
		}
	}
}

func TestNextIsWhenTheSamplesChange(t *testing.T) {
	w := New(&Budget{Left: 100})
	w.View(1000, rule.Avg)
	w.View(50, rule.Max)
	w.Advance(5000)
	if w.Next() != Never {
		t.Errorf("empty window changes at %d", w.Next())
	}
	w.Add(5100, 1)
	w.Advance(5000)
	if w.Next() != 5100 {
		t.Errorf("future sample: %d", w.Next())
	}
	for _, tc := range []struct{ now, next int64 }{{5100, 5150}, {5149, 5150}, {5150, 6100}, {6100, Never}} {
		if w.Advance(tc.now); w.Next() != tc.next {
			t.Errorf("at %d: %d, want %d", tc.now, w.Next(), tc.next)
		}
	}
}

func TestBudgetDropsTheOldest(t *testing.T) {
	b := &Budget{Left: 100}
	w := New(b)
	v := w.View(1e6, rule.Avg)
	w.View(1e6, rule.Quantile)
	for i := range int64(1000) {
		w.Add(i+1, float64(i))
		w.Advance(i + 1)
		if w.Len() > 100 || v.Len() != w.Len() {
			t.Fatalf("%d samples, view has %d", w.Len(), v.Len())
		}
	}
	if got := v.Value(rule.Min, 0, 0); uint64(got) != b.Dropped || b.Dropped < 900 {
		t.Errorf("oldest is %v, dropped %d", got, b.Dropped)
	}
	if got, want := v.Value(rule.Avg, 0, 0), (float64(b.Dropped)+999)/2; got != want {
		t.Errorf("average %v, want %v", got, want)
	}
	if got := v.Value(rule.Quantile, 1, 0); got != 999 {
		t.Errorf("largest is %v", got)
	}
}

func TestInOrderSamplesAllocateNothing(t *testing.T) {
	w := New(&Budget{Left: 1 << 20})
	v := w.View(10_000, rule.Avg)
	now := int64(0)
	step := func() {
		now += 5
		w.Add(now, 1)
		w.Advance(now)
		v.Value(rule.Avg, 0, 80)
	}
	for range 10_000 {
		step()
	}
	// A chunk of samples is allocated now and then.
	if got := testing.AllocsPerRun(10_000, step); got > 0.5 {
		t.Errorf("%v allocations a sample", got)
	}
}

func BenchmarkWindow(b *testing.B) {
	for name, f := range map[string]rule.Func{"avg": rule.Avg, "stddev": rule.Stddev, "quantile": rule.Quantile, "count": rule.Count} {
		b.Run(name, func(b *testing.B) {
			w := New(&Budget{Left: 1 << 20})
			v := w.View(60_000, f)
			now, i := int64(0), 0
			b.ReportAllocs()
			for b.Loop() {
				now += 500
				i++
				w.Add(now, float64(i%97))
				w.Advance(now)
				if v.Value(f, 0.9, 80) < 0 {
					b.Fatal("negative")
				}
			}
		})
	}
}
