package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

// schema changes when a field changes its meaning or goes away.
const schema = 1

// report is everything that is written to platform.json.
type report struct {
	Schema   int        `json:"schema"`
	Subjects []presence `json:"subjects"`
	Sections []section  `json:"sections"` // in the experiments' order
	Targets  []target   `json:"targets"`

	interrupted bool // by the user, now
}

// presence says whether another database was there.
type presence struct {
	Name    string `json:"name"`
	Version string `json:"version"` // empty when missing
}

// section is one experiment. Its runs were made under the same conditions.
type section struct {
	Experiment string         `json:"experiment"`
	Conditions lab.Conditions `json:"conditions"`
	Settings   settings       `json:"settings"`
	Runs       []run          `json:"runs"` // in the order in which they ran, void ones included
}

// settings are the flags that figures depend on.
type settings struct {
	Seconds  int    `json:"seconds"`
	Overload int    `json:"overload_seconds"`
	Points   int    `json:"points"`
	Seed     uint64 `json:"seed"`
}

// run is one finished run.
type run struct {
	job
	Start    time.Time `json:"start"`    // UTC
	Commands []string  `json:"commands"` // DIR stands for the scratch directory
	// Values are its figures by unit, see units.go.
	Values   map[string]float64 `json:"values"`
	Machine  lab.Load           `json:"machine"`
	Void     string             `json:"void,omitempty"` // why it is not used
	Warnings []string           `json:"warnings,omitempty"`
	// Trace is what was watched during overload.
	Trace []moment `json:"trace,omitempty"`
}

// moment is the server's state at one instant.
type moment struct {
	Seconds float64 `json:"seconds"` // since the load began
	Memory  int64   `json:"memory_bytes"`
	Stored  int64   `json:"stored_bytes"` // size of the file
	Depth   int64   `json:"depth"`        // samples queued; -1 where /health did not answer in time
}

func (r *run) warnf(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// prepare returns the report to fill: what is there of an earlier run, without what
// will be measured anew.
func prepare(o *options, found []presence, c lab.Conditions) (*report, error) {
	now := settings{Seconds: o.seconds, Overload: o.overload, Points: o.points, Seed: o.seed}
	result, err := read(filepath.Join(o.out, "platform.json"))
	if err != nil {
		return nil, err
	}
	result.Subjects = found
	old := result.Sections
	result.Sections = nil
	for _, name := range experiments() {
		s := section{Experiment: name, Conditions: c, Settings: now}
		i := slices.IndexFunc(old, func(s section) bool { return s.Experiment == name })
		chosen := slices.Contains(o.only, name)
		switch {
		case !chosen && i < 0:
			continue
		case !chosen:
			s = old[i]
		case o.add && i >= 0:
			if old[i].Settings != now || old[i].Conditions.Commit != c.Commit || old[i].Conditions.Dirty || c.Dirty {
				return nil, fmt.Errorf("add to %s: it was measured with other flags or another commit, or one of the two has changes", name)
			}
			s = old[i]
			o.firstRound = max(o.firstRound, s.rounds())
		}
		result.Sections = append(result.Sections, s)
	}
	return result, nil
}

// read returns what an earlier run has written, or nothing.
func read(path string) (*report, error) {
	text, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return &report{Schema: schema}, nil
	}
	var r report
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && r.Schema != schema {
		err = fmt.Errorf("schema %d, want %d", r.Schema, schema)
	}
	if err != nil {
		return nil, fmt.Errorf("read earlier results: %w: move them away or choose another -out", err)
	}
	return &r, nil
}

func (r *report) section(experiment string) *section {
	for i := range r.Sections {
		if r.Sections[i].Experiment == experiment {
			return &r.Sections[i]
		}
	}
	return nil
}

func (r *report) take(done run) {
	s := r.section(done.Experiment)
	s.Runs = append(s.Runs, done)
}

// rounds is how many were begun.
func (s section) rounds() int {
	n := 0
	for _, r := range s.Runs {
		n = max(n, r.Round+1)
	}
	return n
}

// allVoid reports an experiment of which no run counts.
func (r *report) allVoid() bool {
	return slices.ContainsFunc(r.Sections, func(s section) bool {
		return !slices.ContainsFunc(s.Runs, func(x run) bool { return x.Void == "" })
	})
}

// of returns the runs of an arm in a case that are not void.
func (r *report) of(experiment, arm, which string) []run {
	s := r.section(experiment)
	if s == nil {
		return nil
	}
	var out []run
	for _, x := range s.Runs {
		if x.Arm == arm && x.Case == which && x.Void == "" {
			out = append(out, x)
		}
	}
	return out
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

// ratio is how many times better b is than a in the rounds in which both have a
// figure above 0.
func ratio(a, b []run, unit string, better stat.Direction, seed uint64) (lab.Summary, bool) {
	var x, y []float64
	for _, one := range a {
		i := slices.IndexFunc(b, func(r run) bool { return r.Round == one.Round })
		if i < 0 || one.Values[unit] <= 0 || b[i].Values[unit] <= 0 {
			continue
		}
		x, y = append(x, one.Values[unit]), append(y, b[i].Values[unit])
	}
	return lab.Paired(x, y, better, seed)
}

// String is the line of progress.
func (r run) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-8s round %d  %s", r.Experiment, r.Round+1, r.Arm)
	if r.Case != "" {
		fmt.Fprintf(&text, ", %s", r.Case)
	}
	text.WriteString(":")
	for _, u := range shown(r.Experiment) {
		if v, ok := r.Values[u]; ok {
			fmt.Fprintf(&text, "  %s %s", label(u), show(u, v))
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
