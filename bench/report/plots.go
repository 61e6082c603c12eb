package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// figures returns the plots that the run has data for.
func figures(r *experiment.Run) []Figure {
	var all []Figure
	for _, draw := range []func(*experiment.Run) (Figure, bool){effectsPlot, capacityPlot, p50Plot, p99Plot, slowPlot, kneePlot, queryPlot, selectivityPlot, mixedPlot, freshnessArmsPlot, lossPlot, alertPlot} {
		if f, ok := draw(r); ok {
			all = append(all, f)
		}
	}
	if f, ok := durablePlot(r); ok {
		all = append(all, f)
	}
	return slices.Concat(all, overloadPlots(r), ladderPlots(r))
}

func effectsPlot(r *experiment.Run) (Figure, bool) {
	a, b, onePair := pair(r)
	f := plot.Rows{
		Title:      "How many times better than the baseline?",
		Subtitle:   "Estimate and 95 % interval; grey: no difference shown, or shown to be equivalent",
		X:          plot.Axis{Title: "ratio, right of 1× is better than the baseline", Log: true, Format: func(v float64) string { return digitsShort(v) + "×" }},
		References: []plot.Reference{{From: 1, To: 1, Label: "no difference"}},
	}
	if onePair {
		f.Title = fmt.Sprintf("How many times better is %s than %s?", b, a)
		f.X.Title = fmt.Sprintf("ratio, right of 1× %s is better", b)
	}
	shown, rest := fitting(slices.DeleteFunc(claimed(r), func(c experiment.Comparison) bool { return !c.Measured || c.Verdict == stat.Withheld }))
	for _, c := range shown {
		label := c.Title
		if !onePair && !c.Control {
			label += ", " + c.B.Arm
		}
		if c.SameMechanism != "" {
			label += " (same mechanism)"
		}
		low, high := c.Interval()
		row := plot.Row{Label: label, Value: ratio(c), At: c.Effect.Ratio, Low: low, High: high, Color: colorOf(r, c.B.Arm)}
		if c.Ranged() {
			row.At = c.Cautious.Ratio // the point of a range is its safe end
		}
		row.Grey = c.Control || (c.Verdict != stat.Faster && c.Verdict != stat.Slower)
		f.Rows = append(f.Rows, row)
	}
	caption := "All comparisons on one scale."
	if rest > 0 {
		caption = fmt.Sprintf("The comparisons on one scale; %d more, of other points of the same curves, are in the tables.", rest)
	}
	return rowsFigure("effects.svg", caption, f)
}

func capacityPlot(r *experiment.Run) (Figure, bool) {
	f := plot.Rows{
		Title:    "Maximum accepted requests per second, " + strings.ReplaceAll(r.Profile.CapacityCase(), "=", " "),
		Subtitle: "Median with 95 % interval; faint: single trials",
		X:        plot.Axis{Title: "accepted requests/s", Log: true, Format: digitsShort},
		References: []plot.Reference{
			{From: 50, To: 100, Label: "seed: 50–100"}, {From: 200, To: 200, Label: "seed: 200"}, {From: 2253, To: 2253, Label: "seed: 2,253"},
		},
	}
	for _, a := range armsOf(r) {
		row, ok := armRow(r, experiment.Ingest, r.Profile.CapacityCase(), a, trial.UnitRPS)
		if !ok {
			continue
		}
		if boundedBelow(r, a.name) {
			row.Value = "≥ " + row.Value
		}
		f.Rows = append(f.Rows, row)
	}
	return rowsFigure("capacity.svg", "Closed loop: every connection sends its next request when the last was answered.", f)
}

// armRow is an arm's median with its interval and trials.
func armRow(r *experiment.Run, name, kase string, a armStyle, unit string) (plot.Row, bool) {
	values := valuesOf(r, name, kase, a.name, unit)
	s, err := stat.Describe(values)
	if err != nil {
		return plot.Row{}, false
	}
	return plot.Row{Label: a.label, Value: Value(unit, s.Median), Color: a.color, At: s.Median, Low: s.Low, High: s.High, Trials: values}, true
}

// boundedBelow reports whether an arm's maximum RPS, as the plot shows it, is a lower
// bound.
func boundedBelow(r *experiment.Run, arm string) bool {
	for _, c := range r.Findings.Comparisons {
		for _, f := range []experiment.Figure{c.A, c.B} {
			if c.Experiment == experiment.Ingest && c.Case == r.Profile.CapacityCase() && c.Unit == trial.UnitRPS && f.Arm == arm && f.AtLeast {
				return true
			}
		}
	}
	return false
}

func p50Plot(r *experiment.Run) (Figure, bool) {
	if len(mainArms(r)) <= 2 {
		return Figure{}, false // both percentiles fit into one plot
	}
	return responsePlot(r, "response-p50.svg", "Response time against offered rate, p50", trial.UnitP50)
}

func p99Plot(r *experiment.Run) (Figure, bool) {
	if len(mainArms(r)) <= 2 {
		return responsePlot(r, "response.svg", "Response time against offered rate", trial.UnitP50, trial.UnitP99)
	}
	return responsePlot(r, "response.svg", "Response time against offered rate, p99", trial.UnitP99)
}

func responsePlot(r *experiment.Run, file, title string, units ...string) (Figure, bool) {
	f := plot.XY{
		Title:      title,
		Subtitle:   "Median over trials with 95 % interval",
		X:          plot.Axis{Title: "offered rate (requests/s)", Log: true, Format: digitsShort, Ticks: casesOf(r, experiment.Response, "rate")},
		Y:          plot.Axis{Title: "response time, from the moment the request was due", Log: true, Format: nanosecondsShort},
		References: []plot.Reference{{From: 10e6, To: 20e6, Label: "seed: 10–20 ms"}},
	}
	for _, unit := range units {
		for _, a := range mainArms(r) {
			name := a.label
			if len(units) > 1 {
				name += " " + percentileName(unit)
			}
			f.Series = append(f.Series, plot.Series{
				Name: name, Color: a.color, Dashed: unit == trial.UnitP99 && len(units) > 1,
				Points: medians(r, experiment.Response, "rate", a.name, unit),
			})
		}
	}
	return xyFigure(file, "Open loop: requests are due at fixed moments, whatever the server does.", f)
}

func percentileName(unit string) string { return strings.TrimSuffix(unit, "-ns") }

// casesOf lists the values x of an experiment's cases "key=x", in order.
func casesOf(r *experiment.Run, name, key string) []float64 {
	var all []float64
	for i := range r.Trials {
		t := &r.Trials[i]
		text, ok := strings.CutPrefix(t.Case, key+"=")
		x, err := strconv.ParseFloat(text, 64)
		if t.Experiment == name && ok && err == nil && !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	slices.Sort(all)
	return all
}

// caseOf is the case of an experiment in which key has the value x.
func caseOf(key string, x float64) string { return key + "=" + strconv.FormatFloat(x, 'f', -1, 64) }

// medians returns one point per case "key=x" of an experiment for which the arm has
// trials: the median with its interval.
func medians(r *experiment.Run, name, key, arm, unit string) []plot.Point {
	var points []plot.Point
	for _, x := range casesOf(r, name, key) {
		if d, err := stat.Describe(valuesOf(r, name, caseOf(key, x), arm, unit)); err == nil {
			points = append(points, plot.Point{X: x, Y: d.Median, Low: d.Low, High: d.High})
		}
	}
	return points
}

func slowPlot(r *experiment.Run) (Figure, bool) {
	f := plot.Rows{
		Title:    fmt.Sprintf("Response time at %d rps beside one slow client", r.Profile.SlowRate),
		Subtitle: fmt.Sprintf("The slow client takes %v for each body. Median with 95 %% interval; faint: single trials", trial.SlowBody),
		X:        plot.Axis{Title: "response time", Log: true, Format: nanosecondsShort},
	}
	for _, unit := range []string{trial.UnitP50, trial.UnitP99} {
		for _, a := range mainArms(r) {
			row, ok := armRow(r, experiment.SlowClient, fmt.Sprintf("rate=%d", r.Profile.SlowRate), a, unit)
			row.Label += ", " + percentileName(unit)
			if ok {
				f.Rows = append(f.Rows, row)
			}
		}
	}
	return rowsFigure("slow-client.svg", "What a single accept loop really suffers from. For how long others wait is for the slow client to say: here each of its bodies takes 500 ms.", f)
}

func queryPlot(r *experiment.Run) (Figure, bool) {
	f := plot.XY{
		Title:    "Query time against stored points",
		Subtitle: "One series, a tenth of the time range. Median over trials with 95 % interval; in brackets the fitted power of the larger files",
		X:        plot.Axis{Title: "points in the file", Log: true, Format: digitsShort, Ticks: casesOf(r, experiment.Query, "points")},
		Y:        plot.Axis{Title: "time of one query", Log: true, Format: nanosecondsShort},
	}
	for i, a := range mainArms(r) {
		f.Series = append(f.Series, plot.Series{
			Name: a.label + growth(r, a.name), Color: a.color, Dashed: i%2 == 1, Points: medians(r, experiment.Query, "points", a.name, trial.UnitScan),
		})
	}
	caption := "Files are in the page cache; the server has all cores. A power of 1 means that twice the points take twice the time."
	if names := closingArms(r); len(names) > 0 {
		caption += fmt.Sprintf(" %s %s the connection after every answer, which shows while files are small.", strings.Join(names, " and "), plural(len(names), "closes", "close"))
	}
	return xyFigure("query.svg", caption, f)
}

// closingArms are the arms of the query experiment that take no second request on a
// connection.
func closingArms(r *experiment.Run) []string {
	var names []string
	for _, a := range r.Arms {
		if experiment.ClosesConnections(a) {
			names = append(names, a.Name)
		}
	}
	return names
}

// growth prints the exponent of an arm's query time with its interval.
func growth(r *experiment.Run, arm string) string {
	for _, f := range r.Findings.Fits {
		if f.Arm == arm && f.Law.Level > 0 {
			return fmt.Sprintf(" (n^%.2f, %.2f–%.2f)", f.Law.Exponent, f.Law.Low, f.Law.High)
		}
		if f.Arm == arm {
			return fmt.Sprintf(" (n^%.2f)", f.Law.Exponent)
		}
	}
	return ""
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
