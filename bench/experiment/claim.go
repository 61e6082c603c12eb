package experiment

import (
	"fmt"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// claim is one row of the report before anything was measured: which unit of
// which task is compared between which arms.
type claim struct {
	task      *Task
	unit      string
	title     string
	a, b      trial.Arm
	direction stat.Direction
	component string
	capacity  bool
	// control marks the comparison of an arm with itself. It is no claim and not
	// part of the family.
	control bool
}

// id is the claim's key in stored results.
func (c claim) id() string {
	id := c.task.Experiment
	if c.task.Case != "" {
		id += "/" + c.task.Case
	}
	id += "/" + c.unit + "/" + c.b.Name
	if c.control {
		id += "/control"
	}
	return id
}

// claims lists what a plan's tasks allow to be compared, in the report's order:
// every arm with the task's first, and the control with what it repeats.
func claims(tasks []*Task) []claim {
	var all []claim
	for _, t := range tasks {
		e := lookup(t.Experiment)
		for i, m := range e.measures(t) {
			m.variants = m.variants || (t.Control && i == 0)
			for _, b := range t.Arms {
				if c, ok := newClaim(t, m, b); ok {
					c.component = e.component
					all = append(all, c)
				}
			}
		}
	}
	return all
}

func newClaim(t *Task, m measure, b trial.Arm) (claim, bool) {
	c := claim{task: t, unit: m.unit, title: m.title, a: t.Arms[0], b: b, direction: m.better, capacity: m.capacity}
	switch {
	case IsAgain(b.Name) && m.variants:
		c.control, c.title = true, "A/A: "+Base(b.Name)+" twice"
		c.a.Name = Base(b.Name)
	case IsNoKeepAlive(b.Name) && m.variants:
		c.title += ", no keep-alive"
	case b.Name == c.a.Name || b.Name != Base(b.Name):
		return c, false
	}
	if t.Experiment == Alert { // what is compared differs in how it evaluates, and by design
		c.title += fmt.Sprintf(" (%s, %s)", AlertingOf(c.a), AlertingOf(c.b))
	}
	return c, true
}

// aside says what beside a mechanism that both arms share can make their figures differ,
// or nothing.
func (c claim) aside() string {
	if c.task.Experiment != Alert || c.sameMechanism() == "" {
		return ""
	}
	return queues(c.a, c.b)
}

// sameMechanism says which mechanism both arms share for what the claim measures,
// as "query=scan", or nothing.
func (c claim) sameMechanism() string {
	if c.control {
		return ""
	}
	return sameMechanism(c.a, c.b, c.component)
}
