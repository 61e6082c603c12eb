package main

import (
	"fmt"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Verdicts of a cell.
const (
	kept      = "kept"
	found     = "found" // what had to get lost got lost
	within    = "within the interval"
	broken    = "BROKEN"
	unseen    = "NOT SEEN" // nothing got lost where something had to
	noVerdict = "no verdict"
	notRun    = "not run"
)

// sum adds up the tries of a cell.
type sum struct {
	Accepted   int64 `json:"accepted"`
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	Phantom    int64 `json:"phantom"` // with those that were refused and stored
	Ambiguous  int64 `json:"ambiguous"`
	Recovered  int64 `json:"recovered"`
	Lossy      int   `json:"lossy"`     // tries that lost something
	Unstarted  int   `json:"unstarted"` // tries in which the server did not start again
	// LossBelow and TryBelow bound, with 95 % confidence, the share of accepted samples
	// that get lost and the probability that a try loses something.
	LossBelow   float64       `json:"loss_below"`
	TryBelow    float64       `json:"try_below"`
	LostSeconds float64       `json:"lost_seconds"` // the most
	Ready       time.Duration `json:"ready_ns"`     // the longest
}

func (s *sum) add(t trial.Toll) {
	s.Accepted += t.Accepted
	s.Lost += t.Lost
	s.Duplicated += t.Duplicated
	s.Phantom += t.Phantom + t.Zombie
	s.Ambiguous += t.Ambiguous
	s.Recovered += t.Recovered
	if t.Lost > 0 {
		s.Lossy++
	}
	if t.Restarted && t.Ready == 0 {
		s.Unstarted++
	}
	s.LostSeconds = max(s.LostSeconds, t.LostSeconds)
	s.Ready = max(s.Ready, t.Ready)
}

// judge sums up and compares with what is expected.
func (c *cell) judge() {
	c.Sum, c.Why = sum{}, nil
	void := 0
	for _, t := range c.Tries {
		c.Sum.add(t)
		if why := c.blame(t); len(why) > 0 {
			c.Why = append(c.Why, fmt.Sprintf("seed %d: %s", t.Seed, strings.Join(why, "; ")))
		}
		if len(t.Void) > 0 {
			void++
		}
	}
	c.Sum.LossBelow = stat.UpperBound(int(c.Sum.Lost), int(c.Sum.Accepted))
	c.Sum.TryBelow = stat.UpperBound(c.Sum.Lossy, len(c.Tries))
	switch {
	case len(c.Tries) == 0:
		c.Verdict = notRun
	case c.Expects == loses && c.Sum.Lossy+c.Sum.Unstarted > 0:
		c.Verdict = found
	case c.Expects == loses:
		c.Verdict = unseen
	case len(c.Why) > 0:
		c.Verdict = broken
	case 2*void > len(c.Tries):
		c.Verdict = noVerdict
		for _, t := range c.Tries {
			c.Why = append(c.Why, t.Void...)
		}
	case c.Expects == bound:
		c.Verdict = within
	default:
		c.Verdict = kept
	}
}

// blame says how a try broke a promise. Where something has to get lost nothing is
// promised.
func (c *cell) blame(t trial.Toll) []string {
	if c.Expects == loses {
		return nil
	}
	why := append([]string{}, t.Broken...)
	add := func(n int64, what string) {
		if n > 0 {
			why = append(why, fmt.Sprintf("%d samples %s", n, what))
		}
	}
	if c.Expects == keeps {
		add(t.Lost, "were accepted and are lost")
	} else if most := (interval + intervalSlack).Seconds(); t.LostSeconds > most {
		why = append(why, fmt.Sprintf("%d samples are lost, %.3f s of the load", t.Lost, t.LostSeconds))
	}
	add(t.Duplicated, "are stored twice")
	add(t.Phantom, "are stored and were never sent")
	add(t.Zombie, "are stored and were refused")
	if c.tells && t.Said["degraded"] == 0 {
		why = append(why, fmt.Sprintf("health never said degraded but %v", t.Said))
	}
	return why
}
