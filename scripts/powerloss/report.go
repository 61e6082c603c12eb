package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	bench "phase0/bench/report"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// report is what a run has found out.
type report struct {
	Schema      int            `json:"schema"`
	Conditions  lab.Conditions `json:"conditions"`
	Seed        uint64         `json:"seed"`
	Interrupted bool           `json:"interrupted"`
	Seconds     float64        `json:"seconds"`
	Cells       []*cell        `json:"cells"`
}

var head = []string{"fault", "-sync", "expected", "tries", "accepted", "lost", "in tries", "twice", "from nowhere", "without an answer (stored)", "ready", "loss rate <", "health said", "verdict"}

func (c *cell) row() []string {
	s := c.Sum
	below := fmt.Sprintf("%.1e", s.LossBelow)
	if c.Expects != keeps {
		below = lab.None
	}
	return []string{
		c.Title, c.what(), string(c.Expects), fmt.Sprint(len(c.Tries)), fmt.Sprint(s.Accepted), fmt.Sprint(s.Lost), fmt.Sprint(s.Lossy), fmt.Sprint(s.Duplicated),
		fmt.Sprint(s.Phantom), fmt.Sprintf("%d (%d)", s.Ambiguous, s.Recovered), bench.Value(trial.UnitReady, float64(s.Ready)), below, c.said(), c.word(),
	}
}

// said lists the states that /health told, in order.
func (c *cell) said() string {
	states := map[string]bool{}
	for _, t := range c.Tries {
		for state := range t.Said {
			states[state] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(states)), ", ")
}

// word is the verdict with what it cost.
func (c *cell) word() string {
	word := c.Verdict
	if c.Expects != keeps && c.Sum.Lossy > 0 {
		word += fmt.Sprintf(": up to %.2g s of load", c.Sum.LostSeconds)
	}
	if c.Sum.Unstarted > 0 {
		word += fmt.Sprintf("; did not start again in %d", c.Sum.Unstarted)
	}
	return word
}

func (r *report) count() map[string]int {
	n := map[string]int{}
	for _, c := range r.Cells {
		n[c.Verdict]++
	}
	return n
}

// summary is the report in a sentence.
func (r *report) summary() string {
	n, parts := r.count(), []string{}
	for _, v := range []string{kept, within, found, broken, unseen, noVerdict, notRun} {
		if n[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	return fmt.Sprintf("%d cells: %s", len(r.Cells), strings.Join(parts, ", "))
}

const explanation = `The real server's files are on a file system (FUSE, in memory) that knows what was synced. Each try is a fresh server under %d single samples/s on %d connections. A *power cut* comes at a random moment: of what was not
synced a part survives, in order or at random, by sectors of 512 bytes and name by name, down to nothing; the process is killed, and the server is started again on what is left. Then what is there is counted twice, by queries
and from the file by a reader that shares no code with the server. *Lost* was accepted with 202 and is not there. *Loss rate <* is the one-sided 95 %% bound. Other faults last 1.5 s or are one operation that fails; there the process
has to go on by itself, and /health has to say *degraded* where the fault lasts.

Where *something lost* is expected the test shows that it can see: without syncs, and with servers in which a bug was planted (scripts/mutants). With an interval at most what was accepted in it, and in %v more that a timer
and a sync may take, may be lost. The seed of every try is in powerloss.json; ` + "`scripts/powerloss.sh -only CELL -tries 1 -seed N`" + ` repeats its load, its moment and what survives of how much.`

func (r *report) markdown() string {
	var d lab.Document
	d.Line("# Power cuts\n")
	d.Line("%s\n", r.Conditions.String("load"))
	d.Line("%s; %.0f s; seed %d.\n", r.summary(), r.Seconds, r.Seed)
	if r.Interrupted {
		d.Line("**Interrupted**: not all tries were made.\n")
	}
	d.Line(explanation, loadRate, connections, intervalSlack)
	var rows [][]string
	for _, c := range r.Cells {
		rows = append(rows, c.row())
	}
	d.Table(head, rows)
	for _, c := range r.Cells {
		for _, why := range c.Why {
			d.Line("- %s, %s: %s", c.Title, c.what(), why)
		}
	}
	return d.String()
}

// conclude writes, prints, and maps the verdicts to an error.
func (r *report) conclude(out string, stdout io.Writer) error {
	err := lab.Write(out, map[string]func(io.Writer) error{
		"powerloss.md":   func(w io.Writer) error { _, err := io.WriteString(w, r.markdown()); return err },
		"powerloss.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s\nreport: %s\n", r.summary(), filepath.Join(out, "powerloss.md"))
	switch n := r.count(); {
	case n[broken] > 0:
		return errBroken
	case r.Interrupted:
		return lab.ErrInterrupted
	case n[unseen]+n[noVerdict]+n[notRun] > 0:
		return errNotValid
	}
	return nil
}
