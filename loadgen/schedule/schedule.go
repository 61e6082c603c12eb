// Package schedule says when requests are due. A schedule is data: a pure
// function from a request's number to its intended start, which nothing that
// happens during a run can move. It keeps no queue of what is due either, since
// any intended start can be computed again.
//
// Schedules are safe for concurrent use.
package schedule

import (
	"fmt"
	"math"
	"time"
)

// The range of rates, in requests per second.
const (
	MinRate = 0.01
	MaxRate = 1_000_000
)

// Schedule says when each request of the open model is due.
type Schedule interface {
	// Due returns the intended start of request i, counted from 0, as an offset
	// from the start of the run. It never decreases with i. Beyond Len it goes on
	// with the same law.
	Due(i int64) time.Duration
	// Len is the number of requests.
	Len() int64
}

// Constant offers requests at equal distances, the first one at once.
type Constant struct {
	rate float64
	n    int64
}

// NewConstant returns a schedule of rate requests per second that are due before
// the duration d has passed, and at most limit of them. A zero d or limit does
// not bound; one of the two must.
func NewConstant(rate float64, d time.Duration, limit int64) (Constant, error) {
	if !(rate >= MinRate && rate <= MaxRate) {
		return Constant{}, fmt.Errorf("rate %v is outside %v to %d requests per second", rate, MinRate, MaxRate)
	}
	if d < 0 || limit < 0 || d == 0 && limit == 0 {
		return Constant{}, fmt.Errorf("a schedule needs a duration or a number of requests above 0")
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

// Due implements Schedule.
func (c Constant) Due(i int64) time.Duration {
	return time.Duration(float64(i) / c.rate * float64(time.Second))
}

// Len implements Schedule.
func (c Constant) Len() int64 { return c.n }
