package main

import (
	"fmt"
	"time"

	"phase0/bench/plot"
	"phase0/scripts/lab"
)

// latencyPlot shows what a client waits for less risk.
func latencyPlot(r *report) plot.XY {
	f := plot.XY{
		Title:    "What waiting buys",
		Subtitle: fmt.Sprintf("Response time at %d requests/s; median and interval over rounds", r.Rate),
		X:        plot.Axis{Title: "accepted samples that a power failure may take", Log: true, Format: riskLabel},
		Y:        plot.Axis{Title: "response time", Log: true, Format: func(v float64) string { return show(unitP50, v) }},
	}
	for _, a := range arms() {
		if a.place > 0 {
			f.X.Ticks = append(f.X.Ticks, float64(a.place))
		}
	}
	for i, s := range []struct{ unit, name string }{{unitP50, "p50"}, {unitP99, "p99"}} {
		if line := r.line(s.unit); len(line) > 0 {
			f.Series = append(f.Series, plot.Series{Name: s.name, Color: i, Points: line})
		}
		if b, ok := lab.Summarize(values(r.of(armBounded, loadSteady), s.unit)); ok {
			f.References = append(f.References, plot.Reference{From: b.Median, To: b.Median, Label: s.name + " in memory: " + show(s.unit, b.Median)})
			if i == 0 {
				f.Y.Min, f.Y.Max = b.Median/2, b.Median // room for its label below the line
			}
		}
	}
	return f
}

func (r *report) line(unit string) []plot.Point {
	var line []plot.Point
	for _, a := range arms() {
		s, ok := lab.Summarize(values(r.of(a.name, loadSteady), unit))
		if a.place > 0 && ok && s.Low > 0 {
			line = append(line, plot.Point{X: float64(a.place), Y: s.Median, Low: s.Low, High: s.High})
		}
	}
	return line
}

// riskLabel is what stands at a place of the axis.
func riskLabel(v float64) string {
	switch d := time.Duration(v); d {
	case placeNothing:
		return "always"
	case placeEverything:
		return "none"
	default:
		return d.String()
	}
}
