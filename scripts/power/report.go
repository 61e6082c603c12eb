package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// What the instrument promises: foundOf of ten planted slowdowns, and no more than one
// claim in claimsOf controls. Below leastRepetitions nothing is judged.
const (
	foundOf          = 9
	claimsOf         = 20
	leastRepetitions = 10
)

// schema is the version of power.json. In the first, every repetition had the slower
// arm.
const schema = 2

// report is power.json.
type report struct {
	Schema     int            `json:"schema"`
	Conditions lab.Conditions `json:"conditions"`
	Plan       plan           `json:"plan"`
	// Found of the Planted repetitions with a slower arm called it slower. Of all, Claimed
	// claimed a difference between two arms that are the same, and in Excluded the
	// control's 95 % interval did not hold 1, as one in twenty is expected to.
	Planted  int `json:"planted"`
	Found    int `json:"found"`
	Claimed  int `json:"claimed"`
	Excluded int `json:"excluded_1"`
	// OK says that both targets could be judged and were reached.
	OK          bool         `json:"ok"`
	Repetitions []repetition `json:"repetitions"`
}

// plan is what all repetitions have in common.
type plan struct {
	Pairs       int    `json:"pairs"`
	Connections int    `json:"connections"`
	Window      string `json:"window"`
	Warmup      string `json:"warmup"`
	Spin        string `json:"spin"`
	Slowdown    string `json:"slowdown"`
}

// errOther is returned when earlier repetitions were made under other conditions.
var errOther = errors.New("earlier repetitions had another plan, machine or commit; -fresh forgets them")

// open continues the report in o.out or begins one. It looks at the work tree before
// anything is written there, and leaves out of it what earlier calls wrote.
func open(ctx context.Context, o options, args []string) (*report, error) {
	r := &report{
		Schema: schema, Conditions: lab.Describe(ctx, relative(o.out), trial.PlanPlacement(), append([]string{"power"}, args...)),
		Plan: plan{o.pairs, o.connections, o.window.String(), o.warmup.String(), o.spin.String(), o.slowdown},
	}
	text, err := os.ReadFile(filepath.Join(o.out, "power.json"))
	if o.fresh || errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read earlier repetitions: %w", err)
	}
	var before report
	if err := json.Unmarshal(text, &before); err != nil {
		return nil, fmt.Errorf("read earlier repetitions: %w; -fresh forgets them", err)
	}
	if before.Schema != schema {
		return nil, fmt.Errorf("read earlier repetitions: they have schema %d, not %d; -fresh forgets them", before.Schema, schema)
	}
	if before.Plan != r.Plan || before.Conditions.Commit != r.Conditions.Commit || before.Conditions.Host.BootID != r.Conditions.Host.BootID {
		return nil, errOther
	}
	r.Repetitions = before.Repetitions
	r.Conditions.Dirty = r.Conditions.Dirty || before.Conditions.Dirty
	return r, nil
}

// relative is a directory as seen from the present one, where it lies below it.
func relative(dir string) string {
	here, err := os.Getwd()
	if err != nil || !filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	if below, err := filepath.Rel(here, dir); err == nil && filepath.IsLocal(below) {
		return below
	}
	return dir
}

func (r *report) count() {
	r.Planted, r.Found, r.Claimed, r.Excluded = 0, 0, 0, 0
	for _, one := range r.Repetitions {
		if one.Planted != nil {
			r.Planted++
		}
		if one.found() {
			r.Found++
		}
		if one.claimed() {
			r.Claimed++
		}
		if one.Same.Excludes1() {
			r.Excluded++
		}
	}
	r.OK = len(r.missed()) == 0 && len(r.Repetitions) >= leastRepetitions && r.Planted >= leastRepetitions
}

// missed names the targets that the repetitions did not reach, of those that can be
// judged.
func (r *report) missed() []string {
	var all []string
	if n := len(r.Repetitions); n >= leastRepetitions && r.Claimed*claimsOf > n {
		all = append(all, fmt.Sprintf("two arms that are the same were called different in %d of %d repetitions, at most 1 in %d is allowed", r.Claimed, n, claimsOf))
	}
	if r.Planted >= leastRepetitions && r.Found*10 < r.Planted*foundOf {
		all = append(all, fmt.Sprintf("the planted slowdown was found in %d of %d repetitions, at least %d in 10 are asked for", r.Found, r.Planted, foundOf))
	}
	return all
}

// verdict is the result in sentences.
func (r *report) verdict() string {
	n := len(r.Repetitions)
	text := fmt.Sprintf("Two arms that are the same were called different in %d of %d runs of %d pairs (95 %% interval %s); the interval of their ratio left out 1 (NOISY) in %d of them.",
		r.Claimed, n, r.Plan.Pairs, share(r.Claimed, n), r.Excluded)
	if r.Planted == 0 {
		return text
	}
	return fmt.Sprintf("A slowdown of %s was called slower in %d of %d runs of %d pairs (95 %% interval %s). ", r.Plan.Slowdown, r.Found, r.Planted, r.Plan.Pairs, share(r.Found, r.Planted)) + text
}

// share is the Clopper–Pearson interval of k of n.
func share(k, n int) string {
	low, high := stat.ClopperPearson(k, n)
	return fmt.Sprintf("%.0f–%.0f %%", low*100, high*100)
}

func write(dir string, r *report) error {
	return lab.Write(dir, map[string]func(io.Writer) error{
		"power.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
		"power.md":   func(w io.Writer) error { return writeMarkdown(w, r) },
	})
}

func writeMarkdown(w io.Writer, r *report) error {
	var d lab.Document
	d.Line("# What bench finds, and what it does not invent")
	d.Line("")
	d.Line("**%s**", r.verdict())
	d.Line("")
	d.Line("%s", r.Conditions.String("bench and loadgen"))
	d.Line("")
	d.Line("Every line is a complete run of bench with %d pairs, windows of %s after %s, %d connections in a closed loop. The baseline is a server that spins for %s with each request, and the control is", r.Plan.Pairs, r.Plan.Window, r.Plan.Warmup, r.Plan.Connections, r.Plan.Spin)
	d.Line("an arm of the same run twice. The slower arm, in some of the runs, spins for longer by %s of all CPU time that a request costs the process, so that its capacity is %s of the baseline's. All", r.Plan.Slowdown, remaining(r.Plan.Slowdown))
	d.Line("answer 202 and store nothing. Most of their time is the spin, which other users of the machine do not make longer. A server whose own time they do change needs more pairs for the same; a run's")
	d.Line("A/A comparison tells how many.")
	var rows [][]string
	for i, one := range r.Repetitions {
		rows = append(rows, []string{
			fmt.Sprint(i + 1), fmt.Sprintf("%.0f", one.Base), ratioOf(one.Planted), cmp.Or(string(one.Verdict), lab.None),
			ratioOf(&one.Same), map[bool]string{true: "yes", false: "no"}[one.claimed()],
			fmt.Sprintf("%.1f %%", one.Delta*100), fmt.Sprintf("%.1f %%", 100*stat.Visible(one.Same.Spread(), r.Plan.Pairs, one.Delta)), fmt.Sprintf("%d/%d", one.Void, one.Trials), fmt.Sprint(one.Seed),
		})
	}
	d.Table([]string{"run", "rps of the baseline", "planted: ratio [95 %]", "verdict", "same: ratio [95 %]", "claimed", "band", "visible at 80 %", "void", "seed"}, rows)
	d.Line("band: by how much arms had to differ in that run. visible: the smallest difference that a run with the spread of its control finds with 80 %% probability. The median of all planted ratios is %s.", medianRatio(r.Repetitions))
	d.Line("")
	d.Line("Reproduce: `scripts/power.sh -repetitions %d -planted %d`%s.", len(r.Repetitions), r.Planted, pace(r.Repetitions))
	_, err := io.WriteString(w, d.String())
	return err
}

// remaining is the capacity that a slowdown leaves, as it was written.
func remaining(slowdown string) string {
	var percent float64
	if _, err := fmt.Sscanf(slowdown, "%f%%", &percent); err != nil {
		return "1/(1+" + slowdown + ")"
	}
	return fmt.Sprintf("%.1f %%", 100/(1+percent/100))
}

func medianRatio(all []repetition) string {
	var ratios []float64
	for _, one := range all {
		if one.Planted != nil {
			ratios = append(ratios, one.Planted.Ratio)
		}
	}
	s, err := stat.Describe(ratios)
	if err != nil {
		return lab.None
	}
	return fmt.Sprintf("%.3f", s.Median)
}

// pace tells the median time from one repetition's start to the next one's, where there
// are two.
func pace(all []repetition) string {
	var gaps []float64
	for i := 1; i < len(all); i++ {
		gaps = append(gaps, all[i].Start.Sub(all[i-1].Start).Seconds())
	}
	if len(gaps) == 0 {
		return ""
	}
	slices.Sort(gaps)
	return fmt.Sprintf(", about %.0f s a run", stat.Quantile(gaps, stat.P50))
}
