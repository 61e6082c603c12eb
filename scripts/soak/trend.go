package main

import (
	"fmt"
	"math"
	"slices"
)

// leastLives is how many lives an interval needs.
const leastLives = 4

// allowedGrowth is the share of the level by which a resource may grow in a minute of a
// life, and from life to life.
const allowedGrowth = 0.1

// student is the 97.5 % quantile of Student's t distribution by degrees of freedom; for
// more than 30 it is close to the last.
var student = [...]float64{
	math.Inf(1), 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
	2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
}

// estimate is a mean or slope with its 95 % interval.
type estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func around(value, standardError float64, freedom int) estimate {
	margin := student[min(max(freedom, 0), len(student)-1)] * standardError
	return estimate{Value: value, Low: value - margin, High: value + margin}
}

// meanOf is the mean of independent values.
func meanOf(values []float64) estimate {
	n := float64(len(values))
	if n < 2 {
		return estimate{Low: math.Inf(-1), High: math.Inf(1)}
	}
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	for _, v := range values {
		squares += (v - sum/n) * (v - sum/n)
	}
	return around(sum/n, math.Sqrt(squares/(n-1)/n), len(values)-1)
}

// slopeOf is the least-squares slope of y over x.
func slopeOf(x, y []float64) estimate {
	n := float64(len(x))
	if n < 3 {
		return estimate{Low: math.Inf(-1), High: math.Inf(1)}
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
		return estimate{Low: math.Inf(-1), High: math.Inf(1)}
	}
	slope := sxy / sxx
	for i := range x {
		off := y[i] - my - slope*(x[i]-mx)
		rest += off * off
	}
	return around(slope, math.Sqrt(rest/(n-2)/sxx), len(x)-2)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// trend is what became of a resource.
type trend struct {
	Resource string    `json:"resource"`
	Level    float64   `json:"level"`   // median of all lives
	Within   estimate  `json:"within"`  // growth in a minute of a life
	Between  estimate  `json:"between"` // growth of the level from life to life
	Lives    int       `json:"lives"`   // that were long enough
	Verdict  string    `json:"verdict"` // flat, GROWING or no verdict
	Levels   []float64 `json:"levels"`  // by life
	Slopes   []float64 `json:"slopes"`  // by life, in a minute
}

const (
	flat      = "flat"
	growing   = "GROWING"
	noVerdict = "no verdict"
)

// judge finds out how a resource went over the lives.
func judge(resource string, slopes, levels []float64) trend {
	t := trend{Resource: resource, Level: median(levels), Lives: len(levels), Levels: levels, Slopes: slopes, Verdict: flat}
	if len(levels) < leastLives {
		t.Verdict = noVerdict
		return t
	}
	var lives []float64
	for i := range levels {
		lives = append(lives, float64(i))
	}
	t.Within, t.Between = meanOf(slopes), slopeOf(lives, levels)
	for _, e := range []estimate{t.Within, t.Between} {
		switch allowed := allowedGrowth * t.Level; {
		case e.Low > 0 && e.Value > allowed:
			t.Verdict = growing
			return t
		case e.High > allowed:
			t.Verdict = noVerdict // the interval is too wide to exclude growth
		}
	}
	return t
}

func (t trend) String() string {
	if t.Lives < leastLives {
		return fmt.Sprintf("%s: no verdict: %d lives, %d are needed", t.Resource, t.Lives, leastLives)
	}
	return fmt.Sprintf("%s: %s: level %.4g, a minute %+.3g [%+.3g, %+.3g], from life to life %+.3g [%+.3g, %+.3g]", t.Resource, t.Verdict, t.Level,
		t.Within.Value, t.Within.Low, t.Within.High, t.Between.Value, t.Between.Low, t.Between.High)
}
