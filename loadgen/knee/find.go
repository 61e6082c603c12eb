package knee

import (
	"context"
	"fmt"

	"phase0/loadgen/record"
	"phase0/loadgen/slo"
)

// search is one call of Find.
type search struct {
	*bracket
	measure Measure
	points  []Point
}

// Find searches for the knee. The end of the context ends the search, which is
// not an error: the knee says that it was interrupted and has what was seen. When
// a run cannot be carried out, its error is returned, wrapped, beside what was
// seen before. A Config out of range is an error too.
func Find(ctx context.Context, cfg Config, measure Measure) (Knee, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return Knee{}, err
	}
	s := &search{bracket: newBracket(cfg), measure: measure, points: []Point{}}
	limitedBy, err := s.run(ctx)
	return s.knee(limitedBy), err
}

// run returns what ended the search.
func (s *search) run(ctx context.Context) (limitedBy string, err error) {
	for {
		rate, more := s.next()
		switch {
		case !more:
			return s.limit(), nil
		case ctx.Err() != nil:
			return byInterrupted, nil
		case len(s.points) == MaxRuns:
			return byRuns, nil
		}
		seed := s.cfg.Seed + uint64(len(s.points))
		res, err := s.measure(ctx, rate, seed)
		switch {
		case err != nil && ctx.Err() != nil:
			return byInterrupted, nil
		case err != nil:
			return byError, fmt.Errorf("measure at %s rps: %w", figure(rate), err)
		}
		s.take(rate, seed, res)
		if res.Interrupted {
			return byInterrupted, nil
		}
	}
}

// take judges a run and keeps it.
func (s *search) take(rate float64, seed uint64, res record.Result) {
	p := point(rate, res)
	p.Run, p.Seed = len(s.points)+1, seed
	if res.Interrupted {
		p.Ruling, p.Reason = Void, "the run was interrupted"
	} else {
		p.Ruling, p.Reason = judge(s.cfg.Objectives, rate, res)
		p.Vote = s.add(rate, p.Ruling)
	}
	s.points = append(s.points, p)
	if s.cfg.Progress != nil {
		step := Step{Point: p}
		step.LastPass, step.FirstFail = s.known()
		s.cfg.Progress(step)
	}
}

// limit says why there is no bracket that is narrow enough, when the search is
// at its end, or nothing if there is one.
func (s *search) limit() string {
	lower, upper := s.ends()
	switch {
	case s.ruling(upper) == Void:
		return s.bottleneck(upper, Void)
	case s.ruling(lower) == TooFew:
		return byObservations
	case upper == 0:
		return byMax
	case lower == 0:
		return byLowest
	default:
		return ""
	}
}

func (s *search) knee(limitedBy string) Knee {
	k := Knee{
		LimitedBy:  limitedBy,
		Objectives: slo.Format(s.cfg.Objectives),
		Precision:  s.cfg.Precision,
		Runs:       len(s.points),
		Points:     s.points,
	}
	k.LastPass, k.FirstFail = s.known()
	k.Confirmed = s.allConfirmed(k)
	switch {
	case limitedBy == byGenerator || limitedBy == byMachine:
		k.Bottleneck = limitedBy
	case k.FirstFail > 0:
		k.Bottleneck = s.bottleneck(k.FirstFail, Fail)
	}
	return k
}

func (s *search) allConfirmed(k Knee) bool {
	switch k.LimitedBy {
	case byRuns, byInterrupted, byError:
		return false
	}
	return (k.LastPass > 0 || k.FirstFail > 0) &&
		(k.LastPass == 0 || s.confirmed(k.LastPass)) &&
		(k.FirstFail == 0 || s.confirmed(k.FirstFail))
}

// bottleneck is that of the last run at a rate with a ruling. When the run names
// none, its generator kept up and it is the server that missed an objective.
func (s *search) bottleneck(rate float64, r Ruling) string {
	for i := len(s.points) - 1; i >= 0; i-- {
		if p := s.points[i]; p.Rate == rate && p.Ruling == r && p.Bottleneck != "" {
			return p.Bottleneck
		}
	}
	return "server"
}
