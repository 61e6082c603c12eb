package stat

import "math"

// Verdict is what an effect allows to be said.
type Verdict string

// The verdicts. Faster and Slower are said of arm b; metrics that are costs word
// them as less and more.
const (
	Faster       Verdict = "faster"
	Slower       Verdict = "slower"
	Equivalent   Verdict = "equivalent"
	Inconclusive Verdict = "inconclusive"
	// Withheld is the verdict where too many trials were void; Judge never
	// returns it.
	Withheld Verdict = "withheld"
)

// MinDelta is the smallest difference that a verdict calls a difference.
const MinDelta = 0.02

// MaxNeeded caps the number of pairs that Judge suggests. At the cap, more pairs
// are no advice.
const MaxNeeded = 999

// Delta returns by how much arms must differ to be called different: at least
// MinDelta, and at least half the width of the interval of two identical arms.
func Delta(aa Effect) float64 { return max(MinDelta, aa.HalfWidth()) }

// Judge reads an effect against two bands. A difference must lie outside
// [1-delta, 1+delta], which a noisy machine makes wider. Equivalence must lie inside
// [1-MinDelta, 1+MinDelta], which noise does not widen: otherwise two arms would be
// the more alike the worse they were measured. For Inconclusive it also says about how
// many observations would decide with probability Power if the ratio is what it seems,
// at most MaxNeeded; for the other verdicts needed is 0.
func Judge(e Effect, delta float64) (v Verdict, needed int) {
	switch {
	case !e.HasInterval():
		return Inconclusive, MinPairs
	case within(e.Low, e.High) && within(e.BootLow, e.BootHigh):
		// Intervals this narrow may disagree about 1 and still agree that it does not
		// matter.
		return Equivalent, 0
	case !e.Agrees():
		return Inconclusive, pairsNeeded(e, delta)
	case e.Low > 1+delta:
		return Faster, 0
	case e.High < 1-delta:
		return Slower, 0
	}
	return Inconclusive, pairsNeeded(e, delta)
}

func within(low, high float64) bool { return low >= 1-MinDelta && high <= 1+MinDelta }

// powerMargin is by how much the distance to an edge must exceed the half-width of a
// 95 % interval for the interval to clear the edge with probability Power and not
// half the time: (z(0.975) + z(0.8)) / z(0.975).
const powerMargin = 1.43

// pairsNeeded extrapolates the interval's half-width, which shrinks with the
// root of n, to the distance between the estimate and the edge that it would have to
// clear: the inner one for equivalence, the outer one for a difference. Between them
// no number of pairs decides.
func pairsNeeded(e Effect, delta float64) int {
	inner, outer, at := math.Log1p(MinDelta), math.Log1p(delta), math.Abs(math.Log(e.Ratio))
	distance := 0.0
	switch {
	case at < inner:
		distance = inner - at
	case at > outer:
		distance = at - outer
	}
	if distance == 0 {
		return MaxNeeded
	}
	shrink := powerMargin * e.HalfWidth() / distance
	n := math.Ceil(float64(e.N) * shrink * shrink)
	return int(math.Max(float64(e.N+1), math.Min(n, MaxNeeded)))
}
