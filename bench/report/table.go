package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"phase0/bench/experiment"
)

// row is one line of the results table.
type row [8]string

func header() row {
	return row{"metric", "single", "concurrent", "ratio", "95 % interval", "verdict", "n", "note"}
}

func rows(r *experiment.Run) []row {
	var all []row
	for _, c := range r.Findings.Comparisons {
		all = append(all, row{
			c.Title, figure(c, c.A), figure(c, c.B), ratio(c), interval(c), verdict(c), count(c), note(c),
		})
	}
	return all
}

// WriteTable writes the run's results as an aligned table, and its warnings.
func WriteTable(w io.Writer, r *experiment.Run) error {
	table := append([]row{header()}, rows(r)...)
	var width [len(row{})]int
	for _, line := range table {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, line := range table {
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0 || i == 5 || i == len(line)-1:
				text.WriteString(cell + pad + "  ")
			default:
				text.WriteString(pad + cell + "  ")
			}
		}
		trimmed := strings.TrimRight(text.String(), " ")
		text.Reset()
		text.WriteString(trimmed + "\n")
	}
	fmt.Fprintf(&text, "ratio: above 1× concurrent is better; n: valid pairs of trials; different: outside ±%.1f %%, the larger of 2 %% and the A/A interval; equivalent: inside ±2 %%\n", r.Findings.Delta*100)
	for _, warning := range r.Warnings {
		text.WriteString("warning: " + warning + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
