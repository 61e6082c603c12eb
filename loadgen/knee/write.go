package knee

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"phase0/loadgen/slo"
)

// barWidth is that of the longest bar.
const barWidth = 12

// Write prints the curve, a line for each run in order of rate, and the knee.
func Write(w io.Writer, k Knee) error {
	var b strings.Builder
	fmt.Fprintf(&b, "objectives  %s\n\n", k.Objectives)
	if len(k.Points) > 0 {
		writeCurve(&b, k.Points)
	}
	fmt.Fprintf(&b, "knee  %s\n", k.sentence())
	for _, note := range k.notes() {
		fmt.Fprintf(&b, "      %s\n", note)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write knee: %w", err)
	}
	return nil
}

func writeCurve(b *strings.Builder, points []Point) {
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Rate, b.Rate) })
	bar := barScale(points)
	rows := [][]string{{"rate", "achieved", "p50", "p99", "err", "", "p99, log scale", ""}}
	for _, p := range points {
		rows = append(rows, []string{
			figure(p.Rate), figure(p.Achieved), slo.Cell(p.P50), slo.Cell(p.P99), slo.Percent(p.ErrShare),
			string(p.Ruling), bar(p), p.Reason,
		})
	}
	writeTable(b, rows, 5)
	b.WriteString("\n")
}

// writeTable aligns the first columns, numbers of them, to the right and the
// others to the left.
func writeTable(b *strings.Builder, rows [][]string, numbers int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i < numbers {
				fmt.Fprintf(&line, "  %*s", widths[i], cell)
			} else {
				fmt.Fprintf(&line, "  %-*s", widths[i], cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// barScale returns what draws a point's p99 on a logarithmic scale from the
// shortest to the longest of the curve.
func barScale(points []Point) func(Point) string {
	shortest, longest := math.Inf(1), 0.0
	for _, p := range points {
		if p.P99.NS > 0 {
			shortest = min(shortest, float64(p.P99.NS))
			longest = max(longest, float64(p.P99.NS))
		}
	}
	return func(p Point) string {
		if p.P99.NS <= 0 {
			return ""
		}
		n := 1
		if longest > shortest {
			share := math.Log(float64(p.P99.NS)/shortest) / math.Log(longest/shortest)
			n += int(math.Round(share * (barWidth - 1)))
		}
		return strings.Repeat("█", n)
	}
}

// sentence says where the knee is.
func (k Knee) sentence() string {
	pass, fail := figure(k.LastPass), figure(k.FirstFail)
	switch {
	case k.LastPass > 0 && k.FirstFail > 0:
		return fmt.Sprintf("between %s and %s rps (last pass, first fail; confirmed by %s and %s runs)",
			pass, fail, k.votes(k.LastPass, Pass), k.votes(k.FirstFail, Fail))
	case k.LastPass > 0:
		return fmt.Sprintf("at least %s rps (last pass; confirmed by %s runs)", pass, k.votes(k.LastPass, Pass))
	case k.FirstFail > 0:
		return fmt.Sprintf("below %s rps (first fail; confirmed by %s runs)", fail, k.votes(k.FirstFail, Fail))
	default:
		return "not found"
	}
}

// votes says how many of the votes on a rate agree with its ruling.
func (k Knee) votes(rate float64, r Ruling) string {
	agree, all := 0, 0
	for _, p := range k.Points {
		if p.Rate != rate || !p.Vote {
			continue
		}
		all++
		if p.Ruling == r {
			agree++
		}
	}
	return fmt.Sprintf("%d of %d", agree, all)
}

// notes are what a reader must know beside the sentence.
func (k Knee) notes() []string {
	var notes []string
	switch k.LimitedBy {
	case byGenerator, byMachine:
		notes = append(notes, "limited by the "+k.LimitedBy+": the server may sustain more")
	case byMax:
		notes = append(notes, "no rate failed, up to the highest allowed")
	case byLowest:
		notes = append(notes, "not even the lowest rate passed")
	case byObservations:
		notes = append(notes, "runs at lower rates have too few requests for the objectives; make them longer")
	case byRuns:
		notes = append(notes, fmt.Sprintf("the search ended after %d runs", k.Runs))
	case byInterrupted:
		notes = append(notes, "the search was interrupted")
	case byError:
		notes = append(notes, "the search ended because a run could not be carried out")
	}
	if k.Bottleneck != "" && k.Bottleneck != k.LimitedBy {
		notes = append(notes, "held back by the "+k.Bottleneck)
	}
	if !k.Confirmed {
		notes = append(notes, "not confirmed")
	}
	return notes
}

// figure prints a rate with at least four digits: "0.5", "70.71", "4,525".
func figure(rps float64) string {
	if rps < 1000 {
		return strconv.FormatFloat(rps, 'g', 4, 64)
	}
	digits := strconv.FormatFloat(rps, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// String tells of a run in one line.
func (s Step) String() string {
	p := s.Point
	line := fmt.Sprintf("run %-3d %10s rps  p50 %8s  p99 %8s  err %6s  %-8s", p.Run, figure(p.Rate),
		slo.Cell(p.P50), slo.Cell(p.P99), slo.Percent(p.ErrShare), p.Ruling)
	if s.LastPass > 0 || s.FirstFail > 0 {
		line += fmt.Sprintf(" bracket [%s, %s]", orDash(s.LastPass), orDash(s.FirstFail))
	}
	if p.Reason != "" {
		line += "  " + p.Reason
	}
	return line
}

func orDash(rate float64) string {
	if rate == 0 {
		return "–"
	}
	return figure(rate)
}
