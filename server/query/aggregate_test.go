package query

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"phase0/server/sample"
)

func mustParse(t testing.TB, list string) []Aggregate {
	t.Helper()
	aggregates, err := ParseAggregates(list)
	if err != nil {
		t.Fatal(err)
	}
	return aggregates
}

func TestParseAggregates(t *testing.T) {
	for text, want := range map[string]string{
		"avg": "[avg]", "count,p50,p99.9,p100,p0.000001": "[count p50 p99.9 p100 p0.000001]",
		"avg,sum,min,max,count,rate,stddev": "[avg sum min max count rate stddev]",
		"":                                  `unknown aggregate ""`, "avg,": `unknown aggregate ""`, "AVG": "unknown", "p": "unknown", "p0": "unknown", "p050": "unknown", "p00.1": "unknown", "p0.0": "unknown", "p100.1": "unknown", "p101": "unknown",
		"p-1": "unknown", "p+1": "unknown", "p1.": "unknown", "p.5": "unknown", "p1e1": "unknown", "p0.0000001": "unknown", "p9999": "unknown", "p1_0": "unknown", "pp50": "unknown",
		"avg,p50,avg": "stands twice", " avg": "unknown",
		"p1" + strings.Repeat(",p1", 2):               "stands twice",
		strings.Join(percentiles(MaxAggregates), ","): fmt.Sprint(percentiles(MaxAggregates)), strings.Join(percentiles(MaxAggregates+1), ","): "more than 32",
	} {
		list, err := ParseAggregates(text)
		if got := fmt.Sprint(list); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
}

func percentiles(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint("p", i+1))
	}
	return list
}

// The rank must be exact, not that of a rounded product: 99.9 % of 41,000 is 40,959.
func TestRank(t *testing.T) {
	for _, name := range []string{"p50", "p90", "p99", "p99.9", "p99.99", "p99.999999", "p0.1", "p100", "p33.3"} {
		a := mustParse(t, name)[0]
		share, _ := new(big.Rat).SetString(name[1:])
		for _, n := range []int{1, 2, 3, 7, 99, 100, 101, 999, 1000, 41_000, 200_000, 10_000_000, 20_000_000} {
			exact := new(big.Rat).Mul(share, big.NewRat(int64(n), 100))
			want := new(big.Int).Div(new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1))), exact.Denom()).Int64()
			if got := a.rank(n); int64(got) != want {
				t.Errorf("%s of %d: rank %d, want %d", name, n, got, want)
			}
		}
	}
}

// naive computes the figures of a window from all its samples, sums exactly.
func naive(samples []sample.Sample, aggregates []Aggregate) []float64 {
	byTime := slices.Clone(samples)
	slices.SortStableFunc(byTime, func(a, b sample.Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	var values []float64
	total := new(big.Rat)
	for _, s := range samples {
		values = append(values, s.Value)
		total.Add(total, new(big.Rat).SetFloat64(s.Value))
	}
	slices.Sort(values)
	var figures []float64
	for _, a := range aggregates {
		v := math.NaN()
		n := len(values)
		switch {
		case a.String() == "count":
			v = float64(n)
		case n == 0:
		case a.String() == "sum":
			v, _ = total.Float64()
		case a.String() == "avg":
			v, _ = new(big.Rat).Quo(total, big.NewRat(int64(n), 1)).Float64()
		case a.String() == "min":
			v = values[0]
		case a.String() == "max":
			v = values[n-1]
		case a.String() == "rate":
			first, last := byTime[0], byTime[n-1]
			if first.Timestamp < last.Timestamp {
				v = (last.Value - first.Value) * 1000 / float64(last.Timestamp-first.Timestamp)
			}
		case a.String() == "stddev":
			mean := new(big.Rat).Quo(total, big.NewRat(int64(n), 1))
			squares := new(big.Rat)
			for _, x := range values {
				d := new(big.Rat).Sub(new(big.Rat).SetFloat64(x), mean)
				squares.Add(squares, d.Mul(d, d))
			}
			variance, _ := squares.Quo(squares, big.NewRat(int64(n), 1)).Float64()
			v = math.Sqrt(variance)
		case a.isPercentile():
			v = values[a.rank(n)-1]
		}
		figures = append(figures, v)
	}
	return figures
}

// Random samples and windows against arithmetic without rounding.
func TestAggregatesAgainstExactArithmetic(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	list := mustParse(t, "count,sum,avg,min,max,rate,stddev,p50,p99,p100,p0.1")
	for range 500 {
		var file sliceEngine
		for range rng.IntN(200) {
			value := float64(rng.IntN(100)) + rng.Float64()
			if rng.IntN(3) == 0 {
				value = -value
			}
			file = append(file, sample.Sample{Name: "a", Value: value, Timestamp: rng.Int64N(1000)})
		}
		r := AggregateRequest{Selector: Selector{Name: "a", Start: rng.Int64N(1000), End: math.MaxInt64}, Aggregates: list, MaxValues: 200}
		r.End = r.Start + rng.Int64N(1000)
		if rng.IntN(2) == 0 {
			r.Step = 1 + rng.Int64N(300)
		}
		windows, _, err := r.Run(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		start := r.Start
		for i, w := range windows {
			var own []sample.Sample
			for _, s := range file {
				if s.Timestamp >= w.Start && s.Timestamp <= w.End {
					own = append(own, s)
				}
			}
			want := naive(own, list)
			for j := range want {
				if got := w.Figures[j]; got != want[j] && !(math.Abs(got-want[j]) <= 1e-13*(1+math.Abs(want[j]))) && !(math.IsNaN(got) && math.IsNaN(want[j])) {
					t.Fatalf("seed %d, %+v, window %d: %s is %v, want %v", seed, r, i, list[j], got, want[j])
				}
			}
			if w.Start != start || w.End < w.Start || w.End > r.End {
				t.Fatalf("seed %d, %+v: window %d is %d to %d", seed, r, i, w.Start, w.End)
			}
			start = w.End + 1
		}
		if start != r.End+1 {
			t.Fatalf("seed %d, %+v: windows end before %d", seed, r, start)
		}
	}
}

// What overflows on the way does not matter, only what does in the end.
func TestHugeValues(t *testing.T) {
	const m = math.MaxFloat64
	for _, tc := range []struct {
		values   []float64
		sum, avg float64
	}{
		{[]float64{m, m, -m}, m, m / 3}, {[]float64{m, -m, m, -m, 1}, 1, 0.2}, {[]float64{m, m}, math.Inf(1), m}, {[]float64{-m, -m, -m}, math.Inf(-1), -m},
		{[]float64{1e100, 1, -1e100}, 1, 1.0 / 3}, {[]float64{0.1, 0.2, 0.3}, 0.6, 0.2}, {[]float64{5e-324, 5e-324}, 1e-323, 5e-324}, {[]float64{m, 1e20}, m, m / 2},
	} {
		var file sliceEngine
		for _, v := range tc.values {
			file = append(file, sample.Sample{Name: "a", Value: v, Timestamp: 1})
		}
		r := AggregateRequest{Selector: Selector{Name: "a", End: 2}, Aggregates: mustParse(t, "sum,avg")}
		w, _, err := r.Run(t.Context(), file)
		if err != nil || w[0].Figures[0] != tc.sum || math.Abs(w[0].Figures[1]-tc.avg) > 1e-15*math.Abs(tc.avg) {
			t.Errorf("%v: %v, %v; want %v, %v", tc.values, w, err, tc.sum, tc.avg)
		}
	}
}

// Counting finds the same ranks as sorting, also among many equal values.
func TestRankedWithoutSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, value := range map[string]func() float64{
		"spread":  func() float64 { return rng.NormFloat64() * 1e10 },
		"integer": func() float64 { return float64(rng.IntN(20) - 10) },
		"equal":   func() float64 { return 7 },
		"zeros":   func() float64 { return math.Copysign(0, float64(rng.IntN(3)-1)) },
	} {
		var v values
		var all []uint64
		for range maxSorted + 1000 {
			key := keyOf(value())
			v.add(key)
			all = append(all, key)
		}
		slices.Sort(all)
		for _, r := range []int{1, 2, 1000, len(all) / 2, len(all) - 1, len(all)} {
			if got := v.ranked(r, v.prepare(nil)); got != all[r-1] {
				t.Errorf("%s: rank %d is %v, want %v", name, r, floatOf(got), floatOf(all[r-1]))
			}
		}
	}
}

func TestKeysKeepOrder(t *testing.T) {
	sorted := []float64{math.Inf(-1), -math.MaxFloat64, -1, -5e-324, math.Copysign(0, -1), 0, 5e-324, 1, math.MaxFloat64, math.Inf(1)}
	for i, v := range sorted {
		if math.Float64bits(floatOf(keyOf(v))) != math.Float64bits(v) || i > 0 && keyOf(v) <= keyOf(sorted[i-1]) {
			t.Errorf("%v", v)
		}
	}
}

// Limits hold, and refuse before memory is taken.
func TestAggregateLimits(t *testing.T) {
	file := make(sliceEngine, 100)
	for i := range file {
		file[i] = sample.Sample{Name: "a", Timestamp: int64(i)}
	}
	sel := Selector{Name: "a", End: 99}
	for _, tc := range []struct {
		list   string
		step   int64
		end    int64
		values int
		want   error
	}{
		{"p50", 0, 99, 100, nil}, {"p50", 0, 99, 99, ErrTooManyValues}, {"p50", 7, 99, 99, ErrTooManyValues}, {"avg", 0, 99, 1, nil},
		{"avg", 1, MaxPoints - 1, 1, nil}, {"avg", 1, MaxPoints, 1, ErrTooManyPoints}, {"avg", 1, math.MaxInt64, 1, ErrTooManyPoints},
	} {
		sel.End = tc.end
		r := AggregateRequest{Selector: sel, Aggregates: mustParse(t, tc.list), Step: tc.step, MaxValues: tc.values}
		if windows, _, err := r.Run(t.Context(), file); !errors.Is(err, tc.want) || (err == nil) != (len(windows) > 0) {
			t.Errorf("%+v: %d windows, %v", tc, len(windows), err)
		}
	}
}
