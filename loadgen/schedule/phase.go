package schedule

import (
	"fmt"
	"strings"
	"time"
)

// Phase is a stretch of time in which the rate is constant or changes linearly.
type Phase struct {
	Duration time.Duration // above 0
	// From and To are the rates at its start and end in requests per second: 0, or
	// MinRate to MaxRate.
	From, To float64
}

// The bounds of a profile.
const (
	MaxPhases  = 1000
	MaxProfile = 24 * time.Hour // of all phases together
)

// ParseProfile reads phases that are separated by commas: DURATION@RATE holds a
// rate and DURATION@FROM..TO ramps it linearly, as in
// "10s@100,30s@100..5k,1m@5k". Durations have Go's form; rates have ParseRate's or
// are 0. One rate must be above 0. Errors name the phase, counted from 1.
func ParseProfile(s string) ([]Phase, error) {
	if n := strings.Count(s, ",") + 1; n > MaxPhases {
		return nil, fmt.Errorf("profile has %d phases: must be 1 to %d", n, MaxPhases)
	}
	var phases []Phase
	for text := range strings.SplitSeq(s, ",") {
		p, err := parsePhase(text)
		if err != nil {
			return nil, fmt.Errorf("phase %d, %.40q: %w", len(phases)+1, text, err)
		}
		phases = append(phases, p)
	}
	if err := checkProfile(phases); err != nil {
		return nil, err
	}
	return phases, nil
}

func parsePhase(s string) (Phase, error) {
	duration, rates, ok := strings.Cut(s, "@")
	if !ok {
		return Phase{}, fmt.Errorf("must be DURATION@RATE or DURATION@FROM..TO, such as 10s@100 or 30s@100..5k")
	}
	d, err := time.ParseDuration(duration)
	if err != nil {
		return Phase{}, fmt.Errorf("duration %.40q must be a number with a unit, such as 10s, 1m30s or 500ms", duration)
	}
	p := Phase{Duration: d}
	from, to, ramp := strings.Cut(rates, "..")
	if p.From, err = parseRateOrZero(from); err != nil {
		return Phase{}, err
	}
	p.To = p.From
	if ramp {
		if p.To, err = parseRateOrZero(to); err != nil {
			return Phase{}, err
		}
	}
	return p, p.check()
}

func parseRateOrZero(s string) (float64, error) {
	if rate, err := perSecond(s); err == nil && rate == 0 {
		return 0, nil
	}
	rate, err := ParseRate(s)
	if err != nil {
		return 0, fmt.Errorf("%w, or 0", err)
	}
	return rate, nil
}

func (p Phase) check() error {
	if p.Duration <= 0 || p.Duration > MaxProfile {
		return fmt.Errorf("duration %v must be above 0 and at most %v", p.Duration, MaxProfile)
	}
	for _, rate := range []float64{p.From, p.To} {
		if rate != 0 && !inRange(rate) {
			return fmt.Errorf("rate %v must be 0 or %v to %d requests per second", rate, MinRate, MaxRate)
		}
	}
	return nil
}

func checkProfile(phases []Phase) error {
	if n := len(phases); n < 1 || n > MaxPhases {
		return fmt.Errorf("profile has %d phases: must be 1 to %d", n, MaxPhases)
	}
	var end time.Duration
	for i, p := range phases {
		if err := p.check(); err != nil {
			return fmt.Errorf("phase %d: %w", i+1, err)
		}
		if end += p.Duration; end > MaxProfile {
			return fmt.Errorf("phase %d ends after %v: a profile lasts at most %v", i+1, end, MaxProfile)
		}
	}
	if requests(phases) == 0 {
		return fmt.Errorf("profile has no rate above 0")
	}
	return nil
}

// requests is what the phase's rate amounts to, rarely a whole number.
func (p Phase) requests() float64 { return (p.From + p.To) / 2 * p.Duration.Seconds() }

func requests(phases []Phase) float64 {
	var sum float64
	for _, p := range phases {
		sum += p.requests()
	}
	return sum
}

func total(phases []Phase) time.Duration {
	var sum time.Duration
	for _, p := range phases {
		sum += p.Duration
	}
	return sum
}

// cut returns what lies within the first d of the phases.
func cut(phases []Phase, d time.Duration) []Phase {
	var out []Phase
	for _, p := range phases {
		if p.Duration >= d {
			share := float64(d) / float64(p.Duration)
			return append(out, Phase{Duration: d, From: p.From, To: p.From + (p.To-p.From)*share})
		}
		out = append(out, p)
		d -= p.Duration
	}
	return out
}
