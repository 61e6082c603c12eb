package schedule

import (
	"fmt"
	"math"
	"time"
)

// Constant offers requests at equal distances, the first one at once.
type Constant struct {
	rate float64
	n    int64
}

// NewConstant returns a schedule of rate requests per second that are due before
// the duration d has passed, and at most limit of them. A zero d or limit does
// not bound; one of the two must.
func NewConstant(rate float64, d time.Duration, limit int64) (Constant, error) {
	if err := checkConstant(rate, d, limit); err != nil {
		return Constant{}, err
	}
	c := Constant{rate: rate, n: limit}
	if d > 0 {
		// The smallest difference keeps 0.3 s at 10 rps, computed as
		// 3.0000000000000004, from being four requests.
		due := int64(math.Ceil(rate*d.Seconds() - 1e-6))
		if limit == 0 || due < limit {
			c.n = max(due, 1)
		}
	}
	return c, nil
}

func checkConstant(rate float64, d time.Duration, limit int64) error {
	if !inRange(rate) {
		return fmt.Errorf("rate %v is outside %v to %d requests per second", rate, MinRate, MaxRate)
	}
	if d < 0 || limit < 0 || d == 0 && limit == 0 {
		return fmt.Errorf("a schedule needs a duration or a number of requests above 0")
	}
	return nil
}

// Due implements Schedule.
func (c Constant) Due(i int64) time.Duration {
	return time.Duration(float64(i) / c.rate * float64(time.Second))
}

// Len implements Schedule.
func (c Constant) Len() int64 { return c.n }
