package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/stat"
)

// plainPause is the time between two progress lines where there is no terminal to
// rewrite a line on.
const plainPause = 10 * time.Second

// progressKind is how progress is told.
type progressKind string

const (
	progressText progressKind = "text"
	progressJSON progressKind = "json"
	progressNone progressKind = "none"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *progressKind) UnmarshalText(text []byte) error {
	switch kind := progressKind(text); kind {
	case progressText, progressJSON, progressNone:
		*k = kind
		return nil
	}
	return fmt.Errorf("unknown kind of progress; known are text, json and none")
}

// MarshalText implements encoding.TextMarshaler.
func (k progressKind) MarshalText() ([]byte, error) { return []byte(k), nil }

// progress tells what runs. It is used from the runner's goroutine only.
type progress struct {
	out      io.Writer
	kind     progressKind
	plan     experiment.Plan
	terminal bool
	width    int // of the terminal
	last     time.Time
	values   map[string][]float64 // by task and arm
	newest   string               // estimates of the task measured last
}

func newProgress(out io.Writer, plan experiment.Plan, kind progressKind) *progress {
	if kind == progressNone {
		out = io.Discard
	}
	width, terminal := terminalWidth(out)
	return &progress{out: out, kind: kind, plan: plan, terminal: terminal && kind == progressText, width: width, values: map[string][]float64{}}
}

// terminalWidth returns the columns of w where it is a terminal.
func terminalWidth(w io.Writer) (width int, ok bool) {
	file, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	if size.Col == 0 {
		return 80, true // a terminal that does not know
	}
	return int(size.Col), true
}

// cut shortens a line to the terminal, on which a wrapped line could not be
// rewritten.
func cut(line string, width int) string {
	runes := []rune(line)
	if len(runes) < width || width < 2 {
		return line
	}
	return string(runes[:width-2]) + "…"
}

// announce prints the plan and its estimate before the first trial.
func (p *progress) announce(c experiment.Conditions) {
	if p.kind == progressJSON {
		p.line(progressLine{Event: "plan", Total: len(p.plan.Steps), LeftSeconds: p.plan.Estimate().Seconds()})
		return
	}
	fmt.Fprintf(p.out, "%s\n%s\n", c, c.Placement.Why)
	fmt.Fprintf(p.out, "profile %s, %d blocks, seed %d, about %s:\n", p.plan.Profile.Name, p.plan.Profile.Pairs, p.plan.Seed, clock(p.plan.Estimate()))
	for _, t := range p.plan.Tasks {
		var arms []string
		for _, a := range t.Arms {
			arms = append(arms, a.Name)
		}
		fmt.Fprintf(p.out, "  %-28s %2d × (%s)\n", t.Name(), t.Blocks, strings.Join(arms, ", "))
	}
}

// progressLine is a line of JSON progress.
type progressLine struct {
	// Event is plan, step or result.
	Event       string  `json:"event"`
	Index       int     `json:"index,omitempty"`
	Total       int     `json:"total"`
	LeftSeconds float64 `json:"left_seconds"`
	Experiment  string  `json:"experiment,omitempty"`
	Case        string  `json:"case,omitempty"`
	Arm         string  `json:"arm,omitempty"`
	Block       int     `json:"block,omitempty"`
	// Unit names the figure that Estimates holds by arm: medians so far.
	Unit      string             `json:"unit,omitempty"`
	Estimates map[string]float64 `json:"estimates,omitempty"`
	Void      []string           `json:"void,omitempty"`
}

func (p *progress) line(l progressLine) {
	_ = json.NewEncoder(p.out).Encode(l) // whoever stopped reading progress does not stop the run
}

func (p *progress) eventLine(e experiment.Event) {
	l := progressLine{
		Event: "step", Index: e.Index, Total: e.Total, LeftSeconds: e.Left.Seconds(),
		Experiment: e.Step.Task.Experiment, Case: e.Step.Task.Case, Arm: e.Step.Task.Arms[e.Step.Arm].Name, Block: e.Step.Block,
	}
	if e.Result != nil {
		l.Event, l.Unit, l.Estimates, l.Void = "result", headline(l.Experiment), p.medians(e.Step.Task), e.Result.Void
	}
	p.line(l)
}

// observe is called by the runner before and after every step.
func (p *progress) observe(e experiment.Event) {
	if e.Result != nil {
		p.learn(e)
	}
	switch {
	case p.kind == progressJSON:
		p.eventLine(e)
	case e.Result != nil:
		p.tellVoids(e)
	default:
		p.tellStep(e)
	}
}

func (p *progress) tellStep(e experiment.Event) {
	line := fmt.Sprintf("[%d/%d] %s left · %s", e.Index, e.Total, clock(e.Left), e.Step)
	if p.newest != "" {
		line += " · " + p.newest
	}
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[K%s", cut(line, p.width))
	case time.Since(p.last) >= plainPause:
		p.last = time.Now()
		fmt.Fprintln(p.out, line)
	}
}

// learn keeps the newest estimates.
func (p *progress) learn(e experiment.Event) {
	r := e.Result
	if v, ok := r.Value(headline(r.Experiment)); ok && r.Valid() {
		key := taskKey(e.Step.Task, r.Arm)
		p.values[key] = append(p.values[key], v)
	}
	p.newest = p.estimates(e.Step.Task)
}

// tellVoids reports void trials at once.
func (p *progress) tellVoids(e experiment.Event) {
	if e.Result.Valid() {
		return
	}
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprintf(p.out, "void: %s: %s\n", e.Step, strings.Join(e.Result.Void, "; "))
}

func (p *progress) medians(t *experiment.Task) map[string]float64 {
	all := map[string]float64{}
	for _, a := range t.Arms {
		if s, err := stat.Describe(p.values[taskKey(t, a.Name)]); err == nil {
			all[a.Name] = s.Median
		}
	}
	return all
}

func (p *progress) estimates(t *experiment.Task) string {
	var parts []string
	medians := p.medians(t)
	for _, a := range t.Arms {
		if v, ok := medians[a.Name]; ok {
			parts = append(parts, a.Name+" "+report.Value(headline(t.Experiment), v))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return t.Name() + " " + headline(t.Experiment) + ": " + strings.Join(parts, ", ")
}

// finish ends the rewritten line.
func (p *progress) finish() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func taskKey(t *experiment.Task, arm string) string {
	return t.Experiment + " " + t.Case + " " + arm
}

// headline is the unit in which an experiment's progress is told.
func headline(name string) string { return experiment.Headline(name) }

func clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
