package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// What the instrument promises. Below leastRepetitions nothing is judged.
const (
	foundShare       = 0.9      // of the planted slowdowns
	claimedShare     = 1.0 / 20 // of the controls
	leastRepetitions = 10
)

// schema is the version of power.json.
const schema = 1

// report is power.json.
type report struct {
	Schema     int            `json:"schema"`
	Conditions lab.Conditions `json:"conditions"`
	Plan       plan           `json:"plan"`
	// Found of the repetitions called the planted slowdown slower, Claimed claimed a
	// difference between two arms that are the same, and in Excluded the control's 95 %
	// interval did not hold 1, as one in twenty is expected to.
	Found       int          `json:"found"`
	Claimed     int          `json:"claimed"`
	Excluded    int          `json:"excluded_1"`
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

// open continues the report in o.out or begins one.
func open(ctx context.Context, o options, args []string) (*report, error) {
	r := &report{
		Schema: schema, Conditions: lab.Describe(ctx, os.TempDir(), trial.PlanPlacement(), append([]string{"power"}, args...)),
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
	if err := json.Unmarshal(text, &before); err != nil || before.Schema != schema {
		return nil, fmt.Errorf("read earlier repetitions: schema %d, %w; -fresh forgets them", before.Schema, err)
	}
	if before.Plan != r.Plan || before.Conditions.Commit != r.Conditions.Commit || before.Conditions.Host.BootID != r.Conditions.Host.BootID {
		return nil, errOther
	}
	r.Repetitions = before.Repetitions
	return r, nil
}

func (r *report) count() {
	r.Found, r.Claimed, r.Excluded = 0, 0, 0
	for _, one := range r.Repetitions {
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
	n := float64(len(r.Repetitions))
	r.OK = float64(r.Found) >= foundShare*n && float64(r.Claimed) <= max(1, claimedShare*n)
}

// verdict is the result in a sentence.
func (r *report) verdict() string {
	n := len(r.Repetitions)
	return fmt.Sprintf("A slowdown of %s was called slower in %d of %d runs of %d pairs (95 %% interval %s); two arms that are the same were called different in %d of %d (%s), and the control's interval left out 1 in %d (NOISY).",
		r.Plan.Slowdown, r.Found, n, r.Plan.Pairs, share(r.Found, n), r.Claimed, n, share(r.Claimed, n), r.Excluded)
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
	d.Line("Every line is a complete run of bench with %d pairs, windows of %s after %s, %d connections in a closed loop. The baseline is a server that spins for %s with each request; the slower",
		r.Plan.Pairs, r.Plan.Window, r.Plan.Warmup, r.Plan.Connections, r.Plan.Spin)
	d.Line("one spins for longer by %s of all CPU time that a request costs the process, so that its capacity is %s of the baseline's. Both answer 202 and store nothing. Most of their", r.Plan.Slowdown, remaining(r.Plan.Slowdown))
	d.Line("time is the spin, which other users of the machine do not make longer. A server whose own time they do change needs more pairs for the same; a run's A/A comparison tells how many.")
	var rows [][]string
	for i, one := range r.Repetitions {
		rows = append(rows, []string{
			fmt.Sprint(i + 1), fmt.Sprintf("%.0f", one.Base), fmt.Sprintf("%.3f [%.3f, %.3f]", one.Planted.Ratio, one.Planted.Low, one.Planted.High), string(one.Verdict),
			fmt.Sprintf("%.3f [%.3f, %.3f]", one.Same.Ratio, one.Same.Low, one.Same.High), map[bool]string{true: "yes", false: "no"}[one.claimed()],
			fmt.Sprintf("%.1f %%", one.Delta*100), fmt.Sprintf("%.1f %%", 100*stat.Visible(one.Same.Spread(), r.Plan.Pairs, one.Delta)), fmt.Sprintf("%d/%d", one.Void, one.Trials), fmt.Sprint(one.Seed),
		})
	}
	d.Table([]string{"run", "rps of the baseline", "planted: ratio [95 %]", "verdict", "same: ratio [95 %]", "claimed", "band", "visible at 80 %", "void", "seed"}, rows)
	d.Line("band: by how much arms had to differ in that run. visible: the smallest difference that a run with the spread of its control finds with 80 %% probability. The median of all planted ratios is %s.", medianRatio(r.Repetitions))
	d.Line("")
	d.Line("Reproduce: `scripts/power.sh`, about %d s a run.", seconds(r.Repetitions))
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
		ratios = append(ratios, one.Planted.Ratio)
	}
	s, err := stat.Describe(ratios)
	if err != nil {
		return lab.None
	}
	return fmt.Sprintf("%.3f", s.Median)
}

// seconds is the median time from one repetition's start to the next one's.
func seconds(all []repetition) int64 {
	var gaps []float64
	for i := 1; i < len(all); i++ {
		gaps = append(gaps, all[i].Start.Sub(all[i-1].Start).Seconds())
	}
	slices.Sort(gaps)
	return int64(math.Round(stat.Quantile(gaps, stat.P50)))
}
