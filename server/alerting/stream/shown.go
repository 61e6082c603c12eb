package stream

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/life"
)

// Alerts implements alerting.Engine.
func (e *Engine) Alerts() []alerting.Alert {
	alerts, _ := e.FirstAlerts(alerting.Bound{Alerts: math.MaxInt, Bytes: math.MaxInt})
	return alerts
}

// FirstAlerts implements alerting.Engine.
func (e *Engine) FirstAlerts(most alerting.Bound) (first []alerting.Alert, total int) {
	e.mu.Lock()
	all := e.core.snapshot()
	e.mu.Unlock()
	sortByRule(all)
	for i := range all {
		a := all[i].describe()
		if !most.Take(&a) {
			break
		}
		first = append(first, a)
	}
	return first, len(all)
}

// Rules implements alerting.Engine.
func (e *Engine) Rules(most alerting.Bound) []alerting.RuleState {
	e.mu.Lock()
	all := e.core.snapshot()
	watched := e.core.rules
	evaluated := make([]int64, len(watched))
	for i, w := range watched {
		evaluated[i] = w.evaluated
	}
	e.mu.Unlock()
	sortByRule(all)
	states := make([]alerting.RuleState, len(watched))
	for i, w := range watched {
		states[i] = w.Shown()
		if evaluated[i] != 0 {
			states[i].Evaluated = time.Unix(0, evaluated[i]).UTC()
		}
	}
	for i := range all {
		s := &states[all[i].rule.index]
		if all[i].state.Phase == life.Firing {
			s.Firing++
		} else {
			s.Pending++
		}
		if most.Alerts == 0 {
			continue
		}
		if a := all[i].describe(); most.Take(&a) {
			s.Alerts = append(s.Alerts, a)
		}
	}
	return states
}

// snapshot copies what describe needs of all active instances. Descriptions take long, and
// evaluation need not wait for them.
func (c *core) snapshot() []instance {
	all := make([]instance, 0, len(c.active))
	for in := range c.active {
		all = append(all, *in)
	}
	return all
}

// sortByRule puts alerts into an order that depends on nothing but the alerts.
func sortByRule(all []instance) {
	slices.SortFunc(all, func(a, b instance) int {
		return cmp.Or(
			cmp.Compare(a.rule.index, b.rule.index),
			strings.Compare(a.alert.fingerprint, b.alert.fingerprint),
			strings.Compare(string(a.alert.of), string(b.alert.of)), // two series may raise what has the same labels
		)
	})
}

// sayReached says in the log which limits something was refused for, each of them once; how
// much it is the counters tell. The caller holds telling.
func (e *Engine) sayReached(now reached) {
	say := func(now bool, said *bool, flag string, limit int, what string) {
		if now && !*said {
			*said = true
			e.cfg.Log.Warn().Str("flag", flag).Int("limit", limit).Msg(what)
		}
	}
	limits := e.cfg.Limits
	say(now.series, &e.said.series, "-alert-max-series", limits.Series, "as many series as alerting may keep: no rule sees further ones")
	say(now.instances, &e.said.instances, "-alert-max-instances", limits.Instances, "as many rules about series as alerting may keep: no rule sees further series")
	say(now.active, &e.said.active, "-alert-max-active", limits.Active, "as many alerts as there may be: further ones are not raised")
}
