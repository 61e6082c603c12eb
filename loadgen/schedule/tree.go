package schedule

import (
	"math"
	"math/bits"
)

// tree orders points that are independent and uniform in [0, 1), without drawing
// more of them than are asked for. Of the points in an interval, those in its left
// half are binomially distributed; drawing their number from the seed and the
// interval, again and again, leads from all points to a leaf with few, which are
// drawn from the seed and the leaf. Every way to a leaf draws the same numbers.
//
// Nodes are numbered as in a heap: 1 is [0, 1), node k has the halves 2k and 2k + 1.
type tree struct {
	seed   uint64
	points int64 // below 2^53
}

// leafSize is the most points of a leaf. More would make a single one dearer, fewer
// the way to it.
const leafSize = 64

// leaf is the interval [place, place + 1) · 2^−depth.
type leaf struct {
	node          uint64
	place         int64
	depth         int
	first, points int64 // numbers of its first point and of points
}

// leafOf returns the leaf that has point i, 0 ≤ i < points. The depth is some
// levels more than the logarithm of points / leafSize: halves of thousands are
// nearly equal, and a small node with all points in one half is rare.
func (t tree) leafOf(i int64) leaf {
	node, first, points := uint64(1), int64(0), t.points
	for points > leafSize {
		chance := newSource(t.seed, node)
		left := chance.half(points)
		node *= 2
		if i-first < left {
			points = left
			continue
		}
		node++
		first += left
		points -= left
	}
	depth := bits.Len64(node) - 1
	return leaf{node: node, place: int64(node - 1<<depth), depth: depth, first: first, points: points}
}

// exactHalves is the largest number of points that half splits bit by bit.
const exactHalves = 4096

// half draws from the binomial distribution of n trials with probability 1/2.
//
// Beyond exactHalves it rounds a normal variable. That distribution function is
// wrong by less than 0.06 / n, here 0.000014; to see this, some 1/0.000014² ≈ 5·10⁹
// draws of that size would be needed, 2·10¹³ arrivals, more than 200 days at MaxRate.
func (s *source) half(n int64) int64 {
	if n > exactHalves {
		mean, deviation := float64(n)/2, math.Sqrt(float64(n))/2
		return int64(math.Round(mean + deviation*s.normal()))
	}
	ones := 0
	for ; n >= 64; n -= 64 {
		ones += bits.OnesCount64(s.Uint64())
	}
	return int64(ones + bits.OnesCount64(s.Uint64()&(1<<n-1)))
}
