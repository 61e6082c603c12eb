package stream

import (
	"slices"
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/life"
	"phase0/server/alerting/rule"
	"phase0/server/alerting/window"
	"phase0/server/sample"
)

const (
	never = life.Never
	// maxShortBytes bounds what is remembered of series that had no room.
	maxShortBytes = 8 << 20
)

// Limits bound the memory of an engine.
type Limits struct {
	Series  int // that some rule reads
	Samples int // in all their windows
	// Instances are rules about series: a series counts once for each rule that reads it.
	Instances int
	Active    int // alerts, pending or firing, beside one for each rule about absence
}

// reached tells which limits something was refused for.
type reached struct{ series, instances, active bool }

// core is the engine without clock, goroutine and lock: samples and times go in,
// notifications come out. Times are Unix nanoseconds and do not go back.
type core struct {
	limits    Limits
	repeat    int64 // 0 tells each transition once
	metrics   map[string]*metric
	rules     []*watched
	timers    timers
	budget    window.Budget
	series    int
	instances int // of all series
	// shortBytes is about what the short of all metrics take.
	shortBytes int

	touched []*unit // by the samples of this step
	active  map[*instance]*unit
	told    map[string]*told
	muted   bool // while the past is played again
	out     []alerting.Notification

	evaluations   uint64
	refused       uint64 // samples of series above a limit
	alertsRefused uint64 // times that a rule was true and there were as many alerts as may be
	reached       reached
}

// metric is what is known of a metric that some rule reads.
type metric struct {
	rules    []*watched
	absences []*unit // one for each rule about absence
	series   map[sample.Labels]*unit
	history  time.Duration // what of the past decides about the present
	// short tells of series that had no room how many instances they need at least; without
	// so much room they are not tried, which would match all rules for each sample.
	short map[sample.Labels]int
	// selective tells that there may be series that no rule reads; verdicts, which belong to
	// the sieve, remember of some whether one does.
	selective bool
	verdicts  map[sample.Labels]bool
}

// reads reports whether some rule reads a series.
func (m *metric) reads(labels sample.Labels) bool {
	return !m.selective ||
		slices.ContainsFunc(m.rules, func(w *watched) bool { return w.Matches(labels) }) ||
		slices.ContainsFunc(m.absences, func(a *unit) bool { return a.instances[0].rule.Matches(labels) })
}

// watched is a rule at work.
type watched struct {
	rule.Rule
	index     int
	evaluated int64 // when last
}

// unit is what is evaluated at once: a series with its window, or the absence of all that a
// rule matches.
type unit struct {
	metric    *metric
	labels    sample.Labels
	window    *window.Window // nil for an absence
	instances []instance
	absences  []presence // those that a sample of this series ends

	width  int64 // of an absence, in ms
	newest int64 // sample of an absence, in ms

	due     int64 // in timers
	slot    int   // there, −1 when it is not
	touched bool
}

// presence is where an absence finds the samples of a series.
type presence struct {
	view *window.View
	unit *unit
}

// instance is one rule about one series.
type instance struct {
	rule  *watched
	view  *window.View
	state life.State
	value float64 // when the rule was last found true
	alert *active // nil when it is inactive
}

// active is what does not change while an alert is pending or firing.
type active struct {
	of          sample.Labels
	series      map[string]string
	labels      map[string]string
	fingerprint string
	identity    string
}

// told is an alert that somebody knows to fire. Two rules or series may raise what has the
// same labels, which is one alert to whoever is told.
type told struct {
	raisers      int // while the past is played also those that are pending
	notification alerting.Notification
}

func newCore(rules []rule.Rule, limits Limits, repeat time.Duration) *core {
	c := &core{
		limits: limits, repeat: repeat.Nanoseconds(), metrics: map[string]*metric{}, budget: window.Budget{Left: limits.Samples},
		active: map[*instance]*unit{}, told: map[string]*told{},
	}
	for i := range rules {
		w := &watched{Rule: rules[i], index: i}
		c.rules = append(c.rules, w)
		m := c.metrics[w.Metric]
		if m == nil {
			m = &metric{series: map[sample.Labels]*unit{}, selective: true}
			c.metrics[w.Metric] = m
		}
		m.selective = m.selective && len(w.Matchers) > 0
		m.history = max(m.history, w.Window+w.For+w.KeepFiringFor)
		if w.Func == rule.Absent {
			absence := &unit{metric: m, width: w.Window.Milliseconds(), newest: -1 << 62, slot: -1, instances: []instance{{rule: w}}}
			m.absences = append(m.absences, absence)
			continue
		}
		m.rules = append(m.rules, w)
	}
	return c
}

// add takes a sample that some rule reads; evaluate what it touched afterwards.
func (c *core) add(s *sample.Sample, now int64) {
	m := c.metrics[s.Name]
	if m == nil {
		return // the rules have changed since it was let through
	}
	u := m.series[s.Labels]
	if u == nil {
		if u = c.newSeries(m, s.Labels, now); u == nil {
			c.present(m, s, now)
			return
		}
	}
	u.window.Add(s.Timestamp, s.Value)
	c.touch(u)
}

// present ends absences by a sample for whose series there is no room: what is there must not
// be called absent. Without a window one of the future is not waited for.
func (c *core) present(m *metric, s *sample.Sample, now int64) {
	if s.Timestamp > milliseconds(now) {
		return
	}
	for _, a := range m.absences {
		if s.Timestamp > a.newest && a.instances[0].rule.Matches(s.Labels) {
			a.newest = s.Timestamp
			c.touch(a)
		}
	}
}

func (c *core) touch(u *unit) {
	if !u.touched {
		u.touched = true
		c.touched = append(c.touched, u)
	}
}

// newSeries returns nil when there are too many, and for a series that no rule reads.
func (c *core) newSeries(m *metric, labels sample.Labels, now int64) *unit {
	free := c.limits.Instances - c.instances
	if full := c.series >= c.limits.Series; full || free < max(m.short[labels], 1) {
		c.refuse(full)
		return nil
	}
	rules, absences, need := m.readers(labels, free)
	if need > free {
		c.fallsShort(m, labels, need)
		c.refuse(false)
		return nil
	}
	if need == 0 {
		return nil
	}
	u := newUnit(m, labels, window.New(&c.budget), rules, absences)
	c.series++
	c.instances += u.size()
	u.window.Advance(milliseconds(now))
	m.series[labels] = u
	return u
}

// fallsShort remembers how much room a series needs. Of too many that have none all are
// forgotten, and tried again.
func (c *core) fallsShort(m *metric, labels sample.Labels, need int) {
	if len(labels) > longestVerdict {
		return
	}
	if _, known := m.short[labels]; !known {
		if c.shortBytes += len(labels) + verdictBytes; c.shortBytes > maxShortBytes {
			for _, m := range c.metrics {
				m.short = nil
			}
			c.shortBytes = len(labels) + verdictBytes
		}
		if m.short == nil {
			m.short = map[sample.Labels]int{}
		}
	}
	m.short[labels] = need
}

// refuse notes a sample of a series for which there is no room, once: the past that is played
// again was noted when it was the present.
func (c *core) refuse(series bool) {
	if !c.muted {
		c.refused++
	}
	c.reached.series = c.reached.series || series
	c.reached.instances = c.reached.instances || !series
}

// readers returns the rules that read a series and how many they are. If that is more than
// most it returns none, and a number above most that they are at least.
func (m *metric) readers(labels sample.Labels, most int) (rules []*watched, absences []*unit, need int) {
	for _, r := range m.rules {
		if r.Matches(labels) {
			if rules = append(rules, r); len(rules) > most {
				return nil, nil, len(rules)
			}
		}
	}
	for _, a := range m.absences {
		if a.instances[0].rule.Matches(labels) {
			absences = append(absences, a)
		}
	}
	return rules, absences, len(rules) + len(absences)
}

// newUnit returns a series in exactly the memory that its rules need.
func newUnit(m *metric, labels sample.Labels, w *window.Window, rules []*watched, absences []*unit) *unit {
	u := &unit{metric: m, labels: labels, window: w, slot: -1}
	if len(rules) > 0 {
		u.instances = make([]instance, len(rules))
	}
	for i, r := range rules {
		u.instances[i] = instance{rule: r, view: w.View(r.Window.Milliseconds(), r.Func)}
	}
	if len(absences) > 0 {
		u.absences = make([]presence, len(absences))
	}
	for i, a := range absences {
		u.absences[i] = presence{view: w.View(a.width, rule.Absent), unit: a}
	}
	return u
}

// size is what a series counts for among the instances.
func (u *unit) size() int { return len(u.instances) + len(u.absences) }

// milliseconds rounds down, as time.Time.UnixMilli does.
func milliseconds(nanoseconds int64) int64 {
	ms := nanoseconds / 1e6
	if nanoseconds%1e6 < 0 {
		ms--
	}
	return ms
}

// step evaluates what samples and time have changed.
func (c *core) step(now int64) {
	for u := c.timers.pop(now); u != nil; u = c.timers.pop(now) {
		c.touch(u)
	}
	// Evaluating a series may touch absences, behind the others.
	for i := 0; i < len(c.touched); i++ {
		u := c.touched[i]
		u.touched = false
		c.evaluate(u, now)
	}
	clear(c.touched)
	c.touched = c.touched[:0]
}

// evaluate looks at all rules of a series.
func (c *core) evaluate(u *unit, now int64) {
	next := never
	if u.window != nil {
		u.window.Advance(milliseconds(now))
		if ms := u.window.Next(); ms < never/1e6 {
			next = ms * 1e6
		}
	} else if ends := u.newest + u.width; ends > milliseconds(now) {
		next = ends * 1e6
	}
	idle := next == never
	for i := range u.instances {
		in := &u.instances[i]
		truth, value := u.truth(in, now)
		c.live(u, in, now, truth, value)
		if in.alert != nil {
			idle = false
			next = min(next, in.state.Next(&in.rule.Rule), c.nextRepeat(in))
		}
	}
	c.evaluations += uint64(len(u.instances))
	for _, p := range u.absences {
		if newest, ok := p.view.Newest(); ok && newest > p.unit.newest {
			p.unit.newest = newest
			c.touch(p.unit)
		}
	}
	if idle && u.window != nil {
		c.forget(u)
		return
	}
	c.timers.arm(u, next)
}

// truth returns whether the rule of an instance is true and of which value.
func (u *unit) truth(in *instance, now int64) (bool, float64) {
	r := &in.rule.Rule
	in.rule.evaluated = now
	if r.Func == rule.Absent {
		return u.newest <= milliseconds(now)-u.width, 1
	}
	value := in.view.Value(r.Func, r.Quantile, r.Threshold)
	return r.True(value), value
}

// forget drops a series without samples and alerts.
func (c *core) forget(u *unit) {
	c.timers.disarm(u)
	u.window.Clear()
	delete(u.metric.series, u.labels)
	c.series--
	c.instances -= u.size()
}
