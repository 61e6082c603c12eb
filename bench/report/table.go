package report

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"phase0/bench/experiment"
)

// maxTableRows keeps the terminal's table, with its notes, on one screen.
const maxTableRows = 26

// Colorful reports whether text for w may be coloured: w is a terminal that knows
// colours, and NO_COLOR is not set (no-color.org).
func Colorful(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// screen is the terminal's table: aligned lines, each with the tone of its verdict.
type screen struct {
	head  []Column
	rows  [][]Cell
	notes []string
}

// WriteTable writes the run's results for a terminal, aligned and on one screen, and
// its warnings.
func WriteTable(w io.Writer, r *experiment.Run, color bool) error {
	s := newScreen(r)
	var text strings.Builder
	s.write(&text, color)
	fmt.Fprintf(&text, "ratio: above 1× the arm is better than its baseline; n: valid pairs of trials; different: outside ±%.1f %%, the larger of 2 %% and half the A/A interval's width; equivalent: inside ±2 %%\n",
		r.Findings.Delta*100)
	for _, warning := range r.Warnings {
		text.WriteString("warning: " + warning + "\n")
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func newScreen(r *experiment.Run) screen {
	a, b, onePair := pair(r)
	s := screen{head: columns("metric", "#"+a, "#"+b, "#ratio", "#95 % interval", "verdict", "#n", "")}
	if !onePair {
		s.head = columns("metric", "#baseline", "#arm", "#ratio", "#95 % interval", "verdict", "#n", "")
	}
	shown, rest := fitting(claimed(r))
	if len(shown) == 0 {
		s.fill(durableTable(r)) // where all that was measured has a table of its own
	}
	for _, c := range shown {
		title := c.Title
		if !onePair && !c.Control {
			title += ", " + c.B.Arm
		}
		row := cells(title, figure(c, c.A), figure(c, c.B), ratio(c), interval(c), verdict(c), count(c), s.mark(note(c)))
		row[5].Tone = tone(c)
		s.rows = append(s.rows, row)
	}
	if rest > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%d more comparisons are in the report", rest))
	}
	return s
}

// fill makes the screen one of a table whose last column is of notes.
func (s *screen) fill(t Table) {
	if len(t.Rows) == 0 {
		return
	}
	last := len(t.Columns) - 1
	s.head = slices.Concat(t.Columns[:last], columns(""))
	for _, row := range t.Rows {
		s.rows = append(s.rows, slices.Concat(row[:last], cells(s.mark(row[last].Text))))
	}
}

// fitting returns the comparisons that fit on a screen. Where there are too many, those
// of single points of a curve go first, then those of arms after the first that is
// compared.
func fitting(all []experiment.Comparison) (shown []experiment.Comparison, rest int) {
	shown = slices.Clone(all)
	drop := func(surplus func(i int) bool) {
		for i := 0; i < len(shown) && len(shown) > maxTableRows; {
			if surplus(i) {
				shown = slices.Delete(shown, i, i+1)
				continue
			}
			i++
		}
	}
	drop(func(i int) bool { // a later point of the same curve stays
		return shown[i].Case != "" && slices.ContainsFunc(shown[i+1:], func(c experiment.Comparison) bool {
			return c.Experiment == shown[i].Experiment && c.Unit == shown[i].Unit && c.B.Arm == shown[i].B.Arm
		})
	})
	first := ""
	if i := slices.IndexFunc(all, func(c experiment.Comparison) bool { return !c.Control }); i >= 0 {
		first = all[i].B.Arm
	}
	drop(func(i int) bool { return !shown[i].Control && shown[i].B.Arm != first })
	shown = shown[:min(len(shown), maxTableRows)]
	return shown, len(all) - len(shown)
}

// mark returns the letters under which a note stands below the table.
func (s *screen) mark(text string) string {
	var marks []string
	for part := range strings.SplitSeq(text, "; ") {
		if part == "" {
			continue
		}
		i := slices.Index(s.notes, part)
		if i < 0 {
			s.notes, i = append(s.notes, part), len(s.notes)
		}
		marks = append(marks, letter(i))
	}
	return strings.Join(marks, ",")
}

func letter(i int) string {
	if i < 26 {
		return string(rune('a' + i))
	}
	return fmt.Sprint(i + 1)
}

func (s *screen) write(text *strings.Builder, color bool) {
	width := make([]int, len(s.head))
	titles := make([]Cell, len(s.head))
	for i, c := range s.head {
		titles[i] = Cell{Text: c.Title}
	}
	lines := append([][]Cell{titles}, s.rows...)
	for _, line := range lines {
		for i, c := range line {
			width[i] = max(width[i], utf8.RuneCountInString(c.Text))
		}
	}
	for _, line := range lines {
		var b strings.Builder
		for i, c := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c.Text))
			if s.head[i].Number {
				b.WriteString(pad + c.Text + "  ")
				continue
			}
			b.WriteString(painted(c, color) + pad + "  ")
		}
		text.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
	for i, n := range s.notes {
		fmt.Fprintf(text, "%s: %s\n", letter(i), n)
	}
}

// painted is a cell's text in the colour of its tone: green, red or yellow.
func painted(c Cell, color bool) string {
	code := map[Tone]string{Good: "32", Bad: "31", Doubt: "33"}[c.Tone]
	if !color || code == "" {
		return c.Text
	}
	return "\x1b[" + code + "m" + c.Text + "\x1b[0m"
}
