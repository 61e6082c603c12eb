package main

import (
	"io"

	"phase0/bench/plot"
	bench "phase0/bench/report"
	"phase0/scripts/lab"
)

// figureFile is one plot and its file's name.
type figureFile struct {
	file string
	plot io.WriterTo
}

// Colours: loadgen's stands out.
const (
	colorPeer = iota
	colorLoadgen
	colorThird
)

func colorOf(client string) int {
	if client == "loadgen" {
		return colorLoadgen
	}
	return colorPeer
}

func format(unit string) func(float64) string {
	return func(v float64) string { return bench.Value(unit, v) }
}

// figures returns the plots that there is data for.
func figures(r *report) []figureFile {
	var all []figureFile
	add := func(file string, f plot.Rows) {
		if len(f.Rows) > 0 {
			all = append(all, figureFile{file, f})
		}
	}
	add("closed-rps.svg", r.rowsOf(closedLoop, 0, perSecond, rpsOf, plot.Rows{
		Title: "Closed loop: requests per second from one core", Subtitle: "Median and interval over rounds; faint: single runs", X: plot.Axis{Title: "requests/s that arrived"},
	}))
	add("closed-cpu.svg", r.rowsOf(closedLoop, 0, nanos, cpuOf, plot.Rows{
		Title: "Closed loop: CPU time per request", Subtitle: "User and system time of the client; median and interval over rounds", X: plot.Axis{Title: "CPU per request", Log: true},
	}))
	stall := r.rowsOf(stalling, stallRate, nanos, claimedPercentile("p99"), plot.Rows{
		Title: "p99 while the server stalls for 500 ms every 5 s", Subtitle: "2,000 requests/s; median and interval over rounds", X: plot.Axis{Title: "p99 as the client prints it", Log: true},
	})
	if s, ok := lab.Summarize(values(pick{stalling, stallRate, "loadgen"}.of(r.Runs), truePercentile("p99"))); ok {
		stall.References = []plot.Reference{{From: s.Median, To: s.Median, Label: "truth: " + bench.Value(nanos, s.Median)}}
	}
	add("stall.svg", stall)
	add("pace.svg", r.rowsOf(pacing, paceRate, nanos, deviationMetric(deviationFields()[1]), plot.Rows{
		Title: "How far arrivals are from an even schedule", Subtitle: "p99 of the deviation at 1,000 requests/s; median and interval over rounds", X: plot.Axis{Title: "p99 of the deviation", Log: true},
	}))
	if f := steadyPlot(r); len(f.Series) > 0 {
		all = append(all, figureFile{"steady.svg", f})
	}
	return all
}

// rowsOf fills a plot with one row per client.
func (r *report) rowsOf(experiment string, rate int, unit string, m metric, f plot.Rows) plot.Rows {
	f.X.Format = format(unit)
	for _, name := range r.clients(experiment, rate) {
		kept, bound := usable(pick{experiment, rate, name}.of(r.Runs))
		runs := values(kept, m)
		s, ok := lab.Summarize(runs)
		if !ok || (f.X.Log && s.Low <= 0) {
			continue
		}
		label := name
		if bound {
			label += ", held back by the server"
		}
		f.Rows = append(f.Rows, plot.Row{Label: label, Value: bench.Value(unit, s.Median), Color: colorOf(name), At: s.Median, Low: s.Low, High: s.High, Trials: runs})
	}
	return f
}

func steadyPlot(r *report) plot.XY {
	f := plot.XY{
		Title: "CPU time per request at a fixed rate", Subtitle: "Median and interval over rounds",
		X: plot.Axis{Title: "requests/s asked for", Log: true, Format: format(perSecond)},
		Y: plot.Axis{Title: "CPU per request", Log: true, Format: format(nanos)},
	}
	drawn := 0
	for _, t := range r.Tools {
		s := plot.Series{Name: t.Name, Color: colorOf(t.Name)}
		for _, rate := range steadyRates() {
			if d, ok := lab.Summarize(values(pick{steadiness, rate, t.Name}.of(r.Runs), cpuOf)); ok {
				s.Points = append(s.Points, plot.Point{X: float64(rate), Y: d.Median, Low: d.Low, High: d.High})
			}
		}
		if len(s.Points) == 0 {
			continue
		}
		if t.Name != "loadgen" {
			if s.Dashed = drawn > 2; drawn > 0 {
				s.Color = colorThird + drawn%2
			}
			drawn++
		}
		f.Series = append(f.Series, s)
	}
	for _, rate := range steadyRates() {
		f.X.Ticks = append(f.X.Ticks, float64(rate))
	}
	return f
}
