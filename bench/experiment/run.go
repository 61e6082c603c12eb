package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// SchemaVersion is the version of Run's JSON form. It changes when a field changes
// its meaning or goes away, not when one is added.
const SchemaVersion = 3

// Run is everything that a run measured and concluded, as stored in run.json.
// Findings follows from Profile, Arms, Seed and Trials alone.
type Run struct {
	Schema  int     `json:"schema"`
	Name    string  `json:"name"`
	Profile Profile `json:"profile"`
	// Arms are what is compared, the baseline first.
	Arms        []trial.Arm `json:"arms"`
	Seed        uint64      `json:"seed"`
	Start       time.Time   `json:"start"` // UTC
	End         time.Time   `json:"end"`   // UTC
	Interrupted bool        `json:"interrupted"`
	// Stopped says what ended the run before its plan was done, where nobody asked for
	// it; such a run counts as interrupted.
	Stopped    string         `json:"stopped,omitempty"`
	Conditions Conditions     `json:"conditions"`
	Trials     []trial.Result `json:"trials"`
	Findings   Findings       `json:"findings"`
	Warnings   []string       `json:"warnings"`
}

// Conclude computes findings and warnings from the trials.
func (r *Run) Conclude() {
	r.Findings = Compare(NewPlan(r.Profile, r.Arms, r.Seed), r.Trials)
	r.Warnings = r.warnings()
}

// Valid reports whether every claim of the run could be decided on valid trials:
// nothing withheld, nothing noisy, not interrupted.
func (r *Run) Valid() bool {
	withheld := slices.ContainsFunc(r.Findings.Comparisons, func(c Comparison) bool { return c.Verdict == stat.Withheld })
	return !r.Interrupted && !r.Findings.Noisy && !withheld
}

// Lost sums the accepted samples that servers did not store.
func (r *Run) Lost() int64 {
	var lost int64
	for i := range r.Trials {
		lost += r.Trials[i].Lost
	}
	return lost
}

// Duplicated sums the samples that were stored more than once by a queue that promises
// once.
func (r *Run) Duplicated() int64 {
	var twice int64
	for i := range r.Trials {
		twice += r.Trials[i].Duplicated
	}
	return twice
}

// warnings lists doubts, the gravest first.
func (r *Run) warnings() []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch {
	case r.Stopped != "":
		add("STOPPED: %s; this report holds what was measured until then", r.Stopped)
	case r.Interrupted:
		add("INTERRUPTED: this report holds what was measured until then")
	}
	if lost := r.Lost(); lost > 0 {
		add("LOST: servers did not store %d samples that they had accepted", lost)
	}
	if twice := r.Duplicated(); twice > 0 {
		add("DUPLICATED: servers stored %d samples more than once that they had promised to store once", twice)
	}
	if r.Findings.Noisy {
		add("NOISY: two identical arms differed; do not cite this report")
	}
	if !r.hasControl() {
		add("no A/A comparison in this run: how much identical arms differ is not known")
	}
	if !r.Conditions.Placement.Pinned {
		add("%s", r.Conditions.Placement.Why)
	}
	if r.Conditions.Dirty {
		add("the server was built from uncommitted changes")
	}
	all = append(all, r.familyWarnings()...)
	return append(all, r.trialWarnings()...)
}

func (r *Run) hasControl() bool {
	return slices.ContainsFunc(r.Findings.Comparisons, func(c Comparison) bool {
		return c.Control && c.Measured && c.Effect.HasInterval()
	})
}

// familyWarnings says what the number of pairs cannot carry.
func (r *Run) familyWarnings() []string {
	family, smallest, pairs := 0, 1.0, 0
	for _, c := range r.Findings.Comparisons {
		if !c.Control && c.Measured && c.Effect.HasP && c.Family == "" {
			family++
			smallest = min(smallest, c.HolmP)
			pairs = max(pairs, c.Effect.N)
		}
	}
	if family == 0 || smallest <= 0.05 || pairs >= stat.FamilyPairs(family) {
		return nil
	}
	return []string{fmt.Sprintf("each verdict holds at 95 %% for itself; with %d pairs none of %d claims can hold for the family (Holm); %d pairs can", pairs, family, stat.FamilyPairs(family))}
}

// trialWarnings gives, for every arm of every task with warnings, their number and
// the first.
func (r *Run) trialWarnings() []string {
	void := 0
	counts, first := map[string]int{}, map[string]string{}
	var order []string
	for i := range r.Trials {
		t := &r.Trials[i]
		if !t.Valid() {
			void++
		}
		if len(t.Warnings) == 0 {
			continue
		}
		where := strings.Join(strings.Fields(t.Experiment+" "+t.Case+" "+t.Arm), " ")
		if counts[where]++; counts[where] == 1 {
			order = append(order, where)
			first[where] = t.Warnings[0]
		}
	}
	var all []string
	if void > 0 {
		all = append(all, fmt.Sprintf("%d of %d trials are void and left out of every comparison; what was lost in them counts all the same", void, len(r.Trials)))
	}
	for _, where := range order {
		all = append(all, fmt.Sprintf("%s: %d trials with warnings, the first: %s", where, counts[where], first[where]))
	}
	return all
}
