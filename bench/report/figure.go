package report

import (
	"fmt"
	"slices"
	"strings"

	"phase0/bench/plot"
)

// maxSaid bounds how many rows a plot's description tells; the tables tell all.
const maxSaid = 12

// rowsFigure makes a figure of rows; there is none without rows.
func rowsFigure(file, caption string, f plot.Rows) (Figure, bool) {
	var said []string
	for _, row := range f.Rows {
		if !row.Heading {
			said = append(said, row.Label+" "+row.Value)
		}
	}
	n := len(said)
	if n > maxSaid {
		said = append(said[:maxSaid], fmt.Sprintf("%d more", n-maxSaid))
	}
	return Figure{File: file, Alt: f.Title + ": " + strings.Join(said, "; "), Caption: caption, Plot: f}, n > 0
}

// xyFigure makes a figure of the series that have points; there is none without.
func xyFigure(file, caption string, f plot.XY) (Figure, bool) {
	f.Series = slices.DeleteFunc(f.Series, func(s plot.Series) bool { return len(s.Points) == 0 })
	var said []string
	for _, s := range f.Series {
		first, last := s.Points[0], s.Points[len(s.Points)-1]
		said = append(said, fmt.Sprintf("%s from %s at %s to %s at %s", s.Name,
			axisText(f.Y, first.Y), axisText(f.X, first.X), axisText(f.Y, last.Y), axisText(f.X, last.X)))
	}
	return Figure{File: file, Alt: f.Title + ", lines: " + strings.Join(said, "; "), Caption: caption, Plot: f}, hasPoints(f)
}

func hasPoints(f plot.XY) bool {
	return slices.ContainsFunc(f.Series, func(s plot.Series) bool { return len(s.Points) > 0 })
}

// axisText prints a value as the axis prints its ticks, to three digits.
func axisText(a plot.Axis, v float64) string {
	v = round3(v)
	if a.Format != nil {
		return a.Format(v)
	}
	return fmt.Sprintf("%g", v)
}
