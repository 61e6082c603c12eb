package report

import (
	"cmp"
	"slices"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/trial"
)

// armStyle is how an arm appears in every plot and table.
type armStyle struct {
	name string // its key in trials
	// label names it to people.
	label string
	color int
}

// armsOf returns the arms that a run has trials of: what it compares, the baseline
// first, with their variants, and then whatever else an experiment adds.
func armsOf(r *experiment.Run) []armStyle {
	var names []string
	for i := range r.Trials {
		if name := r.Trials[i].Arm; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	place := func(name string) int {
		i := slices.IndexFunc(r.Arms, func(a trial.Arm) bool { return a.Name == experiment.Base(name) })
		if i < 0 {
			return len(r.Arms)
		}
		return i
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
	var all []armStyle
	for _, name := range names {
		all = append(all, style(r, all, name))
	}
	return all
}

// style gives an arm that is compared the colour of its place, a variant that of its
// arm, and any other the next.
func style(r *experiment.Run, before []armStyle, name string) armStyle {
	in := func(name string) int {
		return slices.IndexFunc(r.Arms, func(a trial.Arm) bool { return a.Name == experiment.Base(name) })
	}
	s := armStyle{name: name, label: armLabel(name)}
	place := in(name)
	if place < 0 {
		place = len(r.Arms)
		for _, b := range before {
			if in(b.name) < 0 {
				place++
			}
		}
	}
	s.color = place % plot.Colors
	return s
}

func armLabel(name string) string {
	switch base := experiment.Base(name); {
	case experiment.IsAgain(name):
		return base + ", again (A/A)"
	case experiment.IsNoKeepAlive(name):
		return base + ", no keep-alive"
	}
	return name
}

// mainArms are the arms that a run compares, without their variants.
func mainArms(r *experiment.Run) []armStyle {
	return slices.DeleteFunc(armsOf(r), func(a armStyle) bool {
		return !slices.ContainsFunc(r.Arms, func(x trial.Arm) bool { return x.Name == a.name })
	})
}

// colorOf returns the colour of an arm.
func colorOf(r *experiment.Run, name string) int {
	for _, a := range armsOf(r) {
		if a.name == name {
			return a.color
		}
	}
	return 0
}

// pair tells whether all claims of a run compare the same two arms, variants aside, and
// which.
func pair(r *experiment.Run) (a, b string, ok bool) {
	for _, c := range claimed(r) {
		if c.Control {
			continue
		}
		x, y := c.A.Arm, experiment.Base(c.B.Arm)
		if a == "" {
			a, b = x, y
		}
		if x != a || y != b {
			return "", "", false
		}
	}
	return a, b, a != ""
}

// tabledApart reports whether a comparison is in a table of its own: of other arms than
// those that the run is about.
func tabledApart(r *experiment.Run, c experiment.Comparison) bool {
	return c.Experiment == experiment.Ladder || c.Experiment == experiment.Durable ||
		c.Experiment == experiment.Alert && !(compares(r, c.A.Arm) && compares(r, c.B.Arm))
}

func compares(r *experiment.Run, arm string) bool {
	return slices.ContainsFunc(r.Arms, func(a trial.Arm) bool { return a.Name == arm })
}

// claimed are the comparisons of the results table.
func claimed(r *experiment.Run) []experiment.Comparison {
	return slices.DeleteFunc(slices.Clone(r.Findings.Comparisons), func(c experiment.Comparison) bool { return tabledApart(r, c) })
}
