package stat

import (
	"cmp"
	"math"
	"slices"
)

// MaxPairs bounds the pairs of one comparison. Up to here the number of sign
// assignments, 2^n, is exact in a float64.
const MaxPairs = 50

// MinPairs is the fewest pairs from which a 95 % interval can be had: with five
// the widest possible one reaches 93.75 %.
const MinPairs = 6

// signedRankCounts returns, for every possible sum of a subset of ranks, how
// many subsets have it. Under the null hypothesis each subset is equally likely
// to be the set of positive differences.
func signedRankCounts(ranks []int) []float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	counts := make([]float64, total+1)
	counts[0] = 1
	top := 0
	for _, r := range ranks {
		top += r
		for s := top; s >= r; s-- {
			counts[s] += counts[s-r]
		}
	}
	return counts
}

// margin returns the largest K with P(T+ <= K) <= alpha/2 for n pairs, and the
// confidence 1 - 2 P(T+ <= K) that an interval cut there reaches. It reports
// false where n is too small for any interval at that alpha, or above MaxPairs.
func margin(n int, alpha float64) (k int, level float64, ok bool) {
	if n < 1 || n > MaxPairs {
		return 0, 0, false
	}
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = i + 1
	}
	counts := signedRankCounts(ranks)
	all, tail := math.Ldexp(1, n), 0.0
	k = -1
	for s, c := range counts {
		if (tail+c)/all > alpha/2 {
			break
		}
		tail += c
		k = s
	}
	return k, 1 - 2*tail/all, k >= 0
}

// signedRankP returns the exact two-sided p-value of Wilcoxon's signed-rank test
// on differences d, and how many zeros were left out of it. Ties share their
// mean rank; the distribution is enumerated over exactly those ranks.
func signedRankP(d []float64) (p float64, zeros int) {
	nonzero := slices.DeleteFunc(slices.Clone(d), func(x float64) bool { return x == 0 })
	zeros = len(d) - len(nonzero)
	if len(nonzero) == 0 {
		return 1, zeros
	}
	ranks := doubledMidranks(nonzero)
	positive := 0
	for i, x := range nonzero {
		if x > 0 {
			positive += ranks[i]
		}
	}
	counts := signedRankCounts(ranks)
	below, above := 0.0, 0.0
	for s, c := range counts {
		if s <= positive {
			below += c
		}
		if s >= positive {
			above += c
		}
	}
	return math.Min(1, 2*math.Min(below, above)/math.Ldexp(1, len(nonzero))), zeros
}

// doubledMidranks ranks the magnitudes of d, ties sharing their mean. Ranks are
// doubled, so that a mean of two neighbours stays an integer.
func doubledMidranks(d []float64) []int {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(d[a]), math.Abs(d[b])) })
	ranks := make([]int, len(d))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && math.Abs(d[order[to]]) == math.Abs(d[order[from]]) {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = from + 1 + to
		}
		from = to
	}
	return ranks
}
