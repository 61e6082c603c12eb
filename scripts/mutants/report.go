package main

import (
	"fmt"
	"io"
	"strings"

	"phase0/scripts/lab"
)

// report is what a run has found out.
type report struct {
	Schema      int            `json:"schema"`
	Conditions  lab.Conditions `json:"conditions"`
	Interrupted bool           `json:"interrupted"`
	Seconds     float64        `json:"seconds"`
	Mutants     []outcome      `json:"mutants"`
}

func (r *report) count(verdict string) (n int) {
	for _, o := range r.Mutants {
		if o.Verdict == verdict {
			n++
		}
	}
	return n
}

// summary is the report in a sentence.
func (r *report) summary() string {
	text := fmt.Sprintf("%d of %d planted bugs caught", r.count(caught), len(r.Mutants))
	if n := r.count(survived); n > 0 {
		text += fmt.Sprintf(", %d SURVIVED", n)
	}
	if n := r.count(noVerdict); n > 0 {
		text += fmt.Sprintf(", %d could not be tried", n)
	}
	if r.Interrupted {
		text += "; interrupted before the rest"
	}
	return text
}

// verdict maps the outcomes to an error.
func (r *report) verdict() error {
	switch {
	case r.count(survived) > 0:
		return errSurvived
	case r.Interrupted:
		return lab.ErrInterrupted
	case r.count(noVerdict) > 0:
		return errNotTried
	}
	return nil
}

func (r *report) markdown() string {
	var d lab.Document
	d.Line("# Planted bugs\n")
	d.Line("%s · commit %s · %s\n", r.Conditions.Date.Format("2006-01-02 15:04 UTC"), r.Conditions.Commit, r.Conditions.GoVersion)
	d.Line("%s, in %.0f s.\n", r.summary(), r.Seconds)
	d.Line("Each was planted alone in a copy of the code whose tests pass without it. `scripts/mutants.sh -list` names the files; the exact texts are in `scripts/mutants/`.")
	var rows [][]string
	for _, o := range r.Mutants {
		by := o.By
		if o.Why != "" {
			by = o.Why
		}
		rows = append(rows, []string{o.Name, o.Breaks, o.Verdict, strings.ReplaceAll(by, "|", `\|`), fmt.Sprintf("%.1f", o.Seconds)})
	}
	d.Table([]string{"bug", "the promise that it breaks", "verdict", "by", "s"}, rows)
	return d.String()
}

func (r *report) write(dir string) error {
	return lab.Write(dir, map[string]func(io.Writer) error{
		"mutants.md":   func(w io.Writer) error { _, err := io.WriteString(w, r.markdown()); return err },
		"mutants.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
	})
}
