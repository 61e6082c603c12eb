package report

import (
	"fmt"
	"slices"
	"strconv"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// What a queue that survives a crash costs and buys.

// durableClaims are the comparisons of the experiment that have trials, the control last.
func durableClaims(r *experiment.Run) []experiment.Comparison {
	all := slices.DeleteFunc(slices.Clone(r.Findings.Comparisons), func(c experiment.Comparison) bool {
		return c.Experiment != experiment.Durable || c.Trials == 0
	})
	slices.SortStableFunc(all, func(a, b experiment.Comparison) int { return order(a.Control) - order(b.Control) })
	return all
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// durability says in sentences what the experiment found.
func durability(r *experiment.Run) []string {
	var all []string
	for _, c := range durableClaims(r) {
		if c.Unit == trial.UnitRPS && !c.Control {
			all = append(all, clause(c))
		}
	}
	base, durable, ok := durableKills(r)
	if ok {
		all = append(all, fmt.Sprintf("killed with -9 in the same way, %s; %s", toll(durable), toll(base)))
	}
	return all
}

// durableKills are what crashes cost the arm that promises nothing and the durable one.
func durableKills(r *experiment.Run) (base, durable experiment.Kill, ok bool) {
	for _, k := range r.Findings.DurableKills {
		if k.Arm == experiment.ArmDurable {
			durable = k
		} else if experiment.Base(k.Arm) == k.Arm {
			base = k
		}
	}
	return base, durable, base.Trials > 0 && durable.Trials > 0
}

// durableTable holds the comparisons, what crashes cost, and how often the log was synced.
func durableTable(r *experiment.Run) Table {
	claims := durableClaims(r)
	if len(claims) == 0 {
		return Table{}
	}
	t := Table{Label: "What durability costs and buys", Columns: columns("metric", "#"+claims[0].A.Arm, "#"+experiment.ArmDurable, "#ratio", "#95 % interval", "verdict", "#n", "note")}
	for _, c := range claims {
		row := cells(c.Title, figure(c, c.A), figure(c, c.B), ratio(c), interval(c), verdict(c), count(c), note(c))
		row[5].Tone = tone(c)
		t.Rows = append(t.Rows, row)
	}
	t.Rows = slices.Concat(t.Rows, crashRows(r), syncRows(r))
	return t
}

// crashRows set what kill -9 cost beside what was promised.
func crashRows(r *experiment.Run) [][]Cell {
	base, durable, ok := durableKills(r)
	if !ok {
		return nil
	}
	crashes := func(k experiment.Kill) string {
		return fmt.Sprintf("%d of %d (%s)", k.Lossy, k.Trials, bound(k))
	}
	row := func(title, a, b string, broken bool, note string) []Cell {
		line := cells(title, a, b, none, none, "promise kept", strconv.Itoa(durable.Trials), note)
		line[5].Tone = Good
		if broken {
			line[5] = Cell{Text: "PROMISE BROKEN", Tone: Bad}
		}
		return line
	}
	const promise = "what durable accepted may not be lost"
	return [][]Cell{
		row("accepted samples lost to kill -9", fmt.Sprintf("%s of %s", thousands(base.Lost), thousands(base.Accepted-base.After)),
			fmt.Sprintf("%s of %s", thousands(durable.Lost), thousands(durable.Accepted-durable.After)), durable.Lost > 0, promise),
		row("crashes that lost some (in the long run, 95 % confidence)", crashes(base), crashes(durable), durable.Lossy > 0, promise),
		row("samples stored more than once", thousands(base.Duplicated), thousands(durable.Duplicated), durable.Duplicated > 0, "nor be stored twice"),
	}
}

// bound says below which share of crashes a loss stays.
func bound(k experiment.Kill) string {
	if k.Lossy == k.Trials {
		return "no bound"
	}
	return fmt.Sprintf("below %.0f %%", k.LossyBelow*100)
}

// syncRows tell how many samples share a sync of the log.
func syncRows(r *experiment.Run) [][]Cell {
	var rows [][]Cell
	for _, of := range [][2]string{
		{experiment.DurableRPS, "at maximum RPS"}, {experiment.DurableBatch, "in batches of 1,000"}, {experiment.DurableRate(), "at " + experiment.DurableRate()[len("rate="):] + " rps"},
	} {
		values := func(unit string) []float64 {
			return valuesOf(r, experiment.Durable, of[0], experiment.ArmDurable, unit)
		}
		syncs, err := stat.Describe(values(trial.UnitSyncs))
		if err != nil {
			continue
		}
		note := ""
		took, errTook := stat.Describe(values(trial.UnitSyncTime))
		share, errShare := stat.Describe(values(trial.UnitSyncBusy))
		if errTook == nil && errShare == nil {
			note = fmt.Sprintf("one takes %s, and the log was being synced for %s of the time", Value(trial.UnitSyncTime, took.Median), Value(trial.UnitSyncBusy, share.Median))
		}
		rows = append(rows, cells("syncs of the log per accepted sample, "+of[1], none, Value(trial.UnitSyncs, syncs.Median), none, none, "", strconv.Itoa(syncs.N), note))
	}
	return rows
}

func durableBlocks(r *experiment.Run) []Block {
	t := durableTable(r)
	if len(t.Rows) == 0 {
		return nil
	}
	base := t.Columns[1].Title
	return []Block{t, Prose(fmt.Sprintf("`%s` is `%s` with `-queue=wal -sync=always`: a sample is answered only after the log that holds it was synced, and requests that wait together share one sync. "+
		"What %s loses to kill -9 is the price of its queue; a sample that %s lost is a broken promise, for which the report says LOST on top and the run ends with exit code 4. Crashes are the independent tries: their number bounds how often one loses anything. "+
		"n counts pairs of trials, crashes, or trials. A server counts as full, and its figure as no lower bound, where its core was busy or its log was being synced, together for 98 %% of the time. "+
		"p-values are corrected within this table.", experiment.ArmDurable, base, base, experiment.ArmDurable))}
}

// durablePlot draws the prices.
func durablePlot(r *experiment.Run) (Figure, bool) {
	f := plot.Rows{
		Title: "What durability costs", Subtitle: "Ratio to the same without it, with 95 % interval; grey: not decided, or equivalent",
		X:          plot.Axis{Title: "ratio, left of 1× durable is worse", Log: true, Format: func(v float64) string { return digitsShort(v) + "×" }},
		References: []plot.Reference{{From: 1, To: 1, Label: "no difference"}},
	}
	for _, c := range durableClaims(r) {
		if !c.Measured || c.Control || c.Verdict == stat.Withheld {
			continue
		}
		low, high := c.Interval()
		f.Rows = append(f.Rows, plot.Row{
			Label: c.Title, Value: ratio(c), Color: colorOf(r, c.B.Arm), At: c.Effect.Ratio, Low: low, High: high,
			Grey: c.Verdict != stat.Faster && c.Verdict != stat.Slower,
		})
	}
	caption := "Every request waits for a sync of the log, which all that wait share."
	if base, durable, ok := durableKills(r); ok {
		caption += fmt.Sprintf(" For this price %s of %s samples were lost in %d crashes, without it %s of %s.",
			thousands(durable.Lost), thousands(durable.Accepted-durable.After), durable.Trials, thousands(base.Lost), thousands(base.Accepted-base.After))
	}
	return rowsFigure("durable.svg", caption, f)
}
