// Package schedule says when requests are due. A schedule is data: a pure
// function from a request's number to its intended start, which nothing that
// happens during a run can move. It keeps no queue of what is due either, since
// any intended start can be computed again.
//
// A Plan has a constant rate or phases, read by ParseRate and ParseProfile, and
// an arrival model; New makes a Schedule of it. With Λ(t) the requests that the
// rate amounts to until t,
//
//   - uniform arrivals have request i due where Λ(t) = i;
//   - Poisson arrivals are those of a Poisson process of that rate, drawn from a
//     seed: what many clients do who know nothing of each other.
//
// Schedules are safe for concurrent use. Their memory does not grow with the
// number of requests, and Due does not allocate.
package schedule

import (
	"fmt"
	"time"
)

// Schedule says when each request of the open model is due.
type Schedule interface {
	// Due returns the intended start of request i ≥ 0, counted from 0, as an offset
	// from the start of the run. It never decreases with i. Beyond Len it goes on
	// with the same law up to the planned time, at which all further requests are
	// due; a Constant goes on for ever.
	Due(i int64) time.Duration
	// Len is the number of requests, at least 1.
	Len() int64
}

// Arrivals names an arrival model.
type Arrivals string

// The arrival models.
const (
	Uniform Arrivals = "uniform" // at the distances that the rate says
	Poisson Arrivals = "poisson" // at random, independent of each other
)

// Plan describes a schedule.
type Plan struct {
	// Phases are the rates one after the other, if there are any.
	Phases []Phase
	// Rate is the constant rate where there are no phases, requests per second,
	// MinRate to MaxRate.
	Rate float64
	// Duration is the planned time of a constant rate; phases bring their own,
	// which it cuts. Zero does not bound.
	Duration time.Duration
	// Limit is the most requests; zero does not bound. A constant rate needs a
	// Duration or a Limit.
	Limit int64

	Arrivals Arrivals // empty means Uniform
	Seed     uint64   // of Poisson arrivals
}

// New returns the plan's schedule, the same one for the same plan. Every schedule
// has a request: Poisson arrivals that chance left without one, as it does in a
// share e^−m of schedules that expect m, get one at a random time.
//
// Poisson arrivals with a Limit are the first ones of the process. With a constant
// rate and no Duration they are exactly Limit, in the random time until the
// arrival after them.
func New(p Plan) (Schedule, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	switch {
	case p.Arrivals == Poisson:
		return newPoisson(p), nil
	case len(p.Phases) > 0:
		return newUniform(p), nil
	default:
		return NewConstant(p.Rate, p.Duration, p.Limit)
	}
}

// longest is the most time that a Poisson schedule of constant rate may be
// expected to take: far from where a time.Duration ends, whatever is drawn.
const longest = 100 * 365 * 24 * time.Hour

func (p Plan) check() error {
	if p.Arrivals != "" && p.Arrivals != Uniform && p.Arrivals != Poisson {
		return fmt.Errorf("arrivals %.40q are neither %s nor %s", string(p.Arrivals), Uniform, Poisson)
	}
	if len(p.Phases) > 0 {
		return p.checkPhases()
	}
	if err := checkConstant(p.Rate, p.Duration, p.Limit); err != nil {
		return err
	}
	expected := p.Duration.Seconds()
	if p.Duration == 0 {
		expected = float64(p.Limit) / p.Rate
	}
	if p.Arrivals == Poisson && expected > longest.Seconds() {
		return fmt.Errorf("%s arrivals would take %.3g s, more than %.3g s", Poisson, expected, longest.Seconds())
	}
	return nil
}

func (p Plan) checkPhases() error {
	if p.Duration < 0 || p.Limit < 0 {
		return fmt.Errorf("duration %v or limit %d of a profile is below 0", p.Duration, p.Limit)
	}
	if err := checkProfile(p.Phases); err != nil {
		return err
	}
	if requests(p.phases()) == 0 {
		return fmt.Errorf("profile has no rate above 0 within its first %v", p.Duration)
	}
	return nil
}

// phases are those within the planned time, the last one cut where that ends.
func (p Plan) phases() []Phase {
	if len(p.Phases) == 0 {
		return []Phase{{Duration: p.Duration, From: p.Rate, To: p.Rate}}
	}
	if p.Duration == 0 {
		return p.Phases
	}
	return cut(p.Phases, p.Duration)
}

// MeanRate returns the planned mean rate in requests per second. Of a valid plan
// it is above 0 and at most MaxRate.
func (p Plan) MeanRate() float64 {
	phases := p.phases()
	if d := total(phases); d > 0 {
		return requests(phases) / d.Seconds()
	}
	return p.Rate
}

// OfferedRate returns the mean rate of what s really offers, in requests per
// second: Len over the time that Due gives for it. For Poisson arrivals it depends
// on the seed, for others it is the plan's up to rounding and the last fraction of
// a request.
func OfferedRate(s Schedule) float64 {
	return float64(s.Len()) / s.Due(s.Len()).Seconds()
}
