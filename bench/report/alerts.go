package report

import (
	"fmt"
	"math"
	"slices"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

func alertBlocks(r *experiment.Run) []Block {
	if len(r.Findings.Alerted) == 0 {
		return nil
	}
	return append([]Block{
		Prose("A breach is one sample of a series of its own that makes a rule true; its delay counts from the moment at which it was due. Detected: the server printed the alert, by the clock of bench, which reads it. At the webhook: a receiver in bench had read the request's header. " +
			"The load's samples are one a request, all on series that the rules read, and keep them false. Percentiles are pooled over trials; their 95 % intervals are a bootstrap over trials and, within them, neighbours in time."),
		alertTable(r, "Alert detection", func(x experiment.Alerted) experiment.Delay { return x.Detect }),
		alertTable(r, "Alerts at the webhook", func(x experiment.Alerted) experiment.Delay { return x.Arrive }),
		alertRatios(r),
		pollTable(r),
		Prose("Breaches come evenly spread over the interval, so that an engine that looks once per interval finds them after 0 to one interval and what it takes until a sample can be seen. The wait is until what the server calls the alert's start; what evaluating takes is not in it. " +
			"Early and late are the largest steps by which the waits leave the two distributions that this allows: nothing comes on top, and always 300 ms do. What comes on top is estimated from the mean wait, ± three standard deviations. Compatible means: both steps are within the limit, and so is what comes on top."),
	}, steadyBlocks(r)...)
}

// steadyBlocks says what is left of the delays when the machine's own slowness is left out.
func steadyBlocks(r *experiment.Run) []Block {
	t := Table{Label: "Alerts while the machine ran at its usual speed", Columns: columns("arm", "case", "#told", "#of them left out", "#detected p50", "#p95", "#p99", "#95 % interval", "#max", "#webhook p99", "#95 % interval", "#max")}
	for _, x := range r.Findings.Alerted {
		if x.Steady == (experiment.Steady{}) {
			continue
		}
		d, a := x.Steady.Detect, x.Steady.Arrive
		row := cells(x.Arm, x.Case, thousands(int64(x.Told)), thousands(int64(x.Slowed)), percentile(x, d.P50), percentile(x, d.P95), percentile(x, d.P99), estimateInterval(d.P99), percentileMax(x, d), percentile(x, a.P99), estimateInterval(a.P99), percentileMax(x, a))
		row[0].Arm = 1 + colorOf(r, x.Arm)
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{
		Prose("The machine was slow at times: every 2 ms a thread of bench does the same small piece of work, and its CPU time says how fast a core is, whoever else wants it. Where that is more than three times the median in three beats or more the machine itself runs slowly, whether or not the kernel counts the time as stolen. The tables above have all breaches; this one leaves out those that were due within such a stretch, up to 5 ms before or 50 ms after it, whatever became of them. Arms that poll are not in it: what they tell was due long before."),
		t,
	}
}

// alertTable is a line for each cell and arm.
func alertTable(r *experiment.Run, label string, of func(experiment.Alerted) experiment.Delay) Block {
	t := Table{Label: label, Columns: columns("arm", "how", "#rules", "#samples/s", "#breaches", "#trials", "#missed", "#false", "#p50", "#95 % interval", "#p95", "#p99", "#95 % interval", "#max", "#server's core busy")}
	t.Columns[0].Title = label + ": arm"
	for _, x := range r.Findings.Alerted {
		d := of(x)
		row := cells(x.Arm, x.Alerting, thousands(int64(x.Cell.Rules)), thousands(int64(x.Cell.Rate)), thousands(int64(x.Told+x.Missed)), fmt.Sprint(x.Trials), fmt.Sprint(x.Missed), fmt.Sprint(x.False),
			percentile(x, d.P50), estimateInterval(d.P50), percentile(x, d.P95), percentile(x, d.P99), estimateInterval(d.P99), percentileMax(x, d), none)
		if x.Busy > 0 {
			row[len(row)-1].Text = Value(trial.UnitServerBusy, x.Busy)
		}
		row[0].Arm = 1 + colorOf(r, x.Arm)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// percentile prints a percentile of an arm that missed nothing.
func percentile(x experiment.Alerted, e stat.Estimate) string {
	if x.Missed > 0 || e.Level == 0 {
		return none
	}
	return nanoseconds(e.Value)
}

func percentileMax(x experiment.Alerted, d experiment.Delay) string {
	if x.Missed > 0 || d.Max == 0 {
		return none
	}
	return nanoseconds(d.Max)
}

func estimateInterval(e stat.Estimate) string {
	if e.Level == 0 {
		return none
	}
	return "[" + nanoseconds(e.Low) + ", " + nanoseconds(e.High) + "]"
}

// alertRatios are the comparisons of means that the table of results does not have.
func alertRatios(r *experiment.Run) Block {
	t := Table{Label: "Means of alerts compared", Columns: columns("metric", "arms", "#baseline", "#arm", "#ratio", "#95 % interval", "#n", "note")}
	shown := claimed(r)
	for _, c := range r.Findings.Comparisons {
		if c.Experiment != experiment.Alert || slices.ContainsFunc(shown, func(s experiment.Comparison) bool { return s.ID == c.ID }) {
			continue
		}
		row := cells(c.Title, against(c), figure(c, c.A), figure(c, c.B), ratio(c), interval(c), count(c), note(c))
		row[1].Arm = 1 + colorOf(r, c.B.Arm)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// pollTable says of each arm that polls whether its breaches waited as they must.
func pollTable(r *experiment.Run) Block {
	t := Table{Label: "Polling", Columns: columns("arm", "case", "#breaches", "as polling must give")}
	for _, p := range r.Findings.Polled {
		row := cells(p.Arm, p.Case, thousands(int64(p.Delays)), uniformity(p))
		row[0].Arm = 1 + colorOf(r, p.Arm)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// uniformity says whether an arm's breaches waited as for an engine that looks once per
// interval.
func uniformity(p experiment.Polled) string {
	fits := "compatible with uniform"
	if !p.Compatible {
		fits = "not compatible with uniform"
	}
	return fmt.Sprintf("%s on 0–%v and %.2f ± %.2f s on top (early %.3f, late %.3f, limit %.3f)",
		fits, p.Interval, math.Round(p.Raster.Lag/1e7)/100+0, p.Raster.LagError/1e9, // + 0 makes 0 of −0
		p.Raster.Early, p.Raster.Late, p.Raster.Limit)
}

// alertPoints is how many points of a distribution a plot has at most.
const alertPoints = 200

// alertPlot draws all arms of the cell that most arms took part in, the first such.
func alertPlot(r *experiment.Run) (Figure, bool) {
	cell, ok := alertCellToDraw(r)
	if !ok {
		return Figure{}, false
	}
	f := plot.XY{
		Title:    "How soon a breach is told, " + cell.Where(),
		Subtitle: "Share of breaches that were detected (solid) or at the webhook (dashed) within a time, from the moment the breaching sample was due",
		X:        plot.Axis{Title: "delay", Log: true, Min: 1e5, Max: 2e10, Ticks: []float64{1e5, 1e6, 1e7, 1e8, 1e9, 1e10}, Format: nanosecondsShort},
		Y:        plot.Axis{Title: "share of breaches", Ticks: []float64{0, 0.25, 0.5, 0.75, 1}, Format: func(v float64) string { return fmt.Sprintf("%.0f %%", v*100) }},
	}
	for _, x := range r.Findings.Alerted {
		if x.Cell.Case() != cell.Case() {
			continue
		}
		for _, unit := range []string{trial.UnitDetect, trial.UnitArrive} {
			s := plot.Series{Name: x.Alerting + ", " + x.Arm, Color: colorOf(r, x.Arm), Step: true, Dashed: unit == trial.UnitArrive, Points: distribution(delaysOf(r, x.Case, x.Arm, unit))}
			if unit == trial.UnitArrive {
				s.Name += ", webhook"
			}
			f.Series = append(f.Series, s)
		}
	}
	return xyFigure("alert.svg", "Whoever polls waits for the next look, evenly spread over the interval; stream evaluates each sample as it comes in. The other conditions are in the table.", f)
}

func alertCellToDraw(r *experiment.Run) (cell experiment.AlertCell, ok bool) {
	arms := map[string]int{}
	for _, x := range r.Findings.Alerted {
		arms[x.Case]++
		if arms[x.Case] > arms[cell.Case()] || !ok {
			cell, ok = x.Cell, true
		}
	}
	return cell, ok
}

// distribution returns the share of values up to each of them, thinned.
func distribution(values []float64) []plot.Point {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	points := []plot.Point{{X: values[0]}}
	n, step := len(values), max(1, len(values)/alertPoints)
	for k := step; k < n; k += step {
		points = append(points, plot.Point{X: values[k-1], Y: float64(k) / float64(n)})
	}
	return append(points, plot.Point{X: values[n-1], Y: 1})
}

// delaysOf pools the delays of an arm's valid trials that a unit is the mean of.
func delaysOf(r *experiment.Run, kase, arm, unit string) []float64 {
	var delays []float64
	for i := range r.Trials {
		t := &r.Trials[i]
		if t.Valid() && t.Experiment == experiment.Alert && t.Case == kase && t.Arm == arm {
			for _, d := range experiment.DelaysOf(t, unit) {
				delays = append(delays, float64(d))
			}
		}
	}
	return delays
}
