package stat

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMarginMatchesPublishedTable(t *testing.T) {
	tests := []struct {
		n, k  int
		level float64 // percent, one digit
	}{
		{6, 0, 96.9}, {8, 3, 96.1}, {10, 8, 95.1}, {12, 13, 95.8},
		{15, 25, 95.2}, {20, 52, 95.2}, {30, 137, 95.0},
	}
	for _, tt := range tests {
		k, level, ok := margin(tt.n, alpha)
		if !ok || k != tt.k || math.Abs(level*100-tt.level) > 0.05 {
			t.Errorf("margin(%d) = %d, %.4f, %v; want %d, %.1f %%", tt.n, k, level, ok, tt.k, tt.level)
		}
	}
	for _, n := range []int{-1, 0, 1, 5, MaxPairs + 1} {
		if _, _, ok := margin(n, alpha); ok {
			t.Errorf("margin(%d) found an interval", n)
		}
	}
}

func TestSignedRankCountsSumToAllSubsets(t *testing.T) {
	ranks := make([]int, MaxPairs)
	for i := range ranks {
		ranks[i] = i + 1
	}
	sum := 0.0
	for _, c := range signedRankCounts(ranks) {
		sum += c
	}
	if sum != math.Ldexp(1, MaxPairs) {
		t.Errorf("counts sum to %v, want 2^%d", sum, MaxPairs)
	}
}

func TestSignedRankPAgainstEnumeration(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for trial := range 200 {
		n := 1 + rng.IntN(10)
		d := make([]float64, n)
		for i := range d {
			d[i] = float64(rng.IntN(9) - 4) // coarse, so that ties and zeros occur
		}
		got, zeros := signedRankP(d)
		want, wantZeros := enumerateP(d)
		if math.Abs(got-want) > 1e-12 || zeros != wantZeros {
			t.Fatalf("trial %d: p of %v = %v (%d zeros), enumeration says %v (%d)", trial, d, got, zeros, want, wantZeros)
		}
	}
}

// enumerateP tries every sign assignment: the definition, at 2^n cost.
func enumerateP(d []float64) (p float64, zeros int) {
	var x []float64
	for _, v := range d {
		if v == 0 {
			zeros++
			continue
		}
		x = append(x, v)
	}
	n := len(x)
	observed := 0.0
	for i := range x {
		if x[i] > 0 {
			observed += midrank(x, i)
		}
	}
	below, above := 0, 0
	for set := range 1 << n {
		sum := 0.0
		for rest := uint(set); rest != 0; rest &= rest - 1 {
			sum += midrank(x, bits.TrailingZeros(rest))
		}
		if sum <= observed {
			below++
		}
		if sum >= observed {
			above++
		}
	}
	return min(1, 2*float64(min(below, above))/math.Ldexp(1, n)), zeros
}

func midrank(x []float64, i int) float64 {
	less, equal := 0, 0
	for _, v := range x {
		switch a, b := math.Abs(v), math.Abs(x[i]); {
		case a < b:
			less++
		case a == b:
			equal++
		}
	}
	return float64(less) + float64(equal+1)/2
}

func TestSignedRankPByHand(t *testing.T) {
	tests := []struct {
		name string
		d    []float64
		want float64
	}{
		{"all positive, n=6: 2/64", []float64{1, 2, 3, 4, 5, 6}, 2.0 / 64},
		{"all negative, n=6: 2/64", []float64{-1, -2, -3, -4, -5, -6}, 2.0 / 64},
		{"smallest negative, n=6: 4/64", []float64{-1, 2, 3, 4, 5, 6}, 4.0 / 64},
		{"balanced", []float64{1, -1}, 1},
		{"only zeros", []float64{0, 0, 0}, 1},
	}
	for _, tt := range tests {
		if got, _ := signedRankP(tt.d); got != tt.want {
			t.Errorf("%s: p = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestHolm(t *testing.T) {
	tests := []struct{ p, want []float64 }{
		{nil, []float64{}},
		{[]float64{0.03}, []float64{0.03}},
		{[]float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}},
		{[]float64{0.5, 0.9}, []float64{1, 1}},
	}
	for _, tt := range tests {
		got := Holm(tt.p)
		if !slices.EqualFunc(got, tt.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("Holm(%v) = %v, want %v", tt.p, got, tt.want)
		}
	}
}
