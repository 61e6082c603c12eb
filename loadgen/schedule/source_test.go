package schedule

import (
	"math"
	"testing"
)

func logChoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// TestNormalIsBinomialEnough is the claim about half, at the n where it is worst.
func TestNormalIsBinomialEnough(t *testing.T) {
	for _, n := range []float64{64, exactHalves + 1} {
		var sum, worst float64
		for k := range int(n) {
			sum += math.Exp(logChoose(n, float64(k)) - n*math.Ln2)
			rounded := math.Erfc(-(float64(k)+0.5-n/2)/math.Sqrt(n/4)/math.Sqrt2) / 2
			worst = max(worst, math.Abs(sum-rounded))
		}
		if worst*n > 0.06 {
			t.Errorf("the distribution functions for n = %v differ by %.3g / n", n, worst*n)
		}
	}
}

func TestHalfIsBinomial(t *testing.T) {
	for _, n := range []int64{1, 2, 63, 64, 65, 200, exactHalves, exactHalves + 1, 1e6} {
		const draws = 4000
		var values []float64
		for key := range uint64(draws) {
			s := newSource(1, key)
			k := s.half(n)
			if k < 0 || k > n {
				t.Fatalf("half(%d) = %d", n, k)
			}
			values = append(values, float64(k))
		}
		checkMoments(t, values, float64(n)/2, float64(n)/4)
	}
}

func TestPoissonDraws(t *testing.T) {
	for _, mean := range []float64{0, 0.1, 3, 9.99, 10, 11, 50, 1e4, 1e9, 8.64e10} {
		s := newSource(2, 2)
		var values []float64
		for range 10_000 {
			values = append(values, float64(s.poisson(mean)))
		}
		checkMoments(t, values, mean, mean)
	}
}

// TestPoissonDrawsFollowTheLaw compares frequencies around both methods' border.
func TestPoissonDrawsFollowTheLaw(t *testing.T) {
	for _, mean := range []float64{9.5, 10, 30} {
		const draws = 100_000
		s := newSource(3, 3)
		counts := map[int64]float64{}
		for range draws {
			counts[s.poisson(mean)]++
		}
		var chi2, classes float64
		for k := range int64(100) {
			gamma, _ := math.Lgamma(float64(k) + 1)
			expected := draws * math.Exp(float64(k)*math.Log(mean)-mean-gamma)
			if expected < 10 {
				continue
			}
			classes++
			chi2 += (counts[k] - expected) * (counts[k] - expected) / expected
		}
		if chi2 > classes+4*math.Sqrt(2*classes) {
			t.Errorf("mean %v: χ² = %.1f in %v classes", mean, chi2, classes)
		}
	}
}

func TestGammaDraws(t *testing.T) {
	for _, shape := range []float64{1, 2, 10, 1e4, 1e12} {
		s := newSource(4, 4)
		var values []float64
		for range 10_000 {
			values = append(values, s.gamma(shape))
		}
		checkMoments(t, values, shape, shape)
		if a2 := andersonDarling(values); shape == 1 && !(a2 < adCritical) {
			t.Errorf("shape 1 is not exponential: A²* = %.3f", a2)
		}
	}
}

// checkMoments allows 4 standard errors of the mean and of the variance, the latter
// for an excess kurtosis up to the exponential's 6 and the Poisson distribution's.
func checkMoments(t *testing.T, values []float64, mean, variance float64) {
	t.Helper()
	n := float64(len(values))
	m, d := moments(values)
	if math.Abs(m-mean) > 4*math.Sqrt(variance/n) {
		t.Errorf("mean is %v, want %v", m, mean)
	}
	if variance > 0 && math.Abs(d*d/variance-1) > 4*math.Sqrt((2+6+1/variance)/n) {
		t.Errorf("variance is %v with mean %v, want %v", d*d, mean, variance)
	}
}

func TestNeighbouringKeysAreIndependent(t *testing.T) {
	const n = 20_000
	var x, y, z []float64
	for k := range uint64(n) {
		s, nextKey, nextSeed := newSource(k, 5), newSource(k, 6), newSource(k+1, 5)
		x, y, z = append(x, s.unit()), append(y, nextKey.unit()), append(z, nextSeed.unit())
	}
	checkMoments(t, x, 0.5, 1.0/12)
	for name, other := range map[string][]float64{"key": y, "seed": z} {
		var together float64
		for k := range x {
			together += (x[k] - 0.5) * (other[k] - 0.5) * 12 / n
		}
		if math.Abs(together) > 4/math.Sqrt(n) {
			t.Errorf("the first draws of a %s and the next one correlate by %.4f", name, together)
		}
	}
}
