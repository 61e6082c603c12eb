package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestCompareMeans(t *testing.T) {
	var slow, fast []float64
	for i := range 40 {
		slow = append(slow, float64(i+1)/4)
		fast = append(fast, float64(i+1)/400)
	}
	e, err := CompareMeans([][]float64{slow}, [][]float64{fast}, LowerIsBetter, 5)
	if err != nil {
		t.Fatal(err)
	}
	// Drawn together, both arms' means go up and down together.
	if math.Abs(e.Ratio-100) > 1e-6 || math.Abs(e.Low-100) > 1e-6 || math.Abs(e.High-100) > 1e-6 || e.HasP || e.N != 40 {
		t.Errorf("effect %+v, want 100 and no p", e)
	}
	if v, _ := Judge(e, MinDelta); v != Faster {
		t.Errorf("verdict %v", v)
	}
	for _, tt := range []struct {
		name string
		a, b [][]float64
		want error
	}{
		{"missing arm", [][]float64{slow}, nil, ErrNoPairs},
		{"of different trials", [][]float64{slow, slow}, [][]float64{fast}, ErrUnpaired},
		{"of different lengths", [][]float64{slow}, [][]float64{fast[1:]}, ErrUnpaired},
		{"not positive", [][]float64{slow}, [][]float64{append([]float64{0}, fast[1:]...)}, ErrNotPositive},
	} {
		if _, err := CompareMeans(tt.a, tt.b, LowerIsBetter, 5); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if e, err := CompareMeans([][]float64{{1, 2}}, [][]float64{{2, 3}}, LowerIsBetter, 5); err != nil || e.HasInterval() {
		t.Errorf("two observations have an interval: %+v, %v", e, err)
	}
}

// Delays of a polling engine against those of one that does not wait: the interval holds
// the truth, and is as narrow as breaches that are spread evenly deserve.
func TestCompareMeansKnowsOfStrata(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(21, 1))
	const repetitions, n = 60, 200
	missed, width := 0, 0.0
	for range repetitions {
		var at []float64
		for range n {
			at = append(at, 0.003*(1+0.1*rng.NormFloat64()))
		}
		e, err := CompareMeans([][]float64{rasterDelays(rng, 10, 0, n, 1)}, [][]float64{at}, LowerIsBetter, 7)
		if err != nil {
			t.Fatal(err)
		}
		if truth := 5.015 / 0.003; e.Low > truth || e.High < truth {
			missed++
		}
		width += e.HalfWidth() / repetitions
	}
	// 3 of 60 are expected; 8 happen once in a hundred such tests. As if nobody had spread
	// them the half-width would be 1.96 × 2.89/5/√200 = 8 %.
	if missed > 8 || width > 0.03 {
		t.Errorf("%d of %d intervals miss the truth, half-width %.3f", missed, repetitions, width)
	}
}

func TestPercentilesByHand(t *testing.T) {
	var x []float64
	for i := range 400 {
		x = append(x, float64(i+1))
	}
	e := Percentiles([][]float64{x}, []Percentile{P50, P95, P99}, 3)
	if e[0].Value != 200 || e[1].Value != 380 || e[2].Value != 396 {
		t.Errorf("percentiles %+v", e)
	}
	for _, p := range e {
		if p.Level != 0.95 || p.Low > p.Value || p.High < p.Value {
			t.Errorf("interval %+v", p)
		}
	}
	if few := Percentiles([][]float64{x[:367]}, []Percentile{P99}, 3); few[0].Level != 0 || few[0].Value != 364 {
		t.Errorf("p99 of 367: %+v", few)
	}
	if none := Percentiles(nil, []Percentile{P50}, 3); none[0] != (Estimate{}) {
		t.Errorf("of nothing: %+v", none)
	}
}

// Independent observations: the interval of p95 holds the truth about as often as it says.
func TestPercentilesCover(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(22, 1))
	const repetitions = 60
	missed := 0
	for range repetitions {
		var x []float64
		for range 400 {
			x = append(x, rng.ExpFloat64())
		}
		if e := Percentiles([][]float64{x}, []Percentile{P95}, 3)[0]; e.Low > math.Log(20) || e.High < math.Log(20) {
			missed++
		}
	}
	if missed > 8 { // as above
		t.Errorf("%d of %d intervals miss the truth", missed, repetitions)
	}
}

// Trials that differ make the interval wide, however many observations they have.
func TestPercentilesKnowOfTrials(t *testing.T) {
	low, high := make([]float64, 400), make([]float64, 400)
	for i := range low {
		low[i], high[i] = 1+float64(i)/1e4, 3+float64(i)/1e4
	}
	if e := Percentiles([][]float64{low, high}, []Percentile{P50}, 3)[0]; e.Low > 1.1 || e.High < 3 {
		t.Errorf("two trials that differ: %+v", e)
	}
}
