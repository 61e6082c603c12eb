package main

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Verdicts of a cell.
const (
	kept       = "kept"
	price      = "price" // what an in-memory queue costs at kill -9
	broken     = "BROKEN"
	noVerdict  = "no verdict"
	impossible = "not possible here"
	never      = "does not apply"
	notRun     = "not run"
)

// cell is a fault and an arm, with its tries.
type cell struct {
	Fault   string `json:"fault"`
	Title   string `json:"title"`
	Arm     string `json:"arm"`
	Durable bool   `json:"durable"`
	Planned int    `json:"planned"`
	// Impossible says why the machine does not allow the fault, Never why the arm
	// cannot feel it.
	Impossible string       `json:"impossible,omitempty"`
	Never      string       `json:"never,omitempty"`
	Tries      []trial.Toll `json:"tries"`

	Verdict string   `json:"verdict"`
	Why     []string `json:"why,omitempty"`
	Sum     sum      `json:"sum"`

	fault fault
	arm   arm
}

// sum adds up the tries of a cell.
type sum struct {
	Accepted   int64 `json:"accepted"`
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	Phantom    int64 `json:"phantom"` // with those that were refused and stored
	Ambiguous  int64 `json:"ambiguous"`
	Recovered  int64 `json:"recovered"`
	// Lossy is the number of tries that lost something.
	Lossy int `json:"lossy"`
	// LossBelow is what the share of accepted samples that get lost is below with 95 %
	// confidence, as far as these tries go: samples of one try are not independent.
	// TryBelow is the same for the probability that a try loses something.
	LossBelow float64 `json:"loss_below"`
	TryBelow  float64 `json:"try_below"`
	// LostSeconds and Ready are the largest of all tries.
	LostSeconds float64        `json:"lost_seconds"`
	Ready       time.Duration  `json:"ready_ns"`
	Restarted   int            `json:"restarted"`
	Said        map[string]int `json:"said,omitempty"`
}

// add counts a try.
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
	if t.Restarted {
		s.Restarted++
	}
	s.LostSeconds = max(s.LostSeconds, t.LostSeconds)
	s.Ready = max(s.Ready, t.Ready)
	for state, n := range t.Said {
		if s.Said == nil {
			s.Said = map[string]int{}
		}
		s.Said[state] += n
	}
}

// judge sums up and compares with what the arm promises.
func (c *cell) judge() {
	c.Sum, c.Why = sum{}, nil
	valid := 0
	for _, t := range c.Tries {
		c.Sum.add(t)
		c.blame(t)
		if len(t.Void) == 0 {
			valid++
		}
	}
	c.Sum.LossBelow = stat.UpperBound(int(c.Sum.Lost), int(c.Sum.Accepted))
	c.Sum.TryBelow = stat.UpperBound(c.Sum.Lossy, len(c.Tries))
	switch {
	case c.Impossible != "":
		c.Verdict, c.Why = impossible, []string{c.Impossible}
	case c.Never != "":
		c.Verdict, c.Why = never, []string{c.Never}
	case len(c.Why) > 0:
		c.Verdict = broken
	case len(c.Tries) == 0:
		c.Verdict = notRun
	case valid < len(c.Tries):
		c.Verdict = noVerdict
		for _, t := range c.Tries {
			c.Why = append(c.Why, t.Void...)
		}
	case c.Sum.Lost > 0:
		c.Verdict = price
	default:
		c.Verdict = kept
	}
}

// blame notes how a try broke a promise. Losing samples at kill -9 is none of a queue
// in memory; everything else is promised by every arm under every fault.
func (c *cell) blame(t trial.Toll) {
	why := append([]string{}, t.Broken...)
	add := func(n int64, what string) {
		if n > 0 {
			why = append(why, fmt.Sprintf("%d samples %s", n, what))
		}
	}
	if c.Durable || c.fault.signal != syscall.SIGKILL {
		add(t.Lost, "were accepted and are lost")
	}
	add(t.Duplicated, "are stored twice")
	add(t.Phantom, "are stored and were never sent")
	add(t.Zombie, "are stored and were refused")
	if len(why) > 0 {
		c.Why = append(c.Why, fmt.Sprintf("seed %d: %s", t.Seed, strings.Join(why, "; ")))
	}
}
