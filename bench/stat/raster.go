package stat

import (
	"math"
	"slices"
)

// Raster is what delays say about an engine that looks at fixed moments, a width
// apart: each delay should be the wait for the next look, uniform from 0 to the width,
// and what follows it, between 0 and a latency that is known beforehand.
type Raster struct {
	// Lag estimates what follows a look: the mean delay less half the width.
	Lag float64 `json:"lag"`
	// LagError is three standard deviations of Lag, from where the looks happened to
	// fall.
	LagError float64 `json:"lag_error"`
	// Early and Late are the largest steps by which the distribution of the delays
	// leaves the two that are possible: no latency at all, and always the longest.
	Early float64 `json:"early"`
	Late  float64 `json:"late"`
	// Limit is what each of them may be.
	Limit float64 `json:"limit"`
	// Latency is the longest that may follow a look.
	Latency float64 `json:"latency"`
}

// FitRaster compares delays with a raster. In every trial one event fell into each of
// strata equal parts of the raster's width, at random inside it; delays may be pooled
// from several trials. All are in one unit.
//
// The waits of such events cannot leave the straight line by more than two parts: one
// for where an event lies in its own, one for the part that a look cuts in two. So the
// limit is certain and not a matter of chance. For independent events it would be
// several times wider, and an engine would have to be far off to exceed it.
func FitRaster(delays []float64, width, latency float64, strata int) Raster {
	if len(delays) == 0 || width <= 0 || strata < 1 {
		return Raster{}
	}
	n, parts := float64(len(delays)), float64(strata)
	r := Raster{Lag: mean(delays) - width/2, Limit: 2 / parts, Latency: latency}
	for i, d := range slices.Sorted(slices.Values(delays)) {
		r.Early = max(r.Early, float64(i+1)/n-clip(d/width))
		r.Late = max(r.Late, clip((d-latency)/width)-float64(i)/n)
	}
	// One part of every trial is cut in two by a look: its wait is either nearly 0 or
	// nearly the width, with a variance of width²/6 on average over the place of the
	// cut. All others vary by no more than their part.
	trials := max(1, n/parts)
	r.LagError = 3 * width / parts * math.Sqrt((1.0/6+1/(12*parts))/trials)
	return r
}

func clip(share float64) float64 { return min(1, max(0, share)) }

// Compatible reports whether the delays are those of the raster.
func (r Raster) Compatible() bool {
	return r.Limit > 0 && r.Early <= r.Limit && r.Late <= r.Limit && r.Lag >= -r.LagError && r.Lag <= r.Latency+r.LagError
}
