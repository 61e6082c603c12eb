package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

// schema changes when a field changes its meaning or goes away.
const schema = 1

// report is everything that is written to durability.json.
type report struct {
	Schema     int            `json:"schema"`
	Conditions lab.Conditions `json:"conditions"`
	Seconds    int            `json:"seconds"`
	Rate       int            `json:"rate_rps"` // of the steady load
	Seed       uint64         `json:"seed"`
	Disk       float64        `json:"disk_sync_ns"` // a small write and a sync, the median of many
	Targets    []target       `json:"targets"`
	Runs       []run          `json:"runs"` // in the order in which they ran, void ones included

	interrupted bool // by the user
}

// run is one finished run.
type run struct {
	job
	Start    time.Time `json:"start"`    // UTC
	Commands []string  `json:"commands"` // DIR stands for the scratch directory
	// Values are its figures by unit, see counted.go.
	Values   map[string]float64 `json:"values"`
	Machine  lab.Load           `json:"machine"`
	Void     string             `json:"void,omitempty"` // why it is not used
	Warnings []string           `json:"warnings,omitempty"`
}

func (r *run) warnf(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// String is the line of progress.
func (r run) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-6s round %d  %-14s", r.Load, r.Round+1, r.Arm)
	for _, u := range []struct{ unit, label string }{
		{unitSamples, "samples/s"}, {unitSyncs, "syncs/sample"}, {unitSyncTime, "a sync"}, {unitBusy, "busy"}, {unitP50, "p50"}, {unitP99, "p99"}, {unitLost, "lost"},
	} {
		if v, ok := r.Values[u.unit]; ok {
			fmt.Fprintf(&text, "  %s %s", u.label, show(u.unit, v))
		}
	}
	if r.Void != "" {
		fmt.Fprintf(&text, "  VOID: %s", r.Void)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&text, "  (%s)", w)
	}
	return text.String()
}

// of returns the runs of an arm under a load that are not void.
func (r *report) of(arm, load string) []run {
	var out []run
	for _, x := range r.Runs {
		if x.Arm == arm && x.Load == load && x.Void == "" {
			out = append(out, x)
		}
	}
	return out
}

func (r *report) rounds() int {
	n := 0
	for _, x := range r.Runs {
		n = max(n, x.Round+1)
	}
	return n
}

// values returns the figures of a unit.
func values(runs []run, unit string) []float64 {
	var out []float64
	for _, r := range runs {
		if v, ok := r.Values[unit]; ok {
			out = append(out, v)
		}
	}
	return out
}

// ofBounded is how many times the samples per second of the queue in memory an arm takes,
// in the rounds in which both have a figure.
func (r *report) ofBounded(arm, load string) (lab.Summary, bool) {
	var x, y []float64
	theirs := r.of(arm, load)
	for _, one := range r.of(armBounded, load) {
		i := slices.IndexFunc(theirs, func(x run) bool { return x.Round == one.Round })
		if i >= 0 && one.Values[unitSamples] > 0 && theirs[i].Values[unitSamples] > 0 {
			x, y = append(x, one.Values[unitSamples]), append(y, theirs[i].Values[unitSamples])
		}
	}
	return lab.Paired(x, y, stat.HigherIsBetter, r.Seed)
}

// The targets, for the arm that syncs before it answers.
const (
	wantSingle = 0.5 // of bounded
	wantBatch  = 0.8
)

// state says what became of a target.
type state string

const (
	reached     state = "reached"
	missed      state = "not reached"
	notMeasured state = "not measured"
)

// target is one promise with its figure.
type target struct {
	Claim  string `json:"claim"`
	State  state  `json:"state"`
	Figure string `json:"figure"`
	// Note says what the figure leaves open.
	Note string `json:"note,omitempty"`
}

// String is the target's line.
func (t target) String() string {
	line := fmt.Sprintf("%-12s  %s: %s", t.State, t.Claim, t.Figure)
	if t.Note != "" {
		line += " (" + t.Note + ")"
	}
	return line
}

func judge(r *report) []target {
	single, okSingle := r.ofBounded(armAlways, loadSingle)
	batch, okBatch := r.ofBounded(armAlways, loadBatch)
	return []target{
		atLeast(fmt.Sprintf("always, one sample per request: at least %.1f× bounded", wantSingle), single, okSingle, wantSingle),
		atLeast(fmt.Sprintf("always, batches of %d: at least %.1f× bounded", batchSize, wantBatch), batch, okBatch, wantBatch),
		r.ledger(),
	}
}

func atLeast(claim string, s lab.Summary, ok bool, want float64) target {
	t := target{Claim: claim, State: notMeasured, Figure: lab.Times(s, ok)}
	switch {
	case !ok:
		return t
	case s.Median >= want:
		t.State = reached
	default:
		t.State = missed
	}
	if s.Low < want && s.High >= want {
		t.Note = "the interval reaches to both sides"
	}
	return t
}

// ledger judges every run, void ones included.
func (r *report) ledger() target {
	looked, wrong, n := 0.0, 0.0, 0
	for _, x := range r.Runs {
		if _, ok := x.Values[unitVerified]; ok {
			looked, wrong, n = looked+x.Values[unitVerified], wrong+x.Values[unitWrong], n+1
		}
	}
	t := target{Claim: "accepted samples lost, doubled or made up: none", State: notMeasured, Figure: lab.None}
	if n > 0 {
		t.State, t.Figure = reached, fmt.Sprintf("%s of %s in %d runs", show(unitWrong, wrong), show(unitVerified, looked), n)
	}
	if wrong > 0 {
		t.State = missed
	}
	return t
}

func (r *report) lost() bool {
	return slices.ContainsFunc(r.Runs, func(x run) bool { return x.Values[unitLost] > 0 })
}

func (r *report) missed() bool {
	return slices.ContainsFunc(r.Targets, func(t target) bool { return t.State == missed })
}

// allVoid reports an arm under a load of which no run counts.
func (r *report) allVoid() bool {
	return slices.ContainsFunc(r.Runs, func(x run) bool { return len(r.of(x.Arm, x.Load)) == 0 })
}

// write puts all files into dir, over those of an earlier run.
func write(dir string, r *report) error {
	files := map[string]func(io.Writer) error{
		"durability.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
		"durability.md":   func(w io.Writer) error { return writeMarkdown(w, r) },
	}
	if f := latencyPlot(r); len(f.Series) > 0 {
		files["durability.svg"] = func(w io.Writer) error {
			_, err := f.WriteTo(w)
			return err
		}
	}
	return lab.Write(dir, files)
}
