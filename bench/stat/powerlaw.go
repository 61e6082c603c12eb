package stat

import (
	"errors"
	"fmt"
	"math"
)

// ErrOneSize is returned by FitPowerLaw when no block has two sizes to compare.
var ErrOneSize = errors.New("a power law needs two different sizes")

// Point is one trial's figure y at size x.
type Point struct{ X, Y float64 }

// PowerLaw is y = Factor·x^Exponent.
type PowerLaw struct {
	Exponent float64 `json:"exponent"`
	// Low and High bound the exponent with confidence Level, which is 0, and so are
	// they, with fewer than MinPairs blocks.
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"`
	// Factor is y at x = 1, far outside of what was measured as a rule: it places the
	// line of a plot and says nothing else.
	Factor float64 `json:"factor"`
	// Blocks counts those with two sizes or more.
	Blocks int `json:"blocks"`
}

// FitPowerLaw fits a straight line to the logarithms of each block by least squares.
// The exponent is the Hodges–Lehmann estimate over the blocks' slopes, with the
// interval that inverts the signed-rank test: blocks are the unit of replication, as
// everywhere here, and with six to twenty of them a bootstrap's interval is too narrow.
// A fixed cost per request flattens the line at small sizes; leave those out where the
// exponent of the growth is asked for. The error wraps ErrNotPositive, ErrTooManyPairs
// or ErrOneSize.
func FitPowerLaw(blocks [][]Point) (PowerLaw, error) {
	var slopes []float64
	var points, sumX, sumY float64
	for i, block := range blocks {
		for _, p := range block {
			if err := checkPositive([]float64{p.X, p.Y}); err != nil {
				return PowerLaw{}, fmt.Errorf("fit power law: block %d: %w", i+1, err)
			}
			points, sumX, sumY = points+1, sumX+math.Log(p.X), sumY+math.Log(p.Y)
		}
		if slope, ok := slopeOf(block); ok {
			slopes = append(slopes, slope)
		}
	}
	switch {
	case len(slopes) == 0:
		return PowerLaw{}, fmt.Errorf("fit power law: %w", ErrOneSize)
	case len(slopes) > MaxPairs:
		return PowerLaw{}, fmt.Errorf("fit power law: %w: %d blocks, at most %d", ErrTooManyPairs, len(slopes), MaxPairs)
	}
	walsh := appendWalsh(nil, slopes)
	law := PowerLaw{Exponent: middle(walsh), Blocks: len(slopes)}
	if k, level, ok := margin(len(slopes), alpha); ok {
		law.Low, law.High, law.Level = walsh[k], walsh[len(walsh)-1-k], level
	}
	// The line goes through the middle of all points.
	law.Factor = math.Exp((sumY - law.Exponent*sumX) / points)
	return law, nil
}

// At returns the fitted y at size x.
func (l PowerLaw) At(x float64) float64 { return l.Factor * math.Pow(x, l.Exponent) }

// slopeOf is the least-squares slope of ln y on ln x; it reports false where all x are
// the same.
func slopeOf(points []Point) (slope float64, ok bool) {
	var meanX, meanY, xx, xy float64
	n := float64(len(points))
	for _, p := range points {
		meanX, meanY = meanX+math.Log(p.X)/n, meanY+math.Log(p.Y)/n
	}
	for _, p := range points {
		dx := math.Log(p.X) - meanX
		xx, xy = xx+dx*dx, xy+dx*(math.Log(p.Y)-meanY)
	}
	// Rounding leaves a trace of the same x; sizes that differ by a millionth are the same too.
	if xx < 1e-12*n {
		return 0, false
	}
	return xy / xx, true
}
