package plot

import (
	"math"
	"strconv"
)

// TailX places a quantile on the axis of Tail: 1 ÷ (1 − q), which gives every further
// nine of a percentile the same room.
func TailX(quantile float64) float64 { return 1 / (1 - quantile) }

// Tail is an x axis for percentile curves that stretches the tail: 50 %, 90 %,
// 99 %, 99.9 % and so on stand at equal distances but the first. It ends at the quantile
// given; further out there are too few observations.
func Tail(last float64) Axis {
	a := Axis{Title: "percentile", Log: true, Min: 1, Max: TailX(last), Format: tailLabel, Ticks: []float64{1, 2}}
	for nines := 10.0; nines <= a.Max*1.0001; nines *= 10 {
		a.Ticks = append(a.Ticks, nines)
	}
	return a
}

func tailLabel(x float64) string {
	percent := 100 * (1 - 1/x)
	digits := max(0, int(math.Round(math.Log10(x)))-2)
	return strconv.FormatFloat(percent, 'f', digits, 64)
}
