package lab

import (
	"fmt"
	"math"
)

// student is the 97.5 % quantile of Student's t distribution by degrees of freedom; for
// more than 30 it is close to the last.
var student = [...]float64{
	math.Inf(1), 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
	2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
}

// Estimate is a mean or slope with its 95 % interval.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// String prints the value and, in brackets, the interval.
func (e Estimate) String() string { return fmt.Sprintf("%+.3g [%+.3g, %+.3g]", e.Value, e.Low, e.High) }

func around(value, standardError float64, freedom int) Estimate {
	margin := student[min(max(freedom, 0), len(student)-1)] * standardError
	return Estimate{Value: value, Low: value - margin, High: value + margin}
}

// anything is what is known without values to tell.
func anything() Estimate { return Estimate{Low: math.Inf(-1), High: math.Inf(1)} }

// SlopeOf is the least-squares slope of y over x. Of fewer than three points it may be
// anything.
func SlopeOf(x, y []float64) Estimate {
	n := float64(len(x))
	if n < 3 {
		return anything()
	}
	var mx, my, sxx, sxy, rest float64
	for i := range x {
		mx += x[i] / n
		my += y[i] / n
	}
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	if sxx == 0 {
		return anything()
	}
	slope := sxy / sxx
	for i := range x {
		off := y[i] - my - slope*(x[i]-mx)
		rest += off * off
	}
	return around(slope, math.Sqrt(rest/(n-2)/sxx), len(x)-2)
}
