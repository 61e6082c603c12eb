package knee

import (
	"math"
	"strconv"
)

// extraVoids is how many void runs a rate is forgiven.
const extraVoids = 2

// tally counts the runs at one rate. The first, if not void, only scouts: it moved
// an end of the bracket to this rate, so the rates that become ends are those
// where it erred more often than elsewhere, and as a vote it would confirm its
// own errors.
type tally struct {
	scouted          bool
	pass, fail, void int    // votes, and void runs
	ruling           Ruling // the majority's, or the scout's until there is one
}

func (t *tally) add(r Ruling, majority int) {
	switch {
	case r == Void:
		t.void++
	case !t.scouted:
		t.scouted = true
		t.ruling = r
	case r == Pass:
		t.pass++
	case r == Fail:
		t.fail++
	}
	switch {
	case t.void > extraVoids:
		t.ruling = Void
	case t.pass >= majority:
		t.ruling = Pass
	case t.fail >= majority:
		t.ruling = Fail
	}
}

// bracket decides which rate to offer next. That is a function of the tallies
// alone: whatever a run says, the next rate follows from all that is known then.
type bracket struct {
	cfg     Config // complete
	tallies map[float64]*tally
}

func newBracket(cfg Config) *bracket {
	return &bracket{cfg: cfg, tallies: map[float64]*tally{}}
}

// add counts a run and reports whether it was a vote.
func (b *bracket) add(rate float64, r Ruling) (vote bool) {
	t := b.tallies[rate]
	if t == nil {
		t = &tally{}
		b.tallies[rate] = t
	}
	vote = t.scouted && r != Void
	t.add(r, b.cfg.majority())
	return vote
}

func (b *bracket) ruling(rate float64) Ruling {
	if t := b.tallies[rate]; t != nil {
		return t.ruling
	}
	return ""
}

// confirmed reports whether a majority decided about a rate.
func (b *bracket) confirmed(rate float64) bool {
	t := b.tallies[rate]
	return t != nil && max(t.pass, t.fail) >= b.cfg.majority()
}

// ends are the rates to search between; 0 stands for none. A rate whose runs
// are void bounds the search like one that fails, and a rate with too few requests
// like one that passes, though neither is an end of the knee's bracket.
func (b *bracket) ends() (lower, upper float64) {
	for rate, t := range b.tallies {
		if (t.ruling == Fail || t.ruling == Void) && (upper == 0 || rate < upper) {
			upper = rate
		}
	}
	for rate, t := range b.tallies {
		if (t.ruling == Pass || t.ruling == TooFew) && (upper == 0 || rate < upper) {
			lower = max(lower, rate)
		}
	}
	return lower, upper
}

// known returns the ends that say something about the server.
func (b *bracket) known() (lastPass, firstFail float64) {
	lower, _ := b.ends()
	if b.ruling(lower) == Pass {
		lastPass = lower
	}
	for rate, t := range b.tallies {
		if t.ruling == Fail && (firstFail == 0 || rate < firstFail) {
			firstFail = rate
		}
	}
	return lastPass, firstFail
}

// next returns the rate to offer next, or false when nothing is left to find out.
func (b *bracket) next() (float64, bool) {
	lower, upper := b.ends()
	switch {
	case lower == 0 && upper == 0:
		return b.cfg.From, true
	case upper == 0 && lower < b.cfg.Max:
		return min(2*lower, b.cfg.Max), true
	case lower == 0 && upper > lowest:
		return max(upper/2, lowest), true
	case lower > 0 && upper > lower*(1+b.cfg.Precision):
		return middle(lower, upper), true
	}
	// The upper end first: disturbances make runs slow rather than fast, so that it
	// is the one more often contradicted, and then the lower end moves anyhow.
	for _, end := range [...]float64{upper, lower} {
		r := b.ruling(end)
		if (r == Pass || r == Fail) && !b.confirmed(end) {
			return end, true
		}
	}
	return 0, false
}

// middle is the geometric mean with four digits, which lies strictly between
// rates that differ by minPrecision.
func middle(lower, upper float64) float64 {
	text := strconv.FormatFloat(math.Sqrt(lower*upper), 'e', 3, 64)
	rate, _ := strconv.ParseFloat(text, 64) // reads what was just written
	return rate
}

// EstimateRuns returns how many runs a search takes if every run tells the truth
// and none is void: the fewest and the most for any knee up to the highest rate.
// Contradictions and void runs add to that, up to MaxRuns.
func EstimateRuns(cfg Config) (fewest, most int, err error) {
	if cfg, err = cfg.complete(); err != nil {
		return 0, 0, err
	}
	fewest = MaxRuns
	// Steps finer than a doubling, so that each of the ramp's is met.
	for knee := lowest / 1.1; knee <= cfg.Max*1.1; knee *= 1.1 {
		n := runsFor(cfg, knee)
		fewest, most = min(fewest, n), max(most, n)
	}
	return fewest, most, nil
}

func runsFor(cfg Config, knee float64) int {
	b := newBracket(cfg)
	for n := range MaxRuns {
		rate, more := b.next()
		if !more {
			return n
		}
		if rate <= knee {
			b.add(rate, Pass)
		} else {
			b.add(rate, Fail)
		}
	}
	return MaxRuns
}
