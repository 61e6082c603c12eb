package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"phase0/loadgen/record"
)

// row begins a row with its run.
func (l load) row(texts ...string) []Cell {
	return append([]Cell{{Text: l.name, Arm: 1 + l.color}}, cells(texts...)...)
}

func timesTable(loads []load) Block {
	t := Table{Label: "Times", Columns: columns("run", "what", "#count", "#p50", "#p90", "#p99", "#p99.9", "#p99.99", "#max")}
	for _, l := range loads {
		for _, k := range l.kinds() {
			row := []string{k.name, thousands(k.Count + k.Censored)}
			for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 0.9999} {
				p, ok := k.At(q)
				if !ok {
					p.Unavailable = "no such percentile"
				}
				row = append(row, percentileText(p))
			}
			t.Rows = append(t.Rows, l.row(append(row, percentileText(k.Max))...))
		}
	}
	return t
}

// kind is one distribution of a run under its name.
type kind struct {
	name string
	record.Distribution
}

// kinds are the distributions of a run that have anything in them.
func (l load) kinds() []kind {
	all := []kind{
		{"response time", l.ResponseTime}, {"service time", l.ServiceTime},
		{"response time of the not accepted", l.OtherResponseTime},
		{"send lag", l.SendLag}, {"own lateness", l.OwnLateness}, {"wait for a connection", l.ConnectionWait},
	}
	if l.Queries != nil {
		all = append(all, kind{"response time of queries beside", l.Queries.ResponseTime})
	}
	return slices.DeleteFunc(all, func(k kind) bool { return k.Count+k.Censored == 0 })
}

func accountingTable(loads []load) Block {
	t := Table{Label: "Accounting", Columns: columns("run", "#scheduled", "#sent", "#never sent", "#answered", "#timed out", "#failed", "#open", "#accepted")}
	for _, l := range loads {
		a := l.Accounting
		row := l.row()
		for _, n := range []int64{a.Scheduled, a.Sent, a.NeverSent, a.Answered, a.TimedOut, a.Failed, a.Open, a.Accepted} {
			row = append(row, Cell{Text: thousands(n)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// kindsTable lists status codes and errors by their kind.
func kindsTable(loads []load) Block {
	t := Table{Label: "Status codes and errors", Columns: columns("run", "what", "#requests")}
	for _, l := range loads {
		a := l.Accounting
		for _, group := range []struct {
			name   string
			counts map[string]int64
		}{{"answered with ", a.StatusCodes}, {"failed: ", a.FailedKinds}, {"never sent: ", a.NeverSentKinds}} {
			for _, key := range slices.Sorted(maps.Keys(group.counts)) {
				if !strings.HasPrefix(key, "2") {
					t.Rows = append(t.Rows, l.row(group.name+key, thousands(group.counts[key])))
				}
			}
		}
	}
	return t
}

func verificationTable(loads []load) Block {
	t := Table{Label: "Verification", Columns: columns("run", "#accepted", "#lost", "#duplicated", "#phantom", "#zombie", "#ambiguous", "#loss rate, at most", "drained first")}
	for _, l := range loads {
		v := l.Verification
		if v == nil {
			continue
		}
		row := l.row(thousands(v.Accepted), thousands(v.Lost), thousands(v.Duplicated), thousands(v.Phantom), thousands(v.Zombie), thousands(v.Ambiguous),
			fmt.Sprintf("%.2g (95 %%)", v.LossRateBound), yesNo(v.Drained))
		if v.Lost > 0 {
			row[2].Tone = Bad
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

func freshnessTable(loads []load) Block {
	t := Table{Label: "Freshness", Columns: columns("run", "percentile", "#not before", "#not after", "#probes", "#not visible")}
	for _, l := range loads {
		f := l.Freshness
		if f == nil {
			continue
		}
		for i, low := range f.Lower.Percentiles {
			if i >= len(f.Upper.Percentiles) || (low.Unavailable != "" && f.Upper.Percentiles[i].Unavailable != "") {
				continue
			}
			high := percentileText(f.Upper.Percentiles[i])
			if f.Upper.Percentiles[i].AtLeast {
				high = "not seen"
			}
			t.Rows = append(t.Rows, l.row(low.Name, percentileText(low), high, thousands(f.Probes), thousands(f.Invisible)))
		}
	}
	return t
}

func verdictTable(loads []load) Block {
	t := Table{Label: "Verdicts", Columns: columns("run", "verdict", "held back by", "why")}
	for _, l := range loads {
		row := l.row(string(l.Verdict.Level), l.Verdict.Bottleneck, strings.Join(l.Verdict.Reasons, "; "))
		row[1].Tone = map[record.Level]Tone{record.Valid: Good, record.Degraded: Doubt, record.Invalid: Bad}[l.Verdict.Level]
		t.Rows = append(t.Rows, row)
	}
	return t
}

func loadConditions(loads []load) Block {
	t := Table{Label: "Conditions", Columns: columns("run", "what", "value")}
	for _, l := range loads {
		g := l.Generator
		for _, line := range [][2]string{
			{"run", l.RunID + strings.Join(append([]string{""}, l.MergedFrom...), " ")},
			{"asked for", l.asked()},
			{"of", l.Method + " " + l.URL},
			{"start, length", l.Start.Format("2006-01-02 15:04:05") + " UTC, " + seconds(l.ElapsedSeconds)},
			{"connections", fmt.Sprintf("%d allowed, %d at most, %s dials, keep-alive %s", l.Connections.Allowed, l.Connections.Peak, thousands(l.Connections.Dials), yesNo(l.KeepAlive))},
			{"generator", fmt.Sprintf("%s, engine %s, %s CPU, GC paused %s, busiest thread %.0f %%", l.ToolVersion, l.Engine, seconds(g.CPUSeconds), seconds(g.GCPauseSeconds), g.BusiestThreadShare*100)},
			{"its machine", fmt.Sprintf("%s, %d cores, %s, steal %.2f %%, other programs %.0f %% of its cores", g.Platform, g.CPUs, g.GoVersion, g.StealShare*100, g.Machine.OtherCPUShare*100)},
		} {
			t.Rows = append(t.Rows, l.row(line[0], line[1]))
		}
	}
	return t
}

// asked is the load that a run was to offer.
func (l load) asked() string {
	var text string
	switch {
	case l.Model != "open":
		text = fmt.Sprintf("closed model, %d connections", l.Connections.Allowed)
	case l.Profile != "":
		text = l.Profile + ", " + l.Arrivals + " arrivals"
	default:
		text = digits(l.OfferedRPS) + " requests/s, " + l.Arrivals + " arrivals"
	}
	if l.PlannedSeconds > 0 {
		text += ", " + seconds(l.PlannedSeconds)
	}
	if l.PlannedRequests > 0 {
		text += ", " + thousands(l.PlannedRequests) + " requests"
	}
	return text + fmt.Sprintf(", timeout %s, seed %d", seconds(l.TimeoutSeconds), l.Seed)
}
