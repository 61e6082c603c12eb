package report

import (
	"fmt"
	"slices"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Sentence is the run's verdict in words: what differs, with intervals; then, in a
// sentence of its own, what does not or is not decided.
func Sentence(r *experiment.Run) string {
	var decided, open []string
	for _, c := range headlines(r) {
		switch {
		case c.Trials == 0:
		case c.Verdict == stat.Faster || c.Verdict == stat.Slower:
			decided = append(decided, clause(c))
		default:
			open = append(open, clause(c))
		}
	}
	var text []string
	for _, parts := range [][]string{decided, open} {
		if len(parts) > 0 {
			text = append(text, capital(strings.Join(parts, "; "))+".")
		}
	}
	switch {
	case len(text) == 0:
		text = []string{"Nothing was measured."}
	case r.Findings.Noisy:
		text = append([]string{"NOISY, not to be cited:"}, text...)
	}
	if r.Interrupted {
		text = append([]string{"INTERRUPTED:"}, text...)
	}
	return strings.Join(text, " ")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// headlines picks one comparison per experiment: capacity, the tail at the highest
// rate, the tail beside a slow client, the largest scan, detection.
func headlines(r *experiment.Run) []experiment.Comparison {
	last := map[string]experiment.Comparison{}
	units := []string{trial.UnitRPS, trial.UnitP99, trial.UnitScan, trial.UnitDetect}
	for _, c := range r.Findings.Comparisons {
		if !c.Control && c.B.Arm == experiment.ArmConcurrent && slices.Contains(units, c.Unit) {
			last[c.Experiment] = c
		}
	}
	var picked []experiment.Comparison
	for _, name := range experiment.Names() {
		if c, ok := last[name]; ok {
			picked = append(picked, c)
		}
	}
	return picked
}

func clause(c experiment.Comparison) string {
	subject := subjectOf(c)
	ci := "no interval"
	if c.Effect.HasInterval() {
		low, high := c.Interval()
		ci = fmt.Sprintf("95 %% interval %s–%s", digits(low), digits(high))
	}
	same := ""
	if c.SameMechanism != "" {
		same = fmt.Sprintf(" (both use %s)", c.SameMechanism)
	}
	switch {
	case c.Verdict == stat.Withheld || !c.Measured:
		return fmt.Sprintf("%s: no claim (%s)", subject, c.Reason)
	case c.Verdict == stat.Equivalent:
		return fmt.Sprintf("%s is equivalent in both modes%s (ratio %s, %s)", subject, same, digits(c.Effect.Ratio), ci)
	case c.Verdict == stat.Inconclusive:
		return fmt.Sprintf("%s is undecided%s (ratio %s, %s)", subject, same, digits(c.Effect.Ratio), ci)
	case c.Unit == trial.UnitRPS && c.Ranged():
		return fmt.Sprintf("concurrent accepts %s to %s times the requests per second of single (%s; single's server was not fully busy)",
			digits(c.Cautious.Ratio), digits(c.Effect.Ratio), ci)
	case c.Unit == trial.UnitRPS:
		return fmt.Sprintf("concurrent accepts %s%s times the requests per second of single (%s)", bounded(c), digits(c.Effect.Ratio), ci)
	case c.Verdict == stat.Slower:
		return fmt.Sprintf("%s is %s%s times slower in concurrent%s (%s)", subject, bounded(c), digits(1/c.Effect.Ratio), same,
			strings.Replace(ci, digits(c.Effect.Low)+"–"+digits(c.Effect.High), digits(1/c.Effect.High)+"–"+digits(1/c.Effect.Low), 1))
	}
	return fmt.Sprintf("%s is %s%s times faster in concurrent%s (%s)", subject, bounded(c), digits(c.Effect.Ratio), same, ci)
}

func bounded(c experiment.Comparison) string {
	switch c.Bound {
	case "≥":
		return "at least "
	case "≤":
		return "at most "
	}
	return ""
}

func subjectOf(c experiment.Comparison) string {
	switch c.Experiment {
	case experiment.Ingest:
		return "maximum RPS"
	case experiment.Response, experiment.SlowClient:
		return "response time " + c.Title
	}
	return c.Title
}
