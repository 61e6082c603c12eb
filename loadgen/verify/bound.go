package verify

import "math"

// confidence of the one-sided bound.
const confidence = 0.95

// lossBound returns the upper end of the one-sided 95 % interval of a rate, when
// lost of n were lost: 3/n if none was, which is the rule of three and above
// 1 − 0.05^(1/n) by little; else Clopper and Pearson's, the 0.95 quantile of
// Beta(lost+1, n−lost). It returns 1 when n is 0.
func lossBound(lost, n int64) float64 {
	switch {
	case n == 0 || lost >= n:
		return 1
	case lost == 0:
		return min(1, 3/float64(n))
	}
	a, b := float64(lost+1), float64(n-lost)
	low, high := 0.0, 1.0
	// Bisection down to neighbouring numbers; a float64 in [0, 1] has at most some
	// 1,100 of them by halving, and in practice about 60 steps do.
	for range 1100 {
		mid := low + (high-low)/2
		if mid == low || mid == high {
			break
		}
		if betaCDF(mid, a, b) < confidence {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// betaCDF is the regularized incomplete beta function I_x(a, b), for 0 < x < 1
// and positive a and b.
func betaCDF(x, a, b float64) float64 {
	// The continued fraction converges fast on one side of the mean only.
	if x > (a+1)/(a+b+2) {
		return 1 - betaCDF(1-x, b, a)
	}
	lab, _ := math.Lgamma(a + b)
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	return front / a * betaFraction(x, a, b)
}

// betaFraction evaluates the continued fraction of I_x(a, b) by Lentz's method
// (Numerical Recipes, 6.4). It takes about √max(a, b) steps.
func betaFraction(x, a, b float64) float64 {
	const tiny, precision, steps = 1e-300, 1e-14, 1_000_000
	away := func(v float64) float64 { // from zero, by which it would divide
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	sum := d
	for i := range steps {
		m := float64(i + 1)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+even*d), away(1+even/c)
		sum *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+odd*d), away(1+odd/c)
		sum *= d * c
		if math.Abs(d*c-1) < precision {
			break
		}
	}
	return sum
}
