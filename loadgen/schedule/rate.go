package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The range of rates, in requests per second.
const (
	MinRate = 0.01
	MaxRate = 1_000_000
)

// inRange is false of NaN.
func inRange(rate float64) bool { return rate >= MinRate && rate <= MaxRate }

// ParseRate reads a rate: a decimal number, which may have a fraction and an
// exponent, then k or M for thousands or millions, then /s, /m or /h for per
// second, minute or hour; all but the number may be left out, which means ones
// per second. The result is in requests per second, MinRate to MaxRate.
func ParseRate(s string) (float64, error) {
	rate, err := perSecond(s)
	if err != nil {
		return 0, fmt.Errorf("rate %.40q is %w: must be %v to %d requests per second, such as %s",
			s, err, MinRate, MaxRate, rateExamples)
	}
	if !inRange(rate) {
		return 0, fmt.Errorf("rate %.40q is %.6g requests per second: must be %v to %d", s, rate, MinRate, MaxRate)
	}
	return rate, nil
}

const rateExamples = "200, 1.5k, 50/s or 3000/m"

var errNumber = errors.New("not a decimal number with k or M and /s, /m or /h after it")

// perSecond reads a rate of any size from 0.
func perSecond(s string) (float64, error) {
	number, seconds := cutUnit(s)
	number, factor := cutFactor(number)
	// ParseFloat would also read names, signs, hexadecimal digits and underscores.
	if strings.Trim(number, "0123456789.eE+-") != "" || strings.IndexAny(number, "0123456789.") != 0 {
		return 0, errNumber
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, errNumber
	}
	return v * factor / seconds, nil
}

func cutUnit(s string) (number string, seconds float64) {
	if number, ok := strings.CutSuffix(s, "/h"); ok {
		return number, 3600
	}
	if number, ok := strings.CutSuffix(s, "/m"); ok {
		return number, 60
	}
	return strings.TrimSuffix(s, "/s"), 1
}

func cutFactor(s string) (number string, factor float64) {
	if number, ok := strings.CutSuffix(s, "M"); ok {
		return number, 1e6
	}
	if number, ok := strings.CutSuffix(s, "k"); ok {
		return number, 1e3
	}
	return s, 1
}
