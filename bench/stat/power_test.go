package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The tables of power.go against simulations of our own interval.
func TestPowerTables(t *testing.T) {
	t.Parallel()
	if len(halfWidths) != MaxPairs-MinPairs+1 || len(powerShifts) != len(halfWidths) {
		t.Fatalf("tables have %d and %d entries", len(halfWidths), len(powerShifts))
	}
	rng := rand.New(rand.NewPCG(20, 26))
	const sets = 4000
	for _, n := range []int{6, 10, 12, 20, 30} {
		k, _, _ := margin(n, alpha)
		d, walsh := make([]float64, n), []float64(nil)
		width, lows := 0.0, make([]float64, sets)
		for i := range lows {
			for j := range d {
				d[j] = rng.NormFloat64()
			}
			walsh = appendWalsh(walsh[:0], d)
			lows[i] = walsh[k]
			width += (walsh[len(walsh)-1-k] - walsh[k]) / 2 / sets
		}
		slices.Sort(lows)
		shift := -lows[int((1-Power)*sets)]
		if w := halfWidths[n-MinPairs]; math.Abs(width/w-1) > 0.03 {
			t.Errorf("%d pairs: half-width %.3f, table says %.3f", n, width, w)
		}
		if s := powerShifts[n-MinPairs]; math.Abs(shift/s-1) > 0.04 {
			t.Errorf("%d pairs: shift %.3f, table says %.3f", n, shift, s)
		}
	}
	// With six pairs the lower end is the smallest difference, so that the shift c
	// solves Φ(c)^6 = 0.8, which is 1.793.
	if math.Abs(powerShifts[0]-1.793) > 0.01 {
		t.Errorf("six pairs: shift %v, exactly 1.793", powerShifts[0])
	}
}

// What is called visible is found about as often as promised, by the verdicts
// themselves, as a gain and as a loss.
func TestVisibleIsSeen(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 8))
	const noise, n, repetitions = 0.012, 10, 1500
	spread := noise * math.Sqrt2 // a pair has the noise of two trials
	visible := Visible(spread, n, MinDelta)
	for ratio, want := range map[float64]Verdict{1 + visible: Faster, 1 / (1 + visible): Slower} {
		found := 0
		for range repetitions {
			a, b := plantedPairs(rng, n, ratio, noise)
			if v, _ := Judge(exactly(t, a, b), MinDelta); v == want {
				found++
			}
		}
		// 1,200 are expected; four standard deviations are 62.
		if found < 1138 || found > 1262 {
			t.Errorf("ratio %.3f was called %s in %d of %d, want about %.0f", ratio, want, found, repetitions, Power*repetitions)
		}
	}
}

func TestSpreadComesBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 4))
	const noise, repetitions = 0.02, 400
	for _, n := range []int{6, 12} {
		sum := 0.0
		for range repetitions {
			a, b := plantedPairs(rng, n, 1, noise)
			sum += exactly(t, a, b).Spread()
		}
		if got, want := sum/repetitions, noise*math.Sqrt2; math.Abs(got/want-1) > 0.05 {
			t.Errorf("%d pairs: mean spread %.4f, planted %.4f", n, got, want)
		}
	}
	if s := (Effect{Low: 0.9, High: 1.1, Level: 0.95, N: 40}).Spread(); s != 0 {
		t.Errorf("an effect without pairs has spread %v", s)
	}
}

// exactly is Compare without its bootstrap, which takes all the time.
func exactly(t *testing.T, a, b []float64) Effect {
	t.Helper()
	d, err := logRatios(a, b, HigherIsBetter)
	if err != nil {
		t.Fatal(err)
	}
	walsh := appendWalsh(nil, d)
	k, level, _ := margin(len(d), alpha)
	low, high := math.Exp(walsh[k]), math.Exp(walsh[len(walsh)-1-k])
	return Effect{Ratio: math.Exp(middle(walsh)), Low: low, High: high, BootLow: low, BootHigh: high, Level: level, HasP: true, N: len(d)}
}

func TestNothingIsVisibleOutsideTheTable(t *testing.T) {
	for _, n := range []int{MinPairs - 1, MaxPairs + 1} {
		if v := Visible(0.01, n, MinDelta); v != 0 {
			t.Errorf("%d pairs see %v", n, v)
		}
	}
}
