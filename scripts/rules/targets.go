package main

import (
	"fmt"
	"slices"
	"strings"

	"phase0/scripts/lab"
)

// The targets.
const (
	wantEvaluations = 100_000.0 // per second
	wantDrain       = 1.0       // seconds after the load
	// growth that would be a tenth of a second of the load in the time that was looked at is
	// none. With a load that is too high by a percent it would be reached in ten seconds.
	allowedGrowth = 0.1
)

type state string

const (
	reached     state = "reached"
	missed      state = "not reached"
	notMeasured state = "not measured"
)

// target is one promise with its figure.
type target struct {
	Claim  string `json:"claim"`
	State  state  `json:"state"`
	Figure string `json:"figure"`
}

// String is the target's line.
func (t target) String() string { return fmt.Sprintf("%-12s  %s: %s", t.State, t.Claim, t.Figure) }

func decide(claim, figure string, good bool) target {
	if good {
		return target{claim, reached, figure}
	}
	return target{claim, missed, figure}
}

// judge compares what was measured with the targets.
func judge(r *report) (all []target) {
	for _, c := range cells() {
		o, ok := r.of(c.Name)
		if !ok || c.Kind == kindOne {
			continue
		}
		all = append(all, steadyTarget(o, r.Settings.Rate))
		if o.Most != nil {
			claim := fmt.Sprintf("%s: at least %.0f evaluations/s, flat out", o.Name, wantEvaluations)
			all = append(all, decide(claim, fmt.Sprintf("%.0f", o.Most.rate()), o.Most.rate() >= wantEvaluations && o.Most.Refills == 0))
		}
	}
	if len(all) == 0 {
		return []target{{"10,000 rules", notMeasured, lab.None}}
	}
	return append(all, booksTarget(r))
}

// steadyTarget is about what waits while the rate is offered.
func steadyTarget(o outcome, rate int) target {
	p := o.Steady
	keeps := p.Stored/p.Seconds >= 0.99*float64(rate)
	good := keeps && p.Refused == 0 && !grows(p.Depth, p.Seconds, rate) && !grows(p.Waiting, p.Seconds, rate) && p.Drain <= wantDrain
	claim := fmt.Sprintf("%s, batches of %d: neither queue nor evaluation falls behind at %d samples/s", o.Name, o.Batch, rate)
	return decide(claim, fmt.Sprintf("%.0f samples/s stored in %.0f s; queued at most %.0f, slope %v a second; for evaluation at most %.0f, slope %v; nothing left after %.0f ms",
		p.Stored/p.Seconds, p.Seconds, p.Depth.Most, p.Depth.Slope, p.Waiting.Most, p.Waiting.Slope, p.Drain*1000), good)
}

// grows is what cannot be excluded with 95 % confidence.
func grows(t trace, seconds float64, rate int) bool {
	return t.Slope.High*seconds > allowedGrowth*float64(rate)
}

// booksTarget is about all cells.
func booksTarget(r *report) target {
	var accepted, counted int64
	var wrong []string
	for _, o := range slices.Concat(r.Cells, r.Again) {
		accepted, counted = accepted+o.Books.Accepted, counted+o.Books.Counted
		if w := o.Books.wrong(); w != "" {
			wrong = append(wrong, o.Name+": "+w)
		}
	}
	figure := fmt.Sprintf("%d accepted, %d of them counted", accepted, counted)
	return decide("every accepted sample is stored, and rules that count their samples have seen all", strings.Join(append([]string{figure}, wrong...), "; "), len(wrong) == 0)
}
