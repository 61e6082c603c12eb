package compare

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"phase0/bench/audit"
	"phase0/bench/experiment"
)

// Dirs writes the comparisons of the results in directories a and b side by side. The
// error tells which of them cannot be read, and why.
func Dirs(w io.Writer, a, b string) error {
	first, err := audit.Load(a)
	if err != nil {
		return err
	}
	second, err := audit.Load(b)
	if err != nil {
		return err
	}
	different, err := differences(first, second)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "a: %s, %s\nb: %s, %s\n\n", a, about(first), b, about(second))
	writeConditions(&out, different)
	writeComparisons(&out, first, second)
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}

// about names a run in a line, with what speaks against it.
func about(r *experiment.Run) string {
	text := fmt.Sprintf("measured %s UTC, profile %s, %s", r.Start.Format("2006-01-02 15:04"), r.Profile.Name, r.Conditions)
	if r.Findings.Noisy {
		text += ", NOISY"
	}
	if r.Interrupted {
		text += ", INTERRUPTED"
	}
	return text
}

func writeConditions(out *strings.Builder, different []difference) {
	if len(different) == 0 {
		out.WriteString("All stored conditions agree.\n\n")
		return
	}
	out.WriteString("DIFFERENT CONDITIONS: what follows may come from any of these\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range different {
		fmt.Fprintf(table, "  %s\ta: %s\tb: %s\n", d.name, d.a, d.b)
	}
	_ = table.Flush() // a strings.Builder takes everything
	out.WriteString("\n")
}

func writeComparisons(out *strings.Builder, a, b *experiment.Run) {
	other := map[string]experiment.Comparison{}
	for _, c := range b.Findings.Comparisons {
		other[c.ID] = c
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "comparison\tratio a\t95 % interval\tn\tratio b\t95 % interval\tn\tnote")
	for _, c := range a.Findings.Comparisons {
		d, found := other[c.ID]
		delete(other, c.ID)
		if !found {
			fmt.Fprintf(table, "%s\t%s\tnot measured\t\t\tonly in a\n", c.ID, side(c))
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.ID, side(c), side(d), note(c, d))
	}
	for _, d := range b.Findings.Comparisons {
		if _, left := other[d.ID]; left {
			fmt.Fprintf(table, "%s\tnot measured\t\t\t%s\tonly in b\n", d.ID, side(d))
		}
	}
	_ = table.Flush() // a strings.Builder takes everything
	out.WriteString("\nRatios are turned so that above 1 the second arm is better. Two runs are no pairs: to compare two versions, run both as arms of one run.\n")
}

// side is one run's three columns: ratio, interval and number of observations.
func side(c experiment.Comparison) string {
	if !c.Measured {
		return "n/a\t\t0"
	}
	interval := "none"
	if c.Effect.HasInterval() {
		low, high := c.Interval()
		interval = fmt.Sprintf("[%.3g, %.3g]", low, high)
	}
	return fmt.Sprintf("%s%.3g\t%s\t%d", c.Bound, c.Effect.Ratio, interval, c.Effect.N)
}

// note says what the two intervals are to each other, and which verdicts differ.
func note(a, b experiment.Comparison) string {
	var notes []string
	if a.Measured && b.Measured && a.Effect.HasInterval() && b.Effect.HasInterval() {
		lowA, highA := a.Interval()
		lowB, highB := b.Interval()
		if highA < lowB || highB < lowA {
			notes = append(notes, "intervals do not overlap")
		}
	}
	if a.Verdict != b.Verdict {
		notes = append(notes, fmt.Sprintf("%s in a, %s in b", a.Verdict, b.Verdict))
	}
	return strings.Join(notes, "; ")
}
