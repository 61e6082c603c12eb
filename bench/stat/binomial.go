package stat

import "math"

// ClopperPearson returns the exact 95 % interval of a probability of which k of n
// independent tries came true. Samples that one crash loses are not independent of
// each other: the tries are the crashes then. For n < 1 it knows nothing, [0, 1].
func ClopperPearson(k, n int) (low, high float64) {
	return betaLow(k, n, alpha/2), betaHigh(k, n, alpha/2)
}

// UpperBound returns what such a probability is below with 95 % confidence. For k = 0
// it is 1 − 0.05^(1/n), about 3/n: the rule of three.
func UpperBound(k, n int) float64 { return betaHigh(k, n, alpha) }

// betaLow is the p at which k or more of n have probability tail.
func betaLow(k, n int, tail float64) float64 {
	if k <= 0 || n < 1 {
		return 0
	}
	return bisect(func(p float64) bool { return regularizedBeta(float64(k), float64(n-k+1), p) < tail })
}

// betaHigh is the p at which k or fewer of n have probability tail.
func betaHigh(k, n int, tail float64) float64 {
	if k >= n || n < 1 {
		return 1
	}
	return bisect(func(p float64) bool { return 1-regularizedBeta(float64(k+1), float64(n-k), p) > tail })
}

// bisect returns the p in [0, 1] up to which below is true. The ends of the interval
// are halved until they are neighbours; the bound of 1,100 is the number of steps from
// 1 to the smallest float.
func bisect(below func(p float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 1100 {
		middle := low + (high-low)/2
		if middle == low || middle == high {
			break
		}
		if below(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// regularizedBeta is the distribution function of Beta(a, b) at x, with integers
// a, b >= 1.
func regularizedBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction converges slowly, the other tail's does not
		return 1 - regularizedBeta(b, a, 1-x)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a / betaFraction(a, b, x)
}

// betaFraction evaluates DLMF 8.17.22's continued fraction 1 + d1/(1 + d2/(1 + …))
// from the front (the method of Lentz and Thompson). It needs on the order of √max(a, b)
// terms; the bound serves tries by the hundred million.
func betaFraction(a, b, x float64) float64 {
	const tiny, close = 1e-300, 1e-16
	value, c, d := 1.0, 1.0, 0.0
	for i := 1; i <= 100_000; i++ {
		m := float64(i / 2)
		term := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		if i%2 == 1 {
			term = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		d = 1 / nonzero(1+term*d, tiny)
		c = nonzero(1+term/c, tiny)
		value *= c * d
		if math.Abs(c*d-1) < close {
			break
		}
	}
	return value
}

func nonzero(x, instead float64) float64 {
	if math.Abs(x) < instead {
		return instead
	}
	return x
}
