package stat

import (
	"math"
	"testing"
)

// The figures are scipy 1.10's, scipy.stats.beta.ppf.
func TestBinomialBounds(t *testing.T) {
	tests := []struct {
		k, n             int
		low, high, upper float64
	}{
		{0, 30, 0, 0.115703308222, 0.0950338528553},
		{0, 300, 0, 0.0122209746943, 0.00993608194446},
		{1, 10, 0.00252857854446, 0.445016117028, 0.394163302437},
		{3, 40, 0.015742179851, 0.203864748733, 0.182586850016},
		{5, 10, 0.187086028447, 0.812913971553, 0.777558898992},
		{10, 10, 0.691502892181, 1, 1},
		{1912, 412003, 0.00443548903002, 0.00485301036184, 0.00481872479015},
		{0, 412003, 0, 8.95348562978e-06, 7.27111545883e-06},
		{0, 0, 0, 1, 1},
	}
	same := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }
	for _, tt := range tests {
		low, high := ClopperPearson(tt.k, tt.n)
		if upper := UpperBound(tt.k, tt.n); !same(low, tt.low) || !same(high, tt.high) || !same(upper, tt.upper) {
			t.Errorf("%d of %d: [%.12g, %.12g], at most %.12g; want [%v, %v], at most %v", tt.k, tt.n, low, high, upper, tt.low, tt.high, tt.upper)
		}
	}
}

func TestRuleOfThree(t *testing.T) {
	for _, n := range []int{1, 2, 20, 300, 1_000_000} {
		if got, want := UpperBound(0, n), -math.Expm1(math.Log(0.05)/float64(n)); math.Abs(got/want-1) > 1e-9 {
			t.Errorf("0 of %d: below %v, exactly %v", n, got, want)
		}
	}
}

// The distribution function against the sum that defines it.
func TestRegularizedBetaIsABinomialTail(t *testing.T) {
	const n, p = 25, 0.3
	for k := 1; k <= n; k++ {
		tail := 0.0
		for i := k; i <= n; i++ {
			ways, _ := math.Lgamma(n + 1)
			in, _ := math.Lgamma(float64(i + 1))
			out, _ := math.Lgamma(float64(n - i + 1))
			tail += math.Exp(ways - in - out + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
		}
		if got := regularizedBeta(float64(k), float64(n-k+1), p); math.Abs(got-tail) > 1e-12 {
			t.Errorf("P(at least %d of %d) = %.15g, the sum is %.15g", k, n, got, tail)
		}
	}
}
