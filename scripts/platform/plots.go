package main

import (
	"io"
	"math"

	"phase0/bench/plot"
	"phase0/scripts/lab"
)

// figureFile is one plot and its file's name.
type figureFile struct {
	file string
	plot io.WriterTo
}

// Colours: ours stands out.
const (
	colorOther = iota
	colorOurs
)

func colorOf(arm string) int {
	switch arm {
	case armConcurrent, armGenerated, armParallel:
		return colorOurs
	}
	return colorOther
}

func format(unit string) func(float64) string {
	return func(v float64) string { return show(unit, v) }
}

// figures returns the plots that there is data for.
func figures(r *report) []figureFile {
	var all []figureFile
	rows := func(file string, f plot.Rows) {
		if len(f.Rows) > 0 {
			all = append(all, figureFile{file, f})
		}
	}
	const faint = "Median and interval over rounds; faint: single runs"
	rows("single.svg", r.rowsOf(singleSample, "", unitRequests, plot.Rows{
		Title: "One sample per request, one core", Subtitle: faint, X: plot.Axis{Title: "requests/s"},
	}))
	rows("batch.svg", r.rowsOf(batches, "", unitSamples, plot.Rows{
		Title: "1,000 samples per request, one core", Subtitle: faint, X: plot.Axis{Title: "samples/s"},
	}))
	rows("scan.svg", r.rowsOf(scanning, caseFull, unitScanned, plot.Rows{
		Title: "Scanning a file in the page cache", Subtitle: faint, X: plot.Axis{Title: "bytes of file per second and core", Log: true},
	}))
	slow := r.rowsOf(slowClients, "", unitP99, plot.Rows{
		Title: "p99 of other clients beside slow ones", Subtitle: "2,000 requests/s; " + faint, X: plot.Axis{Title: "p99", Log: true},
	})
	if s, ok := lab.Summarize(values(r.of(slowClients, armBoth, ""), unitP99Alone)); ok {
		slow.References = []plot.Reference{{From: s.Median, To: s.Median, Label: "alone: " + show(unitP99, s.Median)}}
	}
	rows("slow.svg", slow)
	for _, x := range []struct {
		file string
		plot plot.XY
	}{{"overload.svg", r.memoryPlot()}, {"grid.svg", r.gridPlot()}} {
		if len(x.plot.Series) > 0 {
			all = append(all, figureFile{x.file, x.plot})
		}
	}
	return all
}

// rowsOf fills a plot with one row per arm.
func (r *report) rowsOf(experiment, which, unit string, f plot.Rows) plot.Rows {
	f.X.Format = format(unit)
	for _, arm := range arms(experiment) {
		single := values(r.of(experiment, arm, which), unit)
		s, ok := lab.Summarize(single)
		if !ok || f.X.Log && s.Low <= 0 {
			continue
		}
		f.Rows = append(f.Rows, plot.Row{Label: arm, Value: show(unit, s.Median), Color: colorOf(arm), At: s.Median, Low: s.Low, High: s.High, Trials: single})
	}
	return f
}

// memoryPlot shows the first valid run of overload, the most in each second.
func (r *report) memoryPlot() plot.XY {
	const mebibyte = 1 << 20
	f := plot.XY{
		Title: "Memory during overload", Subtitle: "Resident set of the server in one run, the most in each second",
		X: plot.Axis{Title: "seconds since the load began"}, Y: plot.Axis{Title: "MiB", Max: 1},
	}
	runs := r.of(overloading, armConcurrent, "")
	if len(runs) == 0 || len(runs[0].Trace) == 0 {
		return f
	}
	s := plot.Series{Name: "memory", Color: colorOurs}
	for _, m := range everySecond(runs[0].Trace) {
		y := float64(m.Memory) / mebibyte
		s.Points = append(s.Points, plot.Point{X: m.Seconds, Y: y, Low: y, High: y})
	}
	f.Series = []plot.Series{s}
	bound := runs[0].Values[unitBound]
	f.References = []plot.Reference{{From: bound / mebibyte, To: bound / mebibyte, Label: "bound: " + show(unitBound, bound)}}
	return f
}

// everySecond keeps the moment of most memory in each second, at the second's start.
func everySecond(trace []moment) []moment {
	var kept []moment
	for _, m := range trace {
		m.Seconds = math.Floor(m.Seconds)
		switch last := len(kept) - 1; {
		case last < 0 || kept[last].Seconds != m.Seconds:
			kept = append(kept, m)
		case kept[last].Memory < m.Memory:
			kept[last] = m
		}
	}
	return kept
}

func (r *report) gridPlot() plot.XY {
	f := plot.XY{
		Title: "Samples per second stored by one core", Subtitle: "Median and interval over rounds",
		X: plot.Axis{Title: "connections", Log: true, Ticks: []float64{1, 16, 64}}, Y: plot.Axis{Title: "samples/s", Log: true, Format: format(unitSamples)},
	}
	var s plot.Series
	for _, g := range grid() {
		if g.connections == 1 {
			s = plot.Series{Name: lineName(g), Color: colorOther, Dashed: g.series > 1}
			if g.samples > 1 {
				s.Color = colorOurs
			}
		}
		if x, ok := lab.Summarize(values(r.of(gridding, armConcurrent, g.String()), unitSamples)); ok && x.Low > 0 {
			s.Points = append(s.Points, plot.Point{X: float64(g.connections), Y: x.Median, Low: x.Low, High: x.High})
		}
		if g.connections == 64 && len(s.Points) > 0 {
			f.Series = append(f.Series, s)
		}
	}
	return f
}

// lineName names a line of the grid's plot.
func lineName(s shape) string {
	name := "1 a request"
	if s.samples > 1 {
		name = "1,000 a request"
	}
	if s.series > 1 {
		return name + ", 1e5 series"
	}
	return name + ", 1 series"
}
