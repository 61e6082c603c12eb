package slo

import (
	"math"
	"strconv"
	"time"

	"phase0/loadgen/record"
)

// Seen returns the value as text: "12.3ms", "≥ 5s", "0.04%", or "n/a".
func (r Row) Seen() string {
	switch {
	case r.State == Unknown && !r.AtLeast:
		return "n/a"
	case r.Unit == Share:
		return Percent(r.Value)
	default:
		return Cell(record.Percentile{NS: int64(r.Value), AtLeast: r.AtLeast})
	}
}

// Cell prints a percentile with three significant digits: "12.3ms", "≥ 5s" for
// a lower bound, or "n/a".
func Cell(p record.Percentile) string {
	switch {
	case p.Unavailable != "":
		return "n/a"
	case p.AtLeast:
		return "≥ " + threeDigits(p.NS)
	default:
		return threeDigits(p.NS)
	}
}

func threeDigits(ns int64) string {
	unit := time.Duration(1)
	for d := time.Duration(ns); d >= 1000; d /= 10 {
		unit *= 10
	}
	return time.Duration(ns).Round(unit).String()
}

// Percent prints a share with as many digits as tell 99.95 % from 100 %.
func Percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e8)/1e6, 'g', 6, 64) + "%"
}
