package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// none stands where there is no figure.
const none = "n/a"

// Value prints a value of a unit with three significant digits and a unit that a
// reader knows.
func Value(unit string, v float64) string {
	switch unit {
	case trial.UnitRPS, trial.UnitOffered, trial.UnitPoints, trial.UnitQueueDepth, trial.UnitQueryRPS, trial.UnitKnee, trial.UnitKneeFail,
		trial.UnitCapacity, trial.UnitGoodput, trial.UnitLostSeconds, trial.UnitSamples, trial.UnitSyncs:
		return digits(v)
	case trial.UnitPeakMemory, trial.UnitMemPerSample:
		return byteSize(v)
	case trial.UnitScanBytes:
		return byteSize(v) + "/s"
	case trial.UnitServerBusy, trial.UnitSyncBusy, trial.UnitGoodputShare, trial.UnitRefused:
		return fmt.Sprintf("%.0f %%", v*100)
	case trial.UnitMissed, trial.UnitFalse, trial.UnitLost, trial.UnitDuplicated, trial.UnitAmbiguous, trial.UnitTorn:
		return fmt.Sprintf("%.0f", v)
	}
	return nanoseconds(v)
}

// digits prints three significant digits; whole numbers get thousands separators.
func digits(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	rounded := round3(v) // first, so that 9.996 prints as 10.0 and not as 10.00
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(rounded))))
	if decimals > 0 {
		return strconv.FormatFloat(rounded, 'f', decimals, 64)
	}
	return thousands(int64(math.Round(v)))
}

// round3 rounds to three significant digits.
func round3(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

func thousands(n int64) string { return experiment.Thousands(n) }

func nanoseconds(v float64) string {
	switch {
	case v < 0:
		return "−" + nanoseconds(-v)
	case v < 1e3:
		return digits(v) + " ns"
	case v < 1e6:
		return digits(v/1e3) + " µs"
	case v < 1e9:
		return digits(v/1e6) + " ms"
	}
	return digits(v/1e9) + " s"
}

func byteSize(v float64) string {
	switch {
	case v < 1<<10:
		return digits(v) + " B"
	case v < 1<<20:
		return digits(v/(1<<10)) + " KiB"
	case v < 1<<30:
		return digits(v/(1<<20)) + " MiB"
	}
	return digits(v/(1<<30)) + " GiB"
}

func figure(c experiment.Comparison, f experiment.Figure) string {
	if f.Summary.N == 0 {
		return none
	}
	if f.AtLeast {
		return "≥ " + Value(c.Unit, f.Value)
	}
	return Value(c.Unit, f.Value)
}

func ratio(c experiment.Comparison) string {
	if !c.Measured || c.Verdict == stat.Withheld {
		return none
	}
	if c.Ranged() {
		return digits(c.Cautious.Ratio) + "–" + digits(c.Effect.Ratio) + "×"
	}
	text := digits(c.Effect.Ratio) + "×"
	if c.Bound != "" {
		return c.Bound + " " + text
	}
	return text
}

func interval(c experiment.Comparison) string {
	if !c.Measured || !c.Effect.HasInterval() || c.Verdict == stat.Withheld {
		return none
	}
	low, high := c.Interval()
	return "[" + digits(low) + ", " + digits(high) + "]"
}

// verdict words a verdict for the metric: times are faster or slower, costs less
// or more.
func verdict(c experiment.Comparison) string {
	cost := c.Unit == trial.UnitCPUPerSample || c.Unit == trial.UnitPeakMemory || c.Unit == trial.UnitMemPerSample
	switch {
	case c.Control && (!c.Measured || c.Verdict == stat.Withheld):
		return none
	case c.Control && !c.Effect.HasInterval():
		return "too few pairs"
	case c.Control && c.Effect.Excludes1():
		return "NOISY"
	case c.Control:
		return "no difference found"
	case cost && c.Verdict == stat.Faster:
		return "less"
	case cost && c.Verdict == stat.Slower:
		return "more"
	case c.Verdict == stat.Inconclusive && c.Needed >= stat.MaxNeeded:
		return "inconclusive"
	case c.Verdict == stat.Inconclusive && c.Needed > 0 && c.Measured:
		return fmt.Sprintf("inconclusive (needs ~%d)", c.Needed)
	}
	return string(c.Verdict)
}

// count says how many observations an effect rests on.
func count(c experiment.Comparison) string {
	if pooled(c) {
		return fmt.Sprintf("%d inj.", c.Effect.N)
	}
	return strconv.Itoa(c.Effect.N)
}

// pooled reports whether an effect is of the injections of all trials, not of pairs of
// trials.
func pooled(c experiment.Comparison) bool {
	return c.Unit == trial.UnitDetect || c.Unit == trial.UnitArrive
}

// note says what a reader must know beside the row.
func note(c experiment.Comparison) string {
	var notes []string
	if c.SameMechanism != "" {
		notes = append(notes, "same mechanism: "+c.SameMechanism+" in both")
		if c.Aside != "" {
			notes = append(notes, c.Aside)
		}
	}
	if c.Reason != "" && (c.Verdict == stat.Withheld || c.Verdict == stat.Inconclusive || !c.Measured) {
		notes = append(notes, c.Reason)
	}
	if c.Cut > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d searches were cut by their limit", c.Cut, c.Trials))
	}
	if c.A.AtLeast || c.B.AtLeast {
		notes = append(notes, boundNote(c))
	}
	if c.Ranged() && c.Verdict != stat.Withheld {
		notes = append(notes, "ratio from a full core at the same cost per sample to as measured")
	}
	return strings.Join(notes, "; ")
}

func boundNote(c experiment.Comparison) string {
	switch c.Unit {
	case trial.UnitRPS, trial.UnitSamples:
		return "≥: the server's core was not full, or nobody knows"
	case trial.UnitKnee:
		return "≥: a search ended before a rate within its precision was seen to fail"
	}
	return "≥: requests were still unanswered at the end"
}

// digitsShort prints a tick: thousands as k, no trailing zeros.
func digitsShort(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3 && math.Mod(v, 100) == 0:
		return fmt.Sprintf("%gk", v/1e3)
	case v >= 1e3:
		return thousands(int64(math.Round(v)))
	}
	return fmt.Sprintf("%g", v)
}

func nanosecondsShort(v float64) string {
	switch {
	case v < 1e3:
		return fmt.Sprintf("%g ns", v)
	case v < 1e6:
		return fmt.Sprintf("%g µs", v/1e3)
	case v < 1e9:
		return fmt.Sprintf("%g ms", v/1e6)
	}
	return fmt.Sprintf("%g s", v/1e9)
}
