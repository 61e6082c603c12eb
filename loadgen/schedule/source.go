package schedule

import (
	"math"
	"math/rand/v2"
)

// source draws random numbers. It is a value, so that short-lived ones cost no
// allocation, and equal seeds and keys give equal numbers in every release of Go,
// since PCG's are specified.
type source struct{ rand.PCG }

// countKey is the key of the source that is no node's of a tree.
const countKey = 0

// newSource returns the source of a key. Different keys of a seed, and different
// seeds, start at states that have nothing in common: with 128 bits of state, two
// sources never overlap in practice.
func newSource(seed, key uint64) source {
	var s source
	s.Seed(mix(seed^mix(key+1)), key)
	return s
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014): a bijection in
// which every bit depends on every other.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is uniform in [0, 1).
func (s *source) unit() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

// open is uniform in (0, 1).
func (s *source) open() float64 { return (float64(s.Uint64()>>12) + 0.5) / (1 << 52) }

// normal has the standard normal distribution, by inversion: within 8.3 of 0.
func (s *source) normal() float64 { return math.Sqrt2 * math.Erfinv(2*s.open()-1) }

// gamma has the gamma distribution of a shape ≥ 1 and scale 1: the time of arrival
// number shape at rate 1. The method is Marsaglia and Tsang's (2000), which rejects
// at most one draw in twenty.
func (s *source) gamma(shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(s.open()) < x*x/2+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
}

// poisson has the Poisson distribution of a mean from 0 to 2^53.
func (s *source) poisson(mean float64) int64 {
	if mean < 10 {
		return s.poissonSmall(mean)
	}
	return s.poissonLarge(mean)
}

// poissonSmall counts arrivals at rate 1 before mean: the product of uniform
// variables is e to the power of minus the sum of the distances.
func (s *source) poissonSmall(mean float64) int64 {
	floor, product := math.Exp(-mean), s.open()
	var n int64
	for product > floor {
		product *= s.open()
		n++
	}
	return n
}

// poissonLarge is Hörmann's transformed rejection (PTRS, 1993) for a mean ≥ 10. It
// is exact but for rounding, and rejects about one draw in eight.
func (s *source) poissonLarge(mean float64) int64 {
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	inverse := 1.1239 + 1.1328/(b-3.4)
	quick := 0.9277 - 3.6224/(b-2)
	for {
		u, v := s.open()-0.5, s.open()
		edge := 0.5 - math.Abs(u)
		k := math.Floor((2*a/edge+b)*u + mean + 0.43)
		if edge >= 0.07 && v <= quick {
			return int64(k)
		}
		if k < 0 || edge < 0.013 && v > edge {
			continue
		}
		gamma, _ := math.Lgamma(k + 1)
		if math.Log(v*inverse/(a/(edge*edge)+b)) <= k*math.Log(mean)-mean-gamma {
			return int64(k)
		}
	}
}
