package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// rasterDelays simulates trials of a polling engine: a raster with a random offset,
// one breach in every part of its width, a queue that is looked at every queuePoll, and
// an evaluation with delivery of 5 to 25 ms. All in seconds.
func rasterDelays(rng *rand.Rand, width, queuePoll float64, strata, trials int) []float64 {
	var delays []float64
	for range trials {
		look, poll := rng.Float64()*width, rng.Float64()*queuePoll
		for i := range strata {
			at := (float64(i) + rng.Float64()) / float64(strata) * width
			stored := at
			if queuePoll > 0 {
				stored += math.Mod(poll-at+100*queuePoll, queuePoll)
			}
			wait := math.Mod(look-stored+100*width, width)
			delays = append(delays, stored-at+wait+0.005+0.02*rng.Float64())
		}
	}
	return delays
}

func TestRasterAcceptsPolling(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 1))
	rejected := 0
	const repetitions = 300
	for i := range repetitions {
		width, trials := []float64{10, 1}[i%2], 1+i%3
		delays := rasterDelays(rng, width, 0.1, 40, trials)
		if r := FitRaster(delays, width, 0.15, 40); !r.Compatible() {
			rejected++
			t.Logf("width %v, %d trials: %+v", width, trials, r)
		}
	}
	// Early and Late are certain; Lag may leave three standard deviations by chance.
	if rejected > 3 {
		t.Errorf("%d of %d polling engines were rejected", rejected, repetitions)
	}
}

func TestRasterRejects(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 2))
	for _, width := range []float64{10, 1} {
		good := rasterDelays(rng, width, 0.1, 40, 3)
		change := func(f func(i int, d float64) float64) []float64 {
			out := make([]float64, len(good))
			for i, d := range good {
				out[i] = f(i, d)
			}
			return out
		}
		for name, delays := range map[string][]float64{
			"at once":             change(func(int, float64) float64 { return 0.005 }),
			"all late":            change(func(_ int, d float64) float64 { return d + 0.4 }),
			"every second late":   change(func(i int, d float64) float64 { return d + 0.3*width*float64(i%2) }),
			"a raster twice that": change(func(_ int, d float64) float64 { return 2 * d }),
			"half the raster":     change(func(_ int, d float64) float64 { return d / 2 }),
			"none":                nil,
		} {
			if r := FitRaster(delays, width, 0.15, 40); r.Compatible() {
				t.Errorf("width %v, %s: %+v is called compatible", width, name, r)
			}
		}
	}
}

func TestRasterLagIsTheEvaluation(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 3))
	const trials = 50
	r := FitRaster(rasterDelays(rng, 1, 0, 40, trials), 1, 0.15, 40)
	if math.Abs(r.Lag-0.015) > 0.005 || r.LagError > 0.006 {
		t.Errorf("lag %v ± %v, planted 0.015", r.Lag, r.LagError)
	}
	outside := 0
	for range 200 {
		if r := FitRaster(rasterDelays(rng, 10, 0, 40, 1), 10, 0.15, 40); math.Abs(r.Lag-0.015) > r.LagError {
			outside++
		}
	}
	if outside > 4 {
		t.Errorf("%d of 200 lags are more than their error off", outside)
	}
}
