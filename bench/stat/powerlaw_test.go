package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestFitPowerLawRecoversExponent(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(31, 7))
	const repetitions, exponent = 200, 0.97
	covered := 0
	for range repetitions {
		var blocks [][]Point
		for range 10 {
			level := math.Exp(0.1 * rng.NormFloat64()) // a block's machine is faster or slower as a whole
			var block []Point
			for _, x := range []float64{1e4, 1e5, 1e6} {
				block = append(block, Point{x, 200 * level * math.Pow(x, exponent) * math.Exp(0.05*rng.NormFloat64())})
			}
			blocks = append(blocks, block)
		}
		law, err := FitPowerLaw(blocks)
		if err != nil || math.Abs(law.Exponent-exponent) > 0.05 || law.Blocks != 10 {
			t.Fatalf("fit %+v, %v; planted %v", law, err, exponent)
		}
		if law.Low <= exponent && exponent <= law.High {
			covered++
		}
	}
	// 190 are expected; four standard deviations are 12.
	if covered < 178 {
		t.Errorf("%d of %d intervals cover the planted exponent", covered, repetitions)
	}
}

func TestFitPowerLawByHand(t *testing.T) {
	// One block of real medians; slope and factor are scipy 1.10's linregress on the
	// logarithms.
	block := []Point{{1000, 443e3}, {1e4, 2.28e6}, {1e5, 20.9e6}, {1e6, 2.0e8}}
	law, err := FitPowerLaw([][]Point{block})
	if err != nil || math.Abs(law.Exponent-0.8926090247433335) > near || math.Abs(law.Factor/775.6005393338328-1) > near || law.Level != 0 {
		t.Errorf("fit %+v, %v", law, err)
	}
	if y := law.At(1e5); math.Abs(math.Log(y/20.9e6)) > 0.3 {
		t.Errorf("the line passes 100,000 at %v", y)
	}
	exact := make([][]Point, 6)
	for i := range exact {
		exact[i] = []Point{{10, 20}, {100, 200}, {1000, 2000}}
	}
	exact[5] = []Point{{10, 20}} // one size: no slope
	law, err = FitPowerLaw(append(exact, exact[0]))
	if err != nil || math.Abs(law.Exponent-1) > near || math.Abs(law.Low-1) > near || math.Abs(law.High-1) > near || law.Blocks != 6 || math.Abs(law.Factor-2) > near {
		t.Errorf("fit of y = 2x: %+v, %v", law, err)
	}
}

func TestFitPowerLawErrors(t *testing.T) {
	many := make([][]Point, MaxPairs+1)
	for i := range many {
		many[i] = []Point{{1, 1}, {2, 2}}
	}
	for _, tt := range []struct {
		name   string
		blocks [][]Point
		want   error
	}{
		{"none", nil, ErrOneSize},
		{"one size", [][]Point{{{7, 1}, {7, 2}}}, ErrOneSize},
		{"zero", [][]Point{{{0, 1}, {7, 2}}}, ErrNotPositive},
		{"NaN", [][]Point{{{1, 1}, {7, math.NaN()}}}, ErrNotPositive},
		{"too many", many, ErrTooManyPairs},
	} {
		if _, err := FitPowerLaw(tt.blocks); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
