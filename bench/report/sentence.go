package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Sentence is the run's stamps and verdict as one text.
func Sentence(r *experiment.Run) string {
	return strings.Join(append(stamps(r), Verdict(r)...), " ")
}

// stamps are the doubts that a reader must meet before any number.
func stamps(r *experiment.Run) []string {
	var all []string
	switch {
	case r.Stopped != "":
		all = append(all, fmt.Sprintf("STOPPED: %s. This is what was measured until then.", r.Stopped))
	case r.Interrupted:
		all = append(all, "INTERRUPTED: this is what was measured until then.")
	}
	if lost := r.Lost(); lost > 0 {
		all = append(all, fmt.Sprintf("LOST: servers did not store %s samples that they had accepted.", thousands(lost)))
	}
	if twice := r.Duplicated(); twice > 0 {
		all = append(all, fmt.Sprintf("DUPLICATED: servers stored %s samples more than once that they had promised to store once.", thousands(twice)))
	}
	if r.Findings.Noisy {
		all = append(all, "NOISY, not to be cited: two identical arms differed.")
	}
	return all
}

// Verdict says in sentences what the run found: what differs, what was lost, and
// what does not differ or is not decided.
func Verdict(r *experiment.Run) []string {
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
	crashes, orderly := losses(r)
	all := slices.Concat(decided, crashes, durability(r))
	if len(all) == 0 { // that servers which nobody disturbed lost nothing is no headline
		all, open = open, nil
	}
	all = slices.Concat(all, orderly, open)
	if len(all) == 0 {
		return []string{"Nothing was measured."}
	}
	for i, text := range all {
		all[i] = capital(text) + "."
	}
	return all
}

// capital begins a sentence, but leaves the name of an arm with settings as it is.
func capital(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if strings.Contains(word, "=") {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// headlines picks what a reader asks first: capacity of every arm, and for the first
// arm beside the baseline the tail at the highest rate, the tail beside a slow client,
// the largest scan, detection and whatever else there is, one each.
func headlines(r *experiment.Run) []experiment.Comparison {
	units := []string{trial.UnitRPS, trial.UnitP99, trial.UnitScan, trial.UnitDetect, trial.UnitKnee, trial.UnitFreshP50, trial.UnitGoodputShare}
	last, order := map[string]experiment.Comparison{}, []string{}
	first := firstCompared(r)
	for _, c := range claimed(r) {
		capacity := c.Experiment == experiment.Ingest
		if c.Control || experiment.Base(c.B.Arm) != c.B.Arm || !slices.Contains(units, c.Unit) || (!capacity && c.B.Arm != first) {
			continue
		}
		key := c.Experiment
		if capacity {
			key += " " + c.B.Arm
		}
		if _, ok := last[key]; !ok {
			order = append(order, key)
		}
		last[key] = c
	}
	picked := make([]experiment.Comparison, len(order))
	for i, key := range order {
		picked[i] = last[key]
	}
	return picked
}

// firstCompared is the first arm that is compared with the baseline.
func firstCompared(r *experiment.Run) string {
	for _, c := range r.Findings.Comparisons {
		if !c.Control && experiment.Base(c.B.Arm) == c.B.Arm && c.Experiment != experiment.Durable {
			return c.B.Arm
		}
	}
	return ""
}

// losses says for every arm what became of the samples that its servers accepted, in
// crashes and in good order; each is one sentence or none.
func losses(r *experiment.Run) (crashes, orderly []string) {
	var crashed, stopped []string
	for _, b := range r.Findings.Books {
		stopped = append(stopped, fmt.Sprintf("%s lost %s of %s accepted samples", b.Arm, thousands(b.Lost), thousands(b.Accepted)))
	}
	if len(stopped) > 0 {
		orderly = []string{"stopped in good order, " + strings.Join(stopped, ", ")}
	}
	for _, k := range r.Findings.Kills {
		if k.Case == "signal=kill" {
			crashed = append(crashed, toll(k))
		}
	}
	if len(crashed) > 0 {
		crashes = []string{"killed with -9 under load, " + strings.Join(crashed, "; ")}
	}
	return crashes, orderly
}

// toll is what kill -9 cost an arm.
func toll(k experiment.Kill) string {
	return fmt.Sprintf("%s lost %s of %s accepted samples in %d %s, at worst %.2g s of load",
		k.Arm, thousands(k.Lost), thousands(k.Accepted-k.After), k.Trials, plural(k.Trials, "crash", "crashes"), k.WorstSeconds)
}

func clause(c experiment.Comparison) string {
	subject, a, b := subjectOf(c), c.A.Arm, c.B.Arm
	ci := "no interval"
	if c.Effect.HasInterval() {
		low, high := c.Interval()
		if c.Verdict == stat.Slower && c.Unit != trial.UnitRPS {
			low, high = 1/high, 1/low
		}
		ci = fmt.Sprintf("95 %% interval %s–%s", digits(low), digits(high))
	}
	same := ""
	if c.SameMechanism != "" {
		same = fmt.Sprintf(" (both use %s)", c.SameMechanism)
		if c.Aside != "" && (c.Verdict == stat.Faster || c.Verdict == stat.Slower) {
			same = fmt.Sprintf(" (both use %s; %s)", c.SameMechanism, c.Aside)
		}
	}
	switch {
	case c.Verdict == stat.Withheld || !c.Measured:
		return fmt.Sprintf("%s: no claim (%s)", subject, c.Reason)
	case c.Verdict == stat.Equivalent:
		return fmt.Sprintf("%s is equivalent in %s and %s%s (ratio %s, %s)", subject, a, b, same, digits(c.Effect.Ratio), ci)
	case c.Verdict == stat.Inconclusive:
		return fmt.Sprintf("%s is undecided between %s and %s%s (ratio %s, %s)", subject, a, b, same, digits(c.Effect.Ratio), ci)
	case c.Unit == trial.UnitRPS && c.Ranged():
		return fmt.Sprintf("%s accepts %s to %s× the requests per second of %s (%s; the server of %s was not fully busy)",
			b, digits(c.Cautious.Ratio), digits(c.Effect.Ratio), a, ci, a)
	case c.Unit == trial.UnitRPS:
		return fmt.Sprintf("%s accepts %s%s× the requests per second of %s (%s)", b, bounded(c), digits(c.Effect.Ratio), a, ci)
	case c.Verdict == stat.Slower && !c.LowerIsBetter:
		return fmt.Sprintf("%s is %s%s× lower in %s%s (%s)", subject, inverse(c), digits(1/c.Effect.Ratio), b, same, ci)
	case !c.LowerIsBetter && c.Bound == "≥":
		return fmt.Sprintf("%s is higher in %s%s: the estimate is %s× or more (%s)", subject, b, same, digits(c.Effect.Ratio), ci)
	case !c.LowerIsBetter:
		return fmt.Sprintf("%s is %s%s× higher in %s%s (%s)", subject, bounded(c), digits(c.Effect.Ratio), b, same, ci)
	case c.Verdict == stat.Slower:
		return fmt.Sprintf("%s is %s%s× slower in %s%s (%s)", subject, inverse(c), digits(1/c.Effect.Ratio), b, same, ci)
	}
	return fmt.Sprintf("%s is %s%s× faster in %s%s (%s)", subject, bounded(c), digits(c.Effect.Ratio), b, same, ci)
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

// inverse words the bound of 1 ÷ ratio.
func inverse(c experiment.Comparison) string {
	switch c.Bound {
	case "≥":
		return "at most "
	case "≤":
		return "at least "
	}
	return ""
}

func subjectOf(c experiment.Comparison) string {
	switch c.Experiment {
	case experiment.Ingest:
		return "maximum RPS"
	case experiment.Response, experiment.SlowClient, experiment.Mixed:
		return "response time " + c.Title
	}
	return c.Title
}
