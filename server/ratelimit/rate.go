package ratelimit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may happen.
type Rate struct {
	interval time.Duration
	text     string
}

// longestFill bounds how long an empty bucket takes to fill, and with it the numbers here.
const longestFill = 24 * time.Hour

// ParseRate reads 1000/s, 0.5/s, 90/m, 10/h.
func ParseRate(text string) (Rate, error) {
	number, unit, ok := strings.Cut(text, "/")
	period, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if !ok || !known || err != nil || strings.Trim(number, "0123456789.") != "" {
		return Rate{}, fmt.Errorf("%q is not a rate, such as 1000/s, 90/m or 10/h", text)
	}
	interval := float64(period) / n
	if !(interval >= 1 && interval <= float64(longestFill)) {
		return Rate{}, fmt.Errorf("rate %q is not between one a day and 1,000,000,000/s", text)
	}
	// Rounded up, so that the rate is never exceeded.
	return Rate{interval: time.Duration(math.Ceil(interval)), text: text}, nil
}

// String returns the rate as it was written.
func (r Rate) String() string { return r.text }

// DefaultBurst is what comes in a second, and at least one.
func (r Rate) DefaultBurst() int { return max(1, int(time.Second/r.interval)) }

func (r Rate) check(burst int) error {
	if most := int64(longestFill / r.interval); burst < 1 || int64(burst) > most {
		return fmt.Errorf("a burst of %d is not between 1 and %d, what %v gives in a day", burst, most, r)
	}
	return nil
}
