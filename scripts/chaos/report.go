package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	bench "phase0/bench/report"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// report is what a run has found out.
type report struct {
	Schema      int            `json:"schema"`
	Conditions  lab.Conditions `json:"conditions"`
	Seed        uint64         `json:"seed"`
	Quick       bool           `json:"quick"`
	Interrupted bool           `json:"interrupted"`
	Seconds     float64        `json:"seconds"`
	Cells       []*cell        `json:"cells"`
}

const schema = 1

var head = []string{"fault", "arm", "tries", "accepted", "lost", "dup.", "phantom", "ambiguous (stored)", "ready", "loss rate <", "health said", "verdict"}

// row prints a cell.
func (c *cell) row() []string {
	s := c.Sum
	if len(c.Tries) == 0 {
		return []string{c.Title, c.Arm, "0", "", "", "", "", "", "", "", "", c.Verdict}
	}
	return []string{
		c.Title, c.Arm, fmt.Sprint(len(c.Tries)), fmt.Sprint(s.Accepted), fmt.Sprint(s.Lost), fmt.Sprint(s.Duplicated), fmt.Sprint(s.Phantom),
		fmt.Sprintf("%d (%d)", s.Ambiguous, s.Recovered), bench.Value(trial.UnitReady, float64(s.Ready)), fmt.Sprintf("%.1e", s.LossBelow), s.said(), c.word(),
	}
}

// said lists the states that /health told, the most frequent first.
func (s sum) said() string {
	states := slices.SortedFunc(maps.Keys(s.Said), func(a, b string) int {
		if s.Said[a] != s.Said[b] {
			return s.Said[b] - s.Said[a]
		}
		return strings.Compare(a, b)
	})
	return strings.Join(states, ", ")
}

// word is the verdict with what it cost.
func (c *cell) word() string {
	text := c.Verdict
	if c.Verdict == price {
		text = fmt.Sprintf("price: up to %.2g s of load, in %d of %d kills", c.Sum.LostSeconds, c.Sum.Lossy, len(c.Tries))
	}
	if c.Sum.Restarted > 0 && c.fault.signal == 0 {
		text += ", after a restart"
	}
	return text
}

// count returns the number of cells of each verdict.
func (r *report) count() map[string]int {
	n := map[string]int{}
	for _, c := range r.Cells {
		n[c.Verdict]++
	}
	return n
}

// summary is the report in a sentence. What gave no verdict is never left out.
func (r *report) summary() string {
	n, parts := r.count(), []string{}
	for _, v := range []string{kept, price, broken, noVerdict, impossible, never, notRun} {
		if n[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	return fmt.Sprintf("%d cells: %s", len(r.Cells), strings.Join(parts, ", "))
}

// notes are the cells that have something to explain.
func (r *report) notes() []string {
	var all []string
	for _, c := range r.Cells {
		if len(c.Why) > 0 {
			all = append(all, fmt.Sprintf("%s, %s: %s: %s", c.Title, c.Arm, c.Verdict, strings.Join(c.Why, " · ")))
		}
	}
	return all
}

// text prints the table for a terminal.
func (r *report) text(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, r.rows()...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	for _, n := range r.notes() {
		fmt.Fprintln(w, n)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.summary())
	return err
}

func (r *report) rows() [][]string {
	var all [][]string
	for _, c := range r.Cells {
		all = append(all, c.row())
	}
	return all
}

const explanation = `A cell is one fault and one configuration of the server. Each try is a fresh process under a load of single samples (%d/s; %d/s where system calls are
traced), the fault at a random moment, and then two counts of what is there: by queries, and from the file by a reader that shares no code with the server. *Accepted* was answered
with 202, *lost* of it is not there; *ambiguous* got no answer or a 5xx, *(stored)* of it is there all the same. *Phantom* was never sent, or refused. *Ready* is the longest time
from the fault's end, or from the start of the new process, to the first healthy answer. *Loss rate <* is the one-sided 95 %% bound on the share of accepted samples that get lost
(the rule of three, 3/n, where none was lost); samples of one try are not independent of each other, so it speaks of these loads only. *Health said* is what /health answered while the
fault lasted.

Every configuration promises: nothing twice, nothing from nowhere, nothing lost to anything that the process survives or to SIGTERM, and ready again within 10 s without a restart. A
queue in memory may lose at kill -9 what it held, which is its *price*; the durable one promises 0 there, too, and may ask for a restart where a sync has failed.`

// markdown prints the report for a repository page.
func (r *report) markdown() string {
	var d lab.Document
	d.Line("# Chaos\n")
	d.Line("%s\n", r.Conditions.String("load"))
	d.Line("%s; %.0f s; seed %d.\n", r.summary(), r.Seconds, r.Seed)
	if r.Interrupted {
		d.Line("**Interrupted**: not all cells were run.\n")
	}
	d.Line(explanation, loadRate, tracedRate)
	d.Table(head, r.rows())
	for _, n := range r.notes() {
		d.Line("- %s", n)
	}
	d.Line("\nKills as independent tries: %s", r.kills())
	return d.String()
}

// kills bounds the probability that a kill loses something.
func (r *report) kills() string {
	var all []string
	for _, c := range r.Cells {
		if c.Fault == "kill" && len(c.Tries) > 0 {
			all = append(all, fmt.Sprintf("%s lost something in %d of %d (below %.0f %% with 95 %% confidence)", c.Arm, c.Sum.Lossy, len(c.Tries), c.Sum.TryBelow*100))
		}
	}
	if len(all) == 0 {
		return "none were made."
	}
	return strings.Join(all, "; ") + "."
}

// write puts report.md and run.json into dir.
func (r *report) write(dir string) error {
	return lab.Write(dir, map[string]func(io.Writer) error{
		"report.md": func(w io.Writer) error { _, err := io.WriteString(w, r.markdown()); return err },
		"run.json":  func(w io.Writer) error { return lab.WriteJSON(w, r) },
	})
}

func reportPath(dir string) string { return filepath.Join(dir, "report.md") }
