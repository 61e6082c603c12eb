package report

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The figures of what happens when much is asked for or things go wrong.

// kneePlot draws the runs of the searches, and between which rates each arm's knee
// lies.
func kneePlot(r *experiment.Run) (Figure, bool) {
	f := plot.XY{
		Title: "Response time up to the knee", Subtitle: "Median p99 of the runs at about one rate; bars: their range; grey: the bracket of the knee",
		X: plot.Axis{Title: "offered rate (requests/s)", Log: true, Format: digitsShort},
		Y: plot.Axis{Title: "response time, p99", Log: true, Format: nanosecondsShort},
	}
	for _, a := range mainArms(r) {
		s := plot.Series{Name: a.label, Color: a.color, Points: kneeCurve(r, a.name)}
		if last, first, ok := kneeBracket(r, a.name); ok {
			f.Marks = append(f.Marks, plot.Reference{From: last, To: first, Label: fmt.Sprintf("%s: %s–%s", a.label, digits(last), digits(first))})
		}
		f.Series = append(f.Series, s)
	}
	caption := "The highest rate that keeps the objectives lies between the medians of the last rate that passed and the first that failed, of searches that found both."
	if cut, all := cutSearches(r); cut > 0 {
		caption += fmt.Sprintf(" %d of %d searches were cut by their limit; with an open bracket their last rate that passed is a lower bound.", cut, all)
	}
	return xyFigure("knee.svg", caption, f)
}

// kneeBracket returns the medians of both ends, over the searches of an arm that found
// both: medians over different searches could stand the wrong way round.
func kneeBracket(r *experiment.Run, arm string) (last, first float64, ok bool) {
	var passed, failed []float64
	for i := range r.Trials {
		t := &r.Trials[i]
		pass, hasPass := t.Value(trial.UnitKnee)
		fail, hasFail := t.Value(trial.UnitKneeFail)
		if t.Experiment == experiment.Knee && t.Arm == arm && t.Valid() && hasPass && hasFail {
			passed, failed = append(passed, pass), append(failed, fail)
		}
	}
	low, errLow := stat.Describe(passed)
	high, errHigh := stat.Describe(failed)
	return low.Median, high.Median, errors.Join(errLow, errHigh) == nil
}

// cutSearches counts the searches for the knee that ended at their limit.
func cutSearches(r *experiment.Run) (cut, all int) {
	for i := range r.Trials {
		if t := &r.Trials[i]; t.Experiment == experiment.Knee && t.Valid() {
			all++
			if t.Cut {
				cut++
			}
		}
	}
	return cut, all
}

// kneeCurve is the p99 at the rates that an arm's searches tried, void runs left out.
// Each search has rates of its own: those of a quarter of an octave make one point.
func kneeCurve(r *experiment.Run, arm string) []plot.Point {
	type tries struct{ rates, p99 []float64 }
	tried := map[float64]tries{}
	for i := range r.Trials {
		t := &r.Trials[i]
		if t.Experiment != experiment.Knee || t.Arm != arm || !t.Valid() {
			continue
		}
		for _, p := range t.Curve {
			if (p.Ruling == "pass" || p.Ruling == "fail") && p.P99NS > 0 {
				about := math.Floor(4 * math.Log2(p.OfferedRPS))
				at := tried[about]
				tried[about] = tries{append(at.rates, p.OfferedRPS), append(at.p99, float64(p.P99NS))}
			}
		}
	}
	var points []plot.Point
	for _, about := range slices.Sorted(maps.Keys(tried)) {
		rates, errRates := stat.Describe(tried[about].rates)
		p99, err := stat.Describe(tried[about].p99)
		if errors.Join(errRates, err) == nil {
			points = append(points, plot.Point{X: rates.Median, Y: p99.Median, Low: p99.Min, High: p99.Max})
		}
	}
	return points
}

// lossPlot draws in how many crashes anything was lost. The crash is the independent
// try, not the sample.
func lossPlot(r *experiment.Run) (Figure, bool) {
	f := plot.Rows{
		Title: "In how many crashes were accepted samples lost?", Subtitle: "Share of the signals under load, with its exact two-sided 95 % interval; at the right how many samples all of them cost",
		X: plot.Axis{Title: "crashes that lost anything", Min: 0, Max: 1, Format: percentTick, Ticks: quarters()},
	}
	for _, k := range r.Findings.Kills {
		low, high := stat.ClopperPearson(k.Lossy, k.Trials)
		f.Rows = append(f.Rows, plot.Row{
			Label: fmt.Sprintf("%s, %s", k.Arm, k.Case), Value: fmt.Sprintf("%s of %s lost", thousands(k.Lost), thousands(k.Accepted-k.After)),
			Color: colorOf(r, k.Arm), At: float64(k.Lossy) / float64(k.Trials), Low: low, High: high,
		})
	}
	return rowsFigure("loss.svg", "A crash loses the samples that were accepted and not yet written, all at once; what one crash loses says nothing about the next.", f)
}

func quarters() []float64 { return []float64{0, 0.25, 0.5, 0.75, 1} }

func percentTick(v float64) string { return fmt.Sprintf("%g %%", round3(v*100)) }

func killBlocks(r *experiment.Run) []Block {
	return []Block{killTable(r), Prose("What void trials lost counts here, too: a busy machine excuses no loss. The time to be ready again is of valid trials only.")}
}

// lossBound says below which share of signals a loss stays. Where each of them lost
// something there is no such bound.
func lossBound(k experiment.Kill) string {
	if k.Lossy == k.Trials {
		return "no bound"
	}
	return fmt.Sprintf("%.0f %% of them", k.LossyBelow*100)
}

// killTable is what signals under load cost.
func killTable(r *experiment.Run) Block {
	t := Table{Label: "Loss to signals", Columns: columns("arm", "signal", "#trials", "#with loss", "#with loss, in the long run, below (95 % confidence)", acceptedTitle(r), "#lost", "#duplicated", "#worst, in seconds of load", "#ready again after")}
	for _, k := range r.Findings.Kills {
		ready := none
		if s, err := stat.Describe(valuesOf(r, experiment.Loss, k.Case, k.Arm, trial.UnitReady)); err == nil {
			ready = nanoseconds(s.Median)
		}
		row := cells(k.Arm, strings.TrimPrefix(k.Case, "signal="), fmt.Sprint(k.Trials), fmt.Sprint(k.Lossy), lossBound(k),
			thousands(k.Accepted-k.After), thousands(k.Lost), thousands(k.Duplicated), fmt.Sprintf("%.2g", k.WorstSeconds), ready)
		row[0].Arm = 1 + colorOf(r, k.Arm)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// acceptedTitle heads the samples that a signal could have lost. Older runs did not count
// apart what a server took after its restart.
func acceptedTitle(r *experiment.Run) string {
	if slices.ContainsFunc(r.Findings.Kills, func(k experiment.Kill) bool { return k.After > 0 }) {
		return "#accepted before the signal"
	}
	return "#accepted, also after the restart"
}

// freshnessArmsPlot draws the bounds between which each arm's freshness lies.
func freshnessArmsPlot(r *experiment.Run) (Figure, bool) {
	f := plot.Rows{
		Title: "How soon can accepted samples be queried?", Subtitle: "Between the last query that missed and the first that hit; medians over trials of both bounds",
		X: plot.Axis{Title: "time since the acceptance", Log: true, Format: nanosecondsShort},
	}
	for _, unit := range [][2]string{{trial.UnitFreshP50Low, trial.UnitFreshP50}, {trial.UnitFreshP99Low, trial.UnitFreshP99}} {
		for _, a := range mainArms(r) {
			for _, x := range casesOf(r, experiment.Freshness, "rate") {
				kase := caseOf("rate", x)
				low, errLow := stat.Describe(valuesOf(r, experiment.Freshness, kase, a.name, unit[0]))
				high, errHigh := stat.Describe(valuesOf(r, experiment.Freshness, kase, a.name, unit[1]))
				if errLow != nil || errHigh != nil {
					continue
				}
				f.Rows = append(f.Rows, plot.Row{
					Label: a.label + ", " + strings.TrimPrefix(percentileName(unit[1]), "fresh-"), Value: nanoseconds(low.Median) + " to " + nanoseconds(high.Median),
					Color: a.color, At: math.NaN(), Low: low.Median, High: high.Median,
				})
			}
		}
	}
	return rowsFigure("freshness.svg", "A shorter time cannot be told apart from how often a query asks.", f)
}

// overloadPlots draw how much a server still does at ten times its capacity, and how
// long it takes to recover.
func overloadPlots(r *experiment.Run) []Figure {
	share := plot.Rows{
		Title: "What is left of the capacity under ten times of it", Subtitle: "Median over trials with 95 % interval; faint: single trials",
		X: plot.Axis{Title: "stored per second, in shares of the capacity", Min: 0, Max: 1, Format: percentTick, Ticks: quarters()},
	}
	recovery := plot.Rows{
		Title: "How long until the queue is empty again", Subtitle: "From the end of the overload; median over trials with 95 % interval; faint: single trials",
		X: plot.Axis{Title: "time", Log: true, Format: nanosecondsShort},
	}
	for _, a := range mainArms(r) {
		if row, ok := armRow(r, experiment.Overload, "", a, trial.UnitGoodputShare); ok {
			if refused, err := stat.Describe(valuesOf(r, experiment.Overload, "", a.name, trial.UnitRefused)); err == nil {
				row.Value += ", refused " + Value(trial.UnitRefused, refused.Median)
			}
			share.Rows = append(share.Rows, row)
		}
		if row, ok := armRow(r, experiment.Overload, "", a, trial.UnitRecover); ok {
			recovery.Rows = append(recovery.Rows, row)
		} else if unrecovered(r, a.name) {
			recovery.Rows = append(recovery.Rows, plot.Row{Label: a.label, Value: "not while it was watched", Color: a.color, At: math.NaN()})
		}
	}
	var all []Figure
	for _, f := range []struct {
		file, caption string
		rows          plot.Rows
	}{
		{"overload.svg", "The capacity was lowered first, by a storage that takes 2 ms per append, and measured. A server that takes on more than it can do does less than it could.", share},
		{"recovery.svg", "A server that keeps all that it is offered has the whole queue to work off.", recovery},
	} {
		if figure, ok := rowsFigure(f.file, f.caption, f.rows); ok {
			all = append(all, figure)
		}
	}
	return all
}

// unrecovered reports whether an arm has trials that did not see it recover.
func unrecovered(r *experiment.Run, arm string) bool {
	return slices.ContainsFunc(r.Trials, func(t trial.Result) bool {
		return t.Experiment == experiment.Overload && t.Arm == arm && t.Valid() && t.Unavailable[trial.UnitRecover] != ""
	})
}

// mixedPlot draws queries and ingest that go on together.
func mixedPlot(r *experiment.Run) (Figure, bool) {
	f := plot.Rows{
		Title: "Queries while ingesting", Subtitle: "Median over trials with 95 % interval; faint: single trials",
		X: plot.Axis{Title: "response time", Log: true, Format: nanosecondsShort},
	}
	for _, unit := range []struct{ key, name string }{{trial.UnitP99, "ingest p99"}, {trial.UnitQueryP50, "query p50"}} {
		for _, a := range mainArms(r) {
			for _, x := range casesOf(r, experiment.Mixed, "rate") {
				row, ok := armRow(r, experiment.Mixed, caseOf("rate", x), a, unit.key)
				row.Label += ", " + unit.name
				if ok {
					f.Rows = append(f.Rows, row)
				}
			}
		}
	}
	return rowsFigure("mixed.svg", "Ingest and queries are offered together, each on a schedule of its own.", f)
}

// selectivityPlot draws query time against how much of the file is asked for.
func selectivityPlot(r *experiment.Run) (Figure, bool) {
	f := plot.XY{
		Title: "Query time against selectivity", Subtitle: fmt.Sprintf("One figure over the newest part of %s points. Median over trials with 95 %% interval", thousands(int64(r.Profile.SharePoints))),
		X: plot.Axis{Title: "share of the time range that is asked for", Log: true, Format: percentTick, Ticks: casesOf(r, experiment.Selectivity, "share")},
		Y: plot.Axis{Title: "time of one query", Log: true, Format: nanosecondsShort},
	}
	for i, a := range mainArms(r) {
		f.Series = append(f.Series, plot.Series{Name: a.label, Color: a.color, Dashed: i%2 == 1, Points: medians(r, experiment.Selectivity, "share", a.name, trial.UnitScan)})
	}
	return xyFigure("selectivity.svg", "A scan reads the whole file whatever is asked for; skipping shows where little is.", f)
}

// ladderPlots draw, for each of the ladder's metrics, what every component's better
// mechanism buys alone and on top of the others.
func ladderPlots(r *experiment.Run) []Figure {
	alone, stacked := experiment.LadderArms(r.Arms)
	byCase := map[string][]experiment.Comparison{}
	for _, c := range r.Findings.Comparisons {
		if c.Experiment == experiment.Ladder && c.Measured && !c.Control {
			byCase[c.Case] = append(byCase[c.Case], c)
		}
	}
	var all []Figure
	for _, kase := range slices.Sorted(maps.Keys(byCase)) {
		comparisons := byCase[kase]
		f := plot.Rows{
			Title: "What every component buys: " + comparisons[0].Title, Subtitle: "Ratio to " + comparisons[0].A.Arm + " with 95 % interval; grey: not decided, or equivalent",
			X:          plot.Axis{Title: "ratio, right of 1× is better", Log: true, Format: func(v float64) string { return digitsShort(v) + "×" }},
			References: []plot.Reference{{From: 1, To: 1, Label: "no difference"}},
		}
		f.Rows = append(rungRows("each alone", 2, alone, comparisons), rungRows("one after another", 3, stacked, comparisons)...)
		if figure, ok := rowsFigure("ladder-"+kase+".svg", "Gains do not multiply: what one component buys depends on which of the others was the bottleneck.", f); ok {
			all = append(all, figure)
		}
	}
	return all
}

// ladderBlocks are the ladder in figures: a row for every rung, a column for every
// metric.
func ladderBlocks(r *experiment.Run) []Block {
	alone, stacked := experiment.LadderArms(r.Arms)
	t := Table{Label: "The ladder", Columns: columns("climb", "arm")}
	byArm := map[string]map[string]Cell{}
	for _, c := range r.Findings.Comparisons {
		if c.Experiment != experiment.Ladder || c.Control {
			continue
		}
		if title := c.Title; !slices.ContainsFunc(t.Columns, func(x Column) bool { return x.Title == title }) {
			t.Columns = append(t.Columns, Column{Title: title, Number: true})
		}
		if byArm[c.B.Arm] == nil {
			byArm[c.B.Arm] = map[string]Cell{}
		}
		byArm[c.B.Arm][c.Title] = Cell{Text: rung(c), Tone: tone(c)}
	}
	for _, climb := range []struct {
		name string
		arms []string
	}{{"alone", alone}, {"one after another", stacked}} {
		for _, arm := range climb.arms {
			if byArm[arm] == nil {
				continue
			}
			row := cells(climb.name, arm)
			for _, column := range t.Columns[2:] {
				cell, ok := byArm[arm][column.Title]
				if !ok {
					cell.Text = "–" // not measured on this rung
				}
				row = append(row, cell)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	text := "Ratios to the baseline with 95 % intervals. Coloured where the verdict is that they differ; p-values are corrected within the ladder. " +
		"~ and a range say that a server's core was not full, because the load generator's was."
	if slices.ContainsFunc(r.Findings.Comparisons, func(c experiment.Comparison) bool { return c.Experiment == experiment.Ladder && pooled(c) }) {
		text += " Alert detection is a ratio of means over injections, with a bootstrap interval; rungs that poll as the baseline does are left out but for the last (–)."
	}
	return []Block{t, Prose(text)}
}

// rung is a cell of the ladder.
func rung(c experiment.Comparison) string {
	text := interval(c)
	switch {
	case ratio(c) == none:
		return none
	case text == none:
		return fmt.Sprintf("%s (%d pairs, no interval)", ratio(c), c.Effect.N)
	}
	return ratio(c) + " " + text
}

// rungRows are the rows of some of the ladder's arms under a heading.
func rungRows(heading string, color int, arms []string, comparisons []experiment.Comparison) []plot.Row {
	rows := []plot.Row{{Label: heading, Heading: true}}
	for _, arm := range arms {
		i := slices.IndexFunc(comparisons, func(c experiment.Comparison) bool { return c.B.Arm == arm })
		if i < 0 {
			continue
		}
		c := comparisons[i]
		low, high := c.Interval()
		rows = append(rows, plot.Row{
			Label: cmp.Or(rungLabel(arm, c.A.Arm), arm), Value: ratio(c), Color: color, At: c.Effect.Ratio, Low: low, High: high,
			Grey: c.Verdict != stat.Faster && c.Verdict != stat.Slower,
		})
	}
	if len(rows) == 1 {
		return nil
	}
	return rows
}

// rungLabel is what an arm adds to its baseline: the last of its settings.
func rungLabel(arm, baseline string) string {
	added, ok := strings.CutPrefix(arm, baseline+",")
	if !ok {
		return ""
	}
	settings := strings.Split(added, ",")
	if len(settings) == 1 {
		return settings[0]
	}
	return "+ " + settings[len(settings)-1]
}
