package report

import (
	"fmt"
	"io"
	"math"
	"slices"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Colours of the arms; verdicts use the third.
const (
	colorSingle = iota
	colorConcurrent
	colorBetter
	colorWorse
)

// figureFile is one plot with the sentence that introduces it.
type figureFile struct {
	file    string
	caption string
	plot    io.WriterTo
}

// figures returns the plots that the run has data for.
func figures(r *experiment.Run) []figureFile {
	var all []figureFile
	add := func(f figureFile, ok bool) {
		if ok {
			all = append(all, f)
		}
	}
	add(effectsPlot(r))
	add(capacityPlot(r))
	add(responsePlot(r))
	add(slowPlot(r))
	add(queryPlot(r))
	add(alertPlot(r))
	return all
}

func effectsPlot(r *experiment.Run) (figureFile, bool) {
	f := plot.Rows{
		Title:      "How many times better is concurrent than single?",
		Subtitle:   "Estimate and 95 % interval; grey: no difference shown, or shown to be equivalent",
		X:          plot.Axis{Title: "ratio, right of 1× concurrent is better", Log: true, Format: func(v float64) string { return digitsShort(v) + "×" }},
		References: []plot.Reference{{From: 1, To: 1, Label: "no difference"}},
	}
	for _, c := range r.Findings.Comparisons {
		if !c.Measured || c.Verdict == stat.Withheld {
			continue
		}
		label := c.Title
		if c.SameMechanism != "" {
			label += " (same mechanism)"
		}
		low, high := c.Interval()
		row := plot.Row{Label: label, Value: ratio(c), At: c.Effect.Ratio, Low: low, High: high}
		if c.Ranged() {
			row.At = c.Cautious.Ratio // the point of a range is its safe end
		}
		switch {
		case c.Control || (c.Verdict != stat.Faster && c.Verdict != stat.Slower):
			row.Grey = true
		case c.Verdict == stat.Faster:
			row.Color = colorBetter
		default:
			row.Color = colorWorse
		}
		f.Rows = append(f.Rows, row)
	}
	return figureFile{"effects.svg", "All comparisons on one scale.", f}, len(f.Rows) > 0
}

func capacityPlot(r *experiment.Run) (figureFile, bool) {
	f := plot.Rows{
		Title:    fmt.Sprintf("Maximum accepted requests per second, %s", r.Profile.CapacityCase()),
		Subtitle: "Median with 95 % interval; faint: single trials",
		X:        plot.Axis{Title: "accepted requests/s", Log: true, Format: digitsShort},
		References: []plot.Reference{
			{From: 50, To: 100, Label: "seed: 50–100"}, {From: 200, To: 200, Label: "seed: 200"}, {From: 2253, To: 2253, Label: "seed: 2,253"},
		},
	}
	for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent, experiment.ArmAgain, experiment.ArmNoKeepAlive} {
		values := valuesOf(r, experiment.Ingest, r.Profile.CapacityCase(), arm, trial.UnitRPS)
		s, err := stat.Describe(values)
		if err != nil {
			continue
		}
		label := map[string]string{experiment.ArmAgain: "concurrent, again (A/A)", experiment.ArmNoKeepAlive: "concurrent, no keep-alive"}[arm]
		if label == "" {
			label = arm
		}
		f.Rows = append(f.Rows, plot.Row{
			Label: label, Value: capacityOf(r, arm, s.Median), Color: armColor(arm), At: s.Median, Low: s.Low, High: s.High, Trials: values,
		})
	}
	return figureFile{"capacity.svg", "Closed loop: every connection sends its next request when the last was answered.", f}, len(f.Rows) > 0
}

// capacityOf prints an arm's maximum RPS, marked where it is a lower bound.
func capacityOf(r *experiment.Run, arm string, median float64) string {
	for _, c := range r.Findings.Comparisons {
		for _, f := range []experiment.Figure{c.A, c.B} {
			if c.Unit == trial.UnitRPS && f.Arm == arm && f.AtLeast {
				return "≥ " + digits(median)
			}
		}
	}
	return digits(median)
}

func responsePlot(r *experiment.Run) (figureFile, bool) {
	f := plot.XY{
		Title:      "Response time against offered rate",
		Subtitle:   "Median over trials with 95 % interval",
		X:          plot.Axis{Title: "offered rate (requests/s)", Log: true, Format: digitsShort},
		Y:          plot.Axis{Title: "response time, from the moment the request was due", Log: true, Format: nanosecondsShort},
		References: []plot.Reference{{From: 10e6, To: 20e6, Label: "seed: 10–20 ms"}},
	}
	for _, rate := range r.Profile.Rates {
		f.X.Ticks = append(f.X.Ticks, float64(rate))
	}
	for _, unit := range []string{trial.UnitP50, trial.UnitP99} {
		for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
			name := arm + map[string]string{trial.UnitP50: " p50", trial.UnitP99: " p99"}[unit]
			s := plot.Series{Name: name, Color: armColor(arm), Dashed: unit == trial.UnitP99}
			s.Points = medians(r, experiment.Response, "rate", r.Profile.Rates, arm, unit)
			if len(s.Points) > 0 {
				f.Series = append(f.Series, s)
			}
		}
	}
	return figureFile{"response.svg", "Open loop: requests are due at fixed moments, whatever the server does.", f}, len(f.Series) > 0
}

// medians returns one point per case of an experiment, "key=x", as far as it has
// trials: the median with its interval.
func medians(r *experiment.Run, name, key string, xs []int, arm, unit string) []plot.Point {
	var points []plot.Point
	for _, x := range xs {
		values := valuesOf(r, name, fmt.Sprintf("%s=%d", key, x), arm, unit)
		if d, err := stat.Describe(values); err == nil {
			points = append(points, plot.Point{X: float64(x), Y: d.Median, Low: d.Low, High: d.High})
		}
	}
	return points
}

func slowPlot(r *experiment.Run) (figureFile, bool) {
	f := plot.Rows{
		Title:    fmt.Sprintf("Response time at %d rps beside one slow client", r.Profile.SlowRate),
		Subtitle: fmt.Sprintf("The slow client takes %v for each body. Median with 95 %% interval; faint: single trials", trial.SlowBody),
		X:        plot.Axis{Title: "response time", Log: true, Format: nanosecondsShort},
	}
	for _, unit := range []string{trial.UnitP50, trial.UnitP99} {
		for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
			values := valuesOf(r, experiment.SlowClient, fmt.Sprintf("rate=%d", r.Profile.SlowRate), arm, unit)
			s, err := stat.Describe(values)
			if err != nil {
				continue
			}
			name := arm + map[string]string{trial.UnitP50: ", p50", trial.UnitP99: ", p99"}[unit]
			f.Rows = append(f.Rows, plot.Row{
				Label: name, Value: Value(unit, s.Median), Color: armColor(arm), At: s.Median, Low: s.Low, High: s.High, Trials: values,
			})
		}
	}
	return figureFile{"slow-client.svg", "What a single accept loop really suffers from.", f}, len(f.Rows) > 0
}

func queryPlot(r *experiment.Run) (figureFile, bool) {
	f := plot.XY{
		Title:    "Query time against stored points",
		Subtitle: "One series, a tenth of the time range. Median over trials with 95 % interval",
		X:        plot.Axis{Title: "points in the file", Log: true, Format: digitsShort},
		Y:        plot.Axis{Title: "time of one query", Log: true, Format: nanosecondsShort},
	}
	for _, n := range r.Profile.PointCounts {
		f.X.Ticks = append(f.X.Ticks, float64(n))
	}
	for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
		s := plot.Series{Name: arm, Color: armColor(arm), Dashed: arm == experiment.ArmConcurrent}
		s.Points = medians(r, experiment.Query, "points", r.Profile.PointCounts, arm, trial.UnitScan)
		if len(s.Points) > 0 {
			f.Series = append(f.Series, s)
		}
	}
	return figureFile{"query.svg", "Files are in the page cache; the server has all cores. single closes its connection after every answer, which shows while files are small.", f}, len(f.Series) > 0
}

func alertPlot(r *experiment.Run) (figureFile, bool) {
	interval := r.Profile.AlertIntervals[0].Seconds()
	f := plot.XY{
		Title:    "Alert detection delay",
		Subtitle: "Share of breaches that were notified within a time, from the moment the breaching sample was due",
		X:        plot.Axis{Title: "detection delay (s)"},
		Y:        plot.Axis{Title: "share of breaches", Ticks: []float64{0, 0.25, 0.5, 0.75, 1}, Format: func(v float64) string { return fmt.Sprintf("%.0f %%", v*100) }},
		Series: []plot.Series{{
			Name: "uniform", Theory: true, Points: []plot.Point{{X: 0, Y: 0}, {X: interval, Y: 1}},
		}},
	}
	for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
		delays := delaysOf(r, arm)
		slices.Sort(delays)
		s := plot.Series{Name: arm, Color: armColor(arm), Step: true, Dashed: arm == experiment.ArmConcurrent, Points: []plot.Point{{}}}
		for i, d := range delays {
			s.Points = append(s.Points, plot.Point{X: d / 1e9, Y: float64(i+1) / float64(len(delays))})
		}
		if len(delays) > 0 {
			f.Series = append(f.Series, s)
		}
	}
	return figureFile{"alert.svg", "Grey: uniform over one evaluation interval, which polling must give.", f}, len(f.Series) > 1
}

func armColor(arm string) int {
	if experiment.Mode(arm) == experiment.ArmSingle {
		return colorSingle
	}
	return colorConcurrent
}

// valuesOf returns a unit of the valid trials of an arm, in the order they ran.
func valuesOf(r *experiment.Run, name, kase, arm, unit string) []float64 {
	var values []float64
	for i := range r.Trials {
		t := &r.Trials[i]
		if v, ok := t.Value(unit); ok && t.Valid() && t.Experiment == name && t.Case == kase && t.Arm == arm {
			values = append(values, v)
		}
	}
	return values
}

func delaysOf(r *experiment.Run, arm string) []float64 {
	var delays []float64
	for i := range r.Trials {
		t := &r.Trials[i]
		if t.Valid() && t.Experiment == experiment.Alert && t.Case == experiment.AlertCase(r.Profile.AlertIntervals[0]) && t.Arm == arm {
			for _, d := range t.DelaysNS {
				delays = append(delays, float64(d))
			}
		}
	}
	return delays
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
