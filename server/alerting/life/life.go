// Package life is the life of an alert: inactive → pending → firing → resolved. It knows no
// clock and tells nobody; engines step it and tell what it returns. Times are Unix
// nanoseconds.
package life

import "phase0/server/alerting/rule"

// Phase is where an alert is in its life.
type Phase uint8

// Phases. A resolved alert is inactive again.
const (
	Inactive Phase = iota
	Pending
	Firing
)

// Event is what a step changed.
type Event uint8

// Events. Began and Ended are those of an alert that nobody was told of; an alert that
// begins to fire at once has only Fired.
const (
	None Event = iota
	Began
	Fired
	Ended
	Resolved
)

// Never is the time of what does not happen.
const Never = int64(1<<63 - 1)

// State of one alert. The zero value is inactive.
type State struct {
	Phase Phase
	// Since is when the rule was first found true, this time or, when inactive, the last.
	Since int64
	// gone is when the rule of a firing alert was first found not to be true, 0 when it is.
	gone int64
}

// Step takes note of whether the rule is true at a time.
func (s *State) Step(r *rule.Rule, now int64, truth bool) Event {
	if truth {
		return s.hold(r, now)
	}
	switch s.Phase {
	case Pending:
		s.Phase = Inactive
		return Ended
	case Firing:
		if s.gone == 0 {
			s.gone = now
		}
		if now-s.gone < r.KeepFiringFor.Nanoseconds() {
			return None
		}
		s.Phase, s.gone = Inactive, 0
		return Resolved
	}
	return None
}

func (s *State) hold(r *rule.Rule, now int64) Event {
	s.gone = 0
	event := None
	switch s.Phase {
	case Firing:
		return None
	case Inactive:
		// Two lives never begin at the same time: the beginning tells them apart.
		s.Phase, s.Since, event = Pending, max(now, s.Since+1), Began
	}
	if now-s.Since < r.For.Nanoseconds() && r.For > 0 {
		return event
	}
	s.Phase = Firing
	return Fired
}

// Next returns when time alone changes the state, if the rule stays as it is.
func (s *State) Next(r *rule.Rule) int64 {
	switch {
	case s.Phase == Pending:
		return s.Since + r.For.Nanoseconds()
	case s.Phase == Firing && s.gone != 0:
		return s.gone + r.KeepFiringFor.Nanoseconds()
	}
	return Never
}

// Rewind is told that the clock went back to now: what was to be waited for is waited for
// from now on, and not for as long as the clock went back as well.
func (s *State) Rewind(now int64) {
	if s.Phase == Pending {
		s.Since = min(s.Since, now)
	}
	s.gone = min(s.gone, now)
}
