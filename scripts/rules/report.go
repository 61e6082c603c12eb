package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"phase0/scripts/lab"
)

const schema = 1

// report is rules.json.
type report struct {
	Schema     int            `json:"schema"`
	Conditions lab.Conditions `json:"conditions"`
	Settings   settings       `json:"settings"`
	Cells      []outcome      `json:"cells"`
	// Again are cells that something disturbed, and that were measured again.
	Again   []outcome `json:"measured_again,omitempty"`
	Targets []target  `json:"targets"`
}

// settings are the flags that figures depend on.
type settings struct {
	Rate    int    `json:"rate"`             // samples per second
	Seconds int    `json:"seconds"`          // of the open loop
	FlatOut int    `json:"flat_out_seconds"` // of the closed loop
	Seed    uint64 `json:"seed"`
}

// outcome is what was seen of a cell.
type outcome struct {
	cell
	Start   time.Time `json:"start"`
	Void    string    `json:"void,omitempty"` // why the figures say nothing
	Machine lab.Load  `json:"machine"`
	Empty   memory    `json:"empty"` // with rules, and without a sample
	Full    memory    `json:"full"`  // with full windows
	Steady  phase     `json:"steady"`
	Most    *phase    `json:"flat_out,omitempty"`
	Books   books     `json:"books"`

	disturbed bool // by other programs, so that it may go better next time
}

// memory is that of a server, in bytes.
type memory struct {
	Resident int64 `json:"resident"`
	Heap     int64 `json:"heap"` // in use after a collection
}

// phase is what happened between two instants under load.
type phase struct {
	Seconds     float64 `json:"seconds"`
	Offered     float64 `json:"offered"` // samples per second
	Stored      float64 `json:"stored"`  // samples
	Evaluations float64 `json:"evaluations"`
	CPU         float64 `json:"cpu_seconds"`
	Refused     int64   `json:"refused"`
	Depth       trace   `json:"depth"`         // of the queue
	Waiting     trace   `json:"waiting"`       // samples for their evaluation
	Drain       float64 `json:"drain_seconds"` // until nothing of both was left afterwards
	Refills     float64 `json:"refills"`
}

// trace is what became of a number of samples over time.
type trace struct {
	N     int          `json:"n"`
	Most  float64      `json:"most"`
	Slope lab.Estimate `json:"slope"` // samples per second
}

// books balance when nothing was lost.
type books struct {
	Accepted int64 `json:"accepted"`
	Unknown  int64 `json:"unknown"` // without an answer
	Stored   int64 `json:"stored"`  // lines of the storage file
	// Counted is how many of those are of the series that rules keep count of, and Differ how
	// many of these rules came to another number.
	Counted int64 `json:"counted"`
	Differ  int   `json:"differ"`
	LeftOut int64 `json:"left_out"` // by the engine, for want of room
	Refills int64 `json:"refills"`  // of windows, the one at the start included
}

// between condenses readings, two at least.
func between(all []reading) phase {
	first, last := all[0], all[len(all)-1]
	p := phase{
		Seconds: last.at.Sub(first.at).Seconds(), Stored: last.stored - first.stored, Evaluations: last.evaluations - first.evaluations,
		CPU: (last.cpu - first.cpu).Seconds(), Refills: last.refills - first.refills,
	}
	var seconds, depth, waiting []float64
	for _, x := range all {
		seconds = append(seconds, x.at.Sub(first.at).Seconds())
		depth, waiting = append(depth, x.depth), append(waiting, x.waiting)
	}
	p.Depth, p.Waiting = traceOf(seconds, depth), traceOf(seconds, waiting)
	return p
}

func traceOf(seconds, samples []float64) trace {
	return trace{N: len(samples), Most: slices.Max(samples), Slope: lab.SlopeOf(seconds, samples)}
}

// rate is evaluations per second.
func (p phase) rate() float64 { return p.Evaluations / p.Seconds }

// busy is how much of a core the server had. The core's own counter goes by ticks, which
// miss what is done in a few microseconds at a time.
func (p phase) busy() float64 { return p.CPU / p.Seconds }

// perSample is the server's CPU time for a sample, in seconds.
func (p phase) perSample() float64 { return p.CPU / p.Stored }

// cost is the CPU time that an evaluation adds to what the same load costs with a single
// rule, in seconds.
func (p phase) cost(one phase) float64 {
	return (p.perSample() - one.perSample()) * p.Stored / p.Evaluations
}

// String is the line of progress.
func (o outcome) String() string {
	if o.Void != "" {
		return fmt.Sprintf("%-9s void: %s", o.Name, o.Void)
	}
	p := o.Steady
	line := fmt.Sprintf("%-9s %.0f samples/s: %.0f evaluations/s, %.0f %% of a core, depth at most %.0f, slope %v; heap %.1f MiB", o.Name, p.Stored/p.Seconds, p.rate(),
		p.busy()*100, p.Depth.Most, p.Depth.Slope, float64(o.Full.Heap)/(1<<20))
	if m := o.Most; m != nil {
		line += fmt.Sprintf("; flat out %.0f evaluations/s, %.0f samples/s", m.rate(), m.Stored/m.Seconds)
	}
	return line
}

// sort puts cells into the order of the plan.
func (r *report) sort() {
	names := cellNames()
	slices.SortFunc(r.Cells, func(a, b outcome) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
}

// of returns a cell that is there and not void.
func (r *report) of(name string) (outcome, bool) {
	i := slices.IndexFunc(r.Cells, func(o outcome) bool { return o.Name == name && o.Void == "" })
	if i < 0 {
		return outcome{}, false
	}
	return r.Cells[i], true
}

func (r *report) void() bool {
	return slices.ContainsFunc(r.Cells, func(o outcome) bool { return o.Void != "" })
}

func (r *report) missed() bool {
	return slices.ContainsFunc(r.Targets, func(t target) bool { return t.State == missed })
}

// lost looks at void cells, too: what was lost is lost. Where the books were never closed
// there is nothing to compare.
func (r *report) lost() bool {
	return slices.ContainsFunc(slices.Concat(r.Cells, r.Again), func(o outcome) bool { return o.Books.wrong() != "" })
}

// wrong says what does not balance.
func (b books) wrong() string {
	var all []string
	if b.Stored > 0 && b.Stored < b.Accepted {
		all = append(all, fmt.Sprintf("%d accepted samples are not stored", b.Accepted-b.Stored))
	}
	if b.Stored > b.Accepted+b.Unknown {
		all = append(all, fmt.Sprintf("%d more samples are stored than were sent", b.Stored-b.Accepted-b.Unknown))
	}
	if b.Differ > 0 {
		all = append(all, fmt.Sprintf("%d rules have not counted what is stored", b.Differ))
	}
	if b.LeftOut > 0 {
		all = append(all, fmt.Sprintf("%d samples were left out of evaluation", b.LeftOut))
	}
	return strings.Join(all, ", ")
}

var errOther = errors.New("of another commit, machine, or with other flags")

// adopt takes over the cells of an earlier report that are not measured anew.
func (r *report) adopt(dir string, anew []string) error {
	text, err := os.ReadFile(filepath.Join(filepath.Clean(dir), "rules.json"))
	if err != nil {
		return fmt.Errorf("read report to add to: %w", err)
	}
	var old report
	if err := json.Unmarshal(text, &old); err != nil {
		return fmt.Errorf("read report to add to: %w", err)
	}
	a, b := r.Conditions, old.Conditions
	if old.Schema != r.Schema || old.Settings != r.Settings || a.Commit != b.Commit || a.Dirty != b.Dirty || a.GoVersion != b.GoVersion ||
		a.Host.Kernel != b.Host.Kernel || a.Host.CPU != b.Host.CPU || a.Host.Cores != b.Host.Cores {
		return fmt.Errorf("add to a report: %w", errOther)
	}
	for _, c := range old.Cells {
		if !slices.Contains(anew, c.Name) {
			r.Cells = append(r.Cells, c)
		}
	}
	r.Again = old.Again
	return nil
}
