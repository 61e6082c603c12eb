package experiment

import (
	"errors"
	"fmt"
	"slices"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// maxVoidShare is the share of void trials above which a claim is withheld.
const maxVoidShare = 0.20

// busyEnough is the share of its core that a server must use for its maximum RPS
// to be its own limit and not the load generator's: what is left is then less than the
// smallest difference that a verdict calls one.
const busyEnough = 1 - stat.MinDelta

// Figure is one arm's side of a comparison.
type Figure struct {
	Arm string `json:"arm"`
	// Value is the median over valid trials, or for alerts the mean over
	// injections.
	Value float64 `json:"value"`
	// AtLeast marks a lower bound.
	AtLeast bool         `json:"at_least,omitempty"`
	Summary stat.Summary `json:"summary"`
}

// Comparison is one row of the report.
type Comparison struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	Experiment string `json:"experiment"`
	Case       string `json:"case,omitempty"`
	Unit       string `json:"unit"`
	// Family names the claims that HolmP corrects for; empty for the main one.
	Family string `json:"family,omitempty"`
	// LowerIsBetter tells how Effect was turned: it is above 1 where B is better.
	LowerIsBetter bool   `json:"lower_is_better"`
	Control       bool   `json:"control,omitempty"`
	A             Figure `json:"a"`
	B             Figure `json:"b"`
	// SameMechanism is set where both arms use one mechanism for what is measured.
	SameMechanism string `json:"same_mechanism,omitempty"`
	// Aside says what else makes their figures differ.
	Aside string `json:"aside,omitempty"`

	// Measured is false where there is no pair; Reason then says why.
	Measured bool        `json:"measured"`
	Effect   stat.Effect `json:"effect"`
	// Bound is "≥" or "≤" where the ratio is only bounded, "~" where both sides are.
	Bound string `json:"bound,omitempty"`
	// Cautious is the effect after the bounded figure of maximum RPS was raised to
	// what a fully busy core would give: the least that the ratio can be. It is set
	// only where it differs from Effect, and carries the verdict then.
	Cautious *stat.Effect `json:"cautious,omitempty"`
	HolmP    float64      `json:"holm_p"`
	// Simultaneous covers the truth together with the intervals of the whole family.
	Simultaneous stat.Interval `json:"simultaneous"`
	Verdict      stat.Verdict  `json:"verdict"`
	// Needed is about how many observations would decide an inconclusive verdict.
	Needed int `json:"needed,omitempty"`
	Trials int `json:"trials"`
	Void   int `json:"void"`
	// Missing counts the valid trials that have no figure, because what was waited for
	// did not come. They are no accident: a comparison of the rest would flatter the arm.
	Missing int `json:"missing,omitempty"`
	// Cut counts the valid trials whose search ended at its limit.
	Cut    int    `json:"cut,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// pairs are the figures of both arms in the blocks that have both.
type pairs struct{ before, after []float64 }

// Findings are all comparisons of a run with what they share.
type Findings struct {
	Comparisons []Comparison `json:"comparisons"`
	// Delta is the half-width of the practical band.
	Delta float64 `json:"delta"`
	Books []Book  `json:"books,omitempty"`
	Kills []Kill  `json:"kills,omitempty"`
	// DurableKills are those of the experiment durable.
	DurableKills []Kill    `json:"durable_kills,omitempty"`
	Fits         []Fit     `json:"fits,omitempty"`
	Polled       []Polled  `json:"polled,omitempty"`
	Alerted      []Alerted `json:"alerted,omitempty"`
	Sights       []Sight   `json:"sights,omitempty"`
	// Noisy is set when the A/A comparison found a difference: the machine was too
	// noisy for the report to be trusted.
	Noisy bool `json:"noisy"`
}

// Compare computes every comparison that a plan allows from its trials.
func Compare(p Plan, trials []trial.Result) Findings {
	f := Findings{Delta: stat.MinDelta}
	all := claims(p.Tasks)
	figures := make([]pairs, len(all))
	for i, c := range all {
		var compared Comparison
		compared, figures[i] = c.compare(trials, p.Seed)
		f.Comparisons = append(f.Comparisons, compared)
	}
	f.conclude(p, trials)
	if i := slices.IndexFunc(f.Comparisons, func(c Comparison) bool { return c.Control && c.Measured }); i >= 0 {
		f.Delta = stat.Delta(f.Comparisons[i].Effect)
		f.Noisy = f.Comparisons[i].Effect.Excludes1()
	}
	f.judge(figures)
	f.see()
	return f
}

// judge sets the verdicts, and corrects p-values and intervals for the families.
func (f *Findings) judge(figures []pairs) {
	families := map[string][]int{}
	for i := range f.Comparisons {
		c := &f.Comparisons[i]
		if c.Measured && c.Effect.HasP && !c.Control {
			families[c.Family] = append(families[c.Family], i)
		}
		c.judge(f.Delta)
	}
	for _, family := range families {
		var p []float64
		for _, i := range family {
			p = append(p, f.Comparisons[i].Effect.P)
		}
		for k, adjusted := range stat.Holm(p) {
			c := &f.Comparisons[family[k]]
			c.HolmP = adjusted
			c.widen(figures[family[k]], len(family))
		}
	}
}

// widen sets the interval that holds for the whole family of claims.
func (c *Comparison) widen(p pairs, family int) {
	better := stat.HigherIsBetter
	if c.LowerIsBetter {
		better = stat.LowerIsBetter
	}
	// The error is that of values without a ratio, and such have no effect either.
	c.Simultaneous, _ = stat.Simultaneous(p.before, p.after, better, family)
}

func (c *Comparison) judge(delta float64) {
	// One alone, of experiments with a block or two, was made up for.
	if float64(c.Void) > max(1, maxVoidShare*float64(c.Trials)) {
		c.Verdict = stat.Withheld
		c.Reason = fmt.Sprintf("%d of %d trials void", c.Void, c.Trials)
		return
	}
	if c.Missing > 0 {
		c.Verdict = stat.Inconclusive
		c.Reason = fmt.Sprintf("%d of %d trials have no figure, the last: %s", c.Missing, c.Trials, c.Reason)
		return
	}
	if !c.Measured {
		c.Verdict = stat.Inconclusive
		return
	}
	c.Reason = "" // what spoilt single trials stands beside them
	c.Verdict, c.Needed = stat.Judge(c.Effect, delta)
	if !c.Effect.HasP {
		c.Needed = 0 // injections are no pairs; more of them would not decide
	}
	if c.Bound != "" && !c.boundAllows(delta) {
		c.Verdict, c.Needed = stat.Inconclusive, 0
		c.Reason = "a figure is only bounded"
	}
}

// boundAllows reports whether a verdict stands although a figure is a lower bound:
// because the bound can only move the ratio further, or because the cautious
// effect says the same.
func (c *Comparison) boundAllows(delta float64) bool {
	if c.Verdict != stat.Faster && c.Verdict != stat.Slower {
		return false
	}
	if (c.Bound == "≥" && c.Verdict == stat.Faster) || (c.Bound == "≤" && c.Verdict == stat.Slower) {
		return true
	}
	if c.Cautious == nil {
		return false
	}
	cautious, _ := stat.Judge(*c.Cautious, delta)
	return cautious == c.Verdict
}

// compare pairs the claim's trials by block and estimates the effect.
func (c claim) compare(trials []trial.Result, seed uint64) (out Comparison, figures pairs) {
	out = Comparison{
		ID: c.id(), Title: c.title, Experiment: c.task.Experiment, Case: c.task.Case, Unit: c.unit, Family: c.family(),
		LowerIsBetter: c.direction == stat.LowerIsBetter, Control: c.control,
		A: Figure{Arm: c.a.Name}, B: Figure{Arm: c.b.Name}, SameMechanism: c.sameMechanism(), Aside: c.aside(),
	}
	a, b := c.sides(&out, trials)
	if _, delays := c.task.Each.(trial.Alert); delays {
		c.compareDelays(&out, a, b, seed)
	} else {
		figures = c.comparePairs(&out, a, b, seed)
	}
	out.bound()
	return out, figures
}

// sides returns the valid trials of both arms that have the unit, by block, and
// counts all and void ones.
func (c claim) sides(out *Comparison, trials []trial.Result) (a, b map[int]*trial.Result) {
	a, b = map[int]*trial.Result{}, map[int]*trial.Result{}
	for i := range trials {
		t := &trials[i]
		if t.Experiment != c.task.Experiment || t.Case != c.task.Case || (t.Arm != c.a.Name && t.Arm != c.b.Name) {
			continue
		}
		out.Trials++
		if !t.Valid() {
			out.Void++
			out.Reason = t.Void[0]
			continue
		}
		if _, ok := t.Value(c.unit); !ok {
			out.Reason = t.Unavailable[c.unit]
			out.Missing++
			continue
		}
		if t.Cut {
			out.Cut++
		}
		if t.Arm == c.a.Name {
			a[t.Block] = t
		} else {
			b[t.Block] = t
		}
	}
	return a, b
}

func (c claim) comparePairs(out *Comparison, a, b map[int]*trial.Result, seed uint64) (figures pairs) {
	for _, block := range blocks(a) {
		if b[block] == nil {
			continue
		}
		figures.before = append(figures.before, a[block].Values[c.unit])
		figures.after = append(figures.after, b[block].Values[c.unit])
	}
	out.A.describe(c, a)
	out.B.describe(c, b)
	effect, err := stat.Compare(figures.before, figures.after, c.direction, seed)
	if err != nil {
		out.explain(err)
		return figures
	}
	out.Effect, out.Measured = effect, true
	if c.capacity && (out.A.AtLeast || out.B.AtLeast) {
		out.Cautious = c.cautious(a, b, effect, seed)
	}
	return figures
}

// cautious raises the figures of the arm that seems worse to what its server
// would accept if its core, which was partly idle, were fully busy at the same
// cost per sample. It is nil where nobody knows how busy that core was.
func (c claim) cautious(a, b map[int]*trial.Result, seen stat.Effect, seed uint64) *stat.Effect {
	var before, after []float64
	for _, block := range blocks(a) {
		if b[block] == nil {
			continue
		}
		x, y := a[block].Values[c.unit], b[block].Values[c.unit]
		behind, raised := a[block], &x
		if seen.Ratio <= 1 {
			behind, raised = b[block], &y
		}
		share, known := fullness(behind)
		if !known || share <= 0 {
			return nil
		}
		*raised /= share
		before, after = append(before, x), append(after, y)
	}
	effect, err := stat.Compare(before, after, c.direction, seed)
	if err != nil {
		return nil
	}
	return &effect
}

// family is the set of claims that p-values are corrected for: a ladder explores, and
// its many rungs are not to hide what the other experiments found. Durability is a
// question of its own, about another arm.
func (c claim) family() string {
	if c.task.Experiment == Ladder || c.task.Experiment == Durable {
		return c.task.Experiment
	}
	return ""
}

// describe summarises an arm's trials; an arm without any keeps zeros.
func (f *Figure) describe(c claim, trials map[int]*trial.Result) {
	var values, busy []float64
	for _, block := range blocks(trials) {
		t := trials[block]
		values = append(values, t.Values[c.unit])
		f.AtLeast = f.AtLeast || slices.Contains(t.AtLeast, c.unit)
		if share, ok := fullness(t); ok {
			busy = append(busy, share)
		}
	}
	summary, err := stat.Describe(values)
	if err != nil {
		return
	}
	f.Summary, f.Value = summary, summary.Median
	// Where nobody knows how busy the core was, it may not have been full.
	if use, err := stat.Describe(busy); c.capacity && (err != nil || use.Median < busyEnough) {
		f.AtLeast = true
	}
}

// compareDelays compares means over the breaches of the blocks that have both arms.
func (c claim) compareDelays(out *Comparison, a, b map[int]*trial.Result, seed uint64) {
	var before, after [][]float64
	for _, block := range blocks(a) {
		if b[block] != nil {
			before, after = append(before, floats(DelaysOf(a[block], c.unit))), append(after, floats(DelaysOf(b[block], c.unit)))
		}
	}
	out.A.describeDelays(slices.Concat(before...))
	out.B.describeDelays(slices.Concat(after...))
	effect, err := stat.CompareMeans(before, after, c.direction, seed)
	if err != nil {
		out.explain(err)
		return
	}
	out.Effect, out.Measured = effect, true
}

func (f *Figure) describeDelays(delays []float64) {
	summary, err := stat.Describe(delays)
	if err != nil {
		return
	}
	f.Summary = summary
	for _, d := range delays {
		f.Value += d / float64(len(delays))
	}
}

func (c *Comparison) explain(err error) {
	switch {
	case c.Reason != "": // the trials have said why
	case errors.Is(err, stat.ErrNoPairs):
		c.Reason = "not measured"
	default:
		c.Reason = err.Error()
	}
}

// Ranged reports whether the ratio is known only to lie between two estimates: that
// of the cautious effect, and what was measured.
func (c Comparison) Ranged() bool {
	return c.Measured && c.Cautious != nil && c.Bound == "≤" && c.Effect.Ratio > 1
}

// Interval returns the 95 % interval of the ratio. Where the ratio is ranged it
// reaches from the low end of one estimate to the high end of the other.
func (c Comparison) Interval() (low, high float64) {
	if c.Ranged() && c.Cautious.HasInterval() {
		return c.Cautious.Low, c.Effect.High
	}
	return c.Effect.Low, c.Effect.High
}

// bound says what lower bounds of the figures make of the ratio.
func (c *Comparison) bound() {
	growsWithB := !c.LowerIsBetter
	switch {
	case c.A.AtLeast && c.B.AtLeast:
		c.Bound = "~"
	case c.A.AtLeast == growsWithB && (c.A.AtLeast || c.B.AtLeast):
		c.Bound = "≤"
	case c.A.AtLeast || c.B.AtLeast:
		c.Bound = "≥"
	}
}

func blocks(trials map[int]*trial.Result) []int {
	all := make([]int, 0, len(trials))
	for block := range trials {
		all = append(all, block)
	}
	slices.Sort(all)
	return all
}
