package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// plainPause is the time between two progress lines where there is no terminal to
// rewrite a line on.
const plainPause = 10 * time.Second

// progress tells what runs. It is used from the runner's goroutine only.
type progress struct {
	out      io.Writer
	plan     experiment.Plan
	terminal bool
	width    int // of the terminal
	last     time.Time
	values   map[string][]float64 // by task and arm
	newest   string               // estimates of the task measured last
}

func newProgress(out io.Writer, plan experiment.Plan) *progress {
	width, terminal := terminalWidth(out)
	return &progress{out: out, plan: plan, terminal: terminal, width: width, values: map[string][]float64{}}
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
	fmt.Fprintf(p.out, "%s\n%s\n", c, c.Placement.Why)
	fmt.Fprintf(p.out, "profile %s, %d blocks, seed %d, about %s:\n", p.plan.Profile.Name, p.plan.Profile.Pairs, p.plan.Seed, clock(p.plan.Estimate()))
	for _, t := range p.plan.Tasks {
		var arms []string
		for _, a := range t.Arms {
			arms = append(arms, a.Name)
		}
		fmt.Fprintf(p.out, "  %-24s %d × (%s)\n", strings.TrimSpace(t.Experiment+" "+t.Case), t.Blocks, strings.Join(arms, ", "))
	}
}

// observe is called by the runner before and after every step.
func (p *progress) observe(e experiment.Event) {
	if e.Results != nil {
		p.learn(e)
		return
	}
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

// learn keeps the newest estimates, and reports void trials at once.
func (p *progress) learn(e experiment.Event) {
	for i := range e.Results {
		r := &e.Results[i]
		if !r.Valid() {
			if p.terminal {
				fmt.Fprint(p.out, "\r\x1b[K")
			}
			fmt.Fprintf(p.out, "void: %s: %s\n", e.Step, strings.Join(r.Void, "; "))
			continue
		}
		if v, ok := r.Value(headline(r.Experiment)); ok {
			key := taskKey(e.Step.Task, r.Arm)
			p.values[key] = append(p.values[key], v)
		}
	}
	p.newest = p.estimates(e.Step.Task)
}

func (p *progress) estimates(t *experiment.Task) string {
	var parts []string
	for _, a := range t.Arms {
		s, err := stat.Describe(p.values[taskKey(t, a.Name)])
		if err != nil {
			continue
		}
		parts = append(parts, a.Name+" "+report.Value(headline(t.Experiment), s.Median))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.TrimSpace(t.Experiment+" "+t.Case) + " " + headline(t.Experiment) + ": " + strings.Join(parts, ", ")
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
func headline(name string) string {
	switch name {
	case experiment.Ingest:
		return trial.UnitRPS
	case experiment.Query:
		return trial.UnitScan
	case experiment.Alert:
		return trial.UnitDetect
	}
	return trial.UnitP99
}

func clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
