package slo

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"phase0/loadgen/record"
)

// State says whether objectives are kept. Its text is part of the JSON form.
type State string

// The states.
const (
	Met     State = "met"
	Missed  State = "missed"
	Unknown State = "unknown" // not enough is known to say either
)

// Outcome is what a check found.
type Outcome struct {
	// State is missed when any row is, else unknown when any row is, else met.
	State State `json:"state"`
	Rows  []Row `json:"rows"` // one for each objective, in their order
}

// Row is the check of one objective.
type Row struct {
	Objective string  `json:"objective"` // canonical, "p99<20ms"
	Metric    string  `json:"metric"`    // "p99"
	Operator  string  `json:"operator"`  // "<", "<=", ">" or ">="
	Unit      Unit    `json:"unit"`      // of Limit and Value
	Limit     float64 `json:"limit"`
	Value     float64 `json:"value"` // 0 when there is none
	// AtLeast: Value is a lower bound, because requests were given up before
	// their answer.
	AtLeast bool  `json:"at_least,omitempty"`
	State   State `json:"state"`
	// Reason says why State is unknown.
	Reason string `json:"reason,omitempty"`
	// Needs is how many observations a value needs, when there were fewer.
	Needs int64 `json:"needs,omitempty"`
}

// Check compares a result with objectives. Without objectives the outcome is met.
func Check(objectives []Objective, r record.Result) Outcome {
	out := Outcome{State: Met, Rows: make([]Row, 0, len(objectives))}
	for _, o := range objectives {
		row := o.check(r)
		if row.State == Missed || row.State == Unknown && out.State == Met {
			out.State = row.State
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func (o Objective) check(r record.Result) Row {
	row := Row{
		Objective: o.String(),
		Metric:    o.metric.name,
		Operator:  o.operator,
		Unit:      o.metric.unit,
		Limit:     o.value(),
	}
	switch o.metric.name {
	case "err":
		row.share(float64(r.Accounting.Scheduled-r.Accounting.Accepted), float64(r.Accounting.Scheduled), "no request was scheduled")
	case "rate":
		row.share(r.AchievedRPS, r.OfferedRPS, "no rate was offered")
	default:
		row.time(o.percentile(r.ResponseTime))
	}
	return row
}

func (o Objective) percentile(d record.Distribution) record.Percentile {
	if o.metric.name == "max" {
		return d.Max
	}
	p, ok := d.At(o.metric.quantile)
	if !ok {
		p.Unavailable = "not in the result"
	}
	return p
}

// share fills the row for a part of a whole.
func (r *Row) share(part, whole float64, without string) {
	if !(whole > 0) {
		r.State, r.Reason, r.Needs = Unknown, without, 1
		return
	}
	r.Value = part / whole
	r.State = r.compare()
}

// time fills the row for a percentile.
func (r *Row) time(p record.Percentile) {
	if p.Unavailable != "" {
		r.State, r.Reason, r.Needs = Unknown, p.Unavailable, p.Needs
		return
	}
	r.Value, r.AtLeast = float64(p.NS), p.AtLeast
	r.State = r.compare()
	if r.AtLeast && r.State == Met {
		r.State, r.Reason = Unknown, "requests were given up before their answer"
	}
}

func (r *Row) compare() State {
	var kept bool
	switch r.Operator {
	case "<":
		kept = r.Value < r.Limit
	case "<=":
		kept = r.Value <= r.Limit
	case ">":
		kept = r.Value > r.Limit
	case ">=":
		kept = r.Value >= r.Limit
	}
	if kept {
		return Met
	}
	return Missed
}

// String returns one aligned line for each objective, such as
//
//	p99 < 20ms   12.3ms   met
func (o Outcome) String() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, r := range o.Rows {
		fmt.Fprintf(t, "%s %s %s\t%s\t%s", r.Metric, r.Operator, r.Unit.limit(r.Limit), r.Seen(), r.State)
		if r.Reason != "" {
			fmt.Fprintf(t, ": %s", r.Reason)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // a builder takes everything
	return b.String()
}
