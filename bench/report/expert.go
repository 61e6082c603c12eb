package report

import (
	"fmt"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/stat"
)

// expertBlocks is the table that a doubter works through: all that a verdict rests
// on.
func expertBlocks(r *experiment.Run) []Block {
	t := Table{Label: "Every comparison", Columns: columns("comparison", "arms", "#median of the baseline", "#median of the arm", "#ratio", "#exact interval",
		"#its level", "#bootstrap 95 %", "#simultaneous", "#p", "#Holm p", "#n", "#ties", "#void/trials", "verdict", "why")}
	for _, c := range r.Findings.Comparisons {
		row := cells(c.ID, against(c), spread(c, c.A), spread(c, c.B), ratio(c), interval(c), level(c), bootstrap(c), simultaneous(c), pValue(c), holm(c),
			count(c), fmt.Sprint(c.Effect.Zeros), fmt.Sprintf("%d/%d", c.Void, c.Trials), verdict(c), why(c))
		row[1].Arm = 1 + colorOf(r, c.B.Arm)
		row[14].Tone = tone(c)
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	apart := "the rungs of the ladder are a family of their own"
	if len(durableClaims(r)) > 0 {
		apart = "the rungs of the ladder, and what is said of durability, are families of their own"
	}
	return []Block{
		Prose("Medians are over valid trials, in brackets with the interval of their order statistics; those of alerts are means over injections. p is that of the exact two-sided signed-rank test; Holm corrects it for the family of all claims here that rest on pairs of trials, " +
			"of which the A/A row and the alert rows are none; " + apart + ". Verdicts are not corrected. The bootstrap is a cross-check: where it disagrees with the exact interval about 1, the verdict is inconclusive. Simultaneous intervals hold all together with 95 % confidence (Bonferroni); n/a where the pairs are too few for that. Ties are pairs without any difference, which the test leaves out."),
		t,
		Prose("Every figure can be recomputed from the trials in `run.json`."),
	}
}

// spread prints an arm's figure with its interval.
func spread(c experiment.Comparison, f experiment.Figure) string {
	text := figure(c, f)
	if s := f.Summary; s.N > 0 && s.Low != s.High && !pooled(c) {
		text += " [" + Value(c.Unit, s.Low) + ", " + Value(c.Unit, s.High) + "]"
	}
	return text
}

func level(c experiment.Comparison) string {
	if !c.Measured || !c.Effect.HasInterval() || c.Verdict == stat.Withheld {
		return none
	}
	return fmt.Sprintf("%.1f %%", c.Effect.Level*100)
}

func pValue(c experiment.Comparison) string {
	if !c.Measured || !c.Effect.HasP || c.Verdict == stat.Withheld {
		return none
	}
	return fmt.Sprintf("%.2g", c.Effect.P)
}

func holm(c experiment.Comparison) string {
	if !c.Measured || !c.Effect.HasP || c.Verdict == stat.Withheld || c.Control {
		return none
	}
	return fmt.Sprintf("%.2g", c.HolmP)
}

func bootstrap(c experiment.Comparison) string {
	if !c.Measured || c.Verdict == stat.Withheld {
		return none
	}
	text := "[" + digits(c.Effect.BootLow) + ", " + digits(c.Effect.BootHigh) + "]"
	if !c.Effect.Agrees() && c.Effect.HasInterval() {
		text += " disagrees"
	}
	return text
}

func simultaneous(c experiment.Comparison) string {
	s := c.Simultaneous
	if s.Level == 0 || c.Verdict == stat.Withheld {
		return none
	}
	return "[" + digits(s.Low) + ", " + digits(s.High) + "]"
}

// why names what else shaped the verdict.
func why(c experiment.Comparison) string {
	var parts []string
	if text := note(c); text != "" {
		parts = append(parts, text)
	}
	if c.Ranged() {
		parts = append(parts, fmt.Sprintf("cautious ratio %s [%s, %s]", digits(c.Cautious.Ratio), digits(c.Cautious.Low), digits(c.Cautious.High)))
	}
	return strings.Join(parts, "; ")
}
