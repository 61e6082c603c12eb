package stream

import (
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/life"
	"phase0/server/alerting/rule"
)

// live moves the alert of an instance on.
func (c *core) live(u *unit, in *instance, now int64, truth bool, value float64) {
	switch {
	case !truth && in.alert == nil:
		return
	case truth && in.alert == nil && u.window != nil && len(c.active) >= c.limits.Active && !c.missing(u, in, value):
		c.refuseAlert()
		return // the next evaluation tries again
	case truth:
		in.value = value
	}
	event := in.state.Step(&in.rule.Rule, now, truth)
	if in.alert == nil {
		in.alert = newActive(u, in, value)
		c.active[in] = u
		c.replayed(in, 1)
	}
	switch event {
	case life.Fired:
		c.raise(in, now)
	case life.Resolved:
		c.resolve(in, now)
		fallthrough
	case life.Ended:
		c.drop(in)
	default:
		c.tellAgain(in, now)
	}
}

func newActive(u *unit, in *instance, value float64) *active {
	series := in.rule.SeriesLabels(u.labels)
	labels := in.rule.LabelsOf(series, value)
	return &active{of: u.labels, series: series, labels: labels, fingerprint: alerting.Fingerprint(labels), identity: alerting.Identity(labels)}
}

// drop forgets the alert of an instance.
func (c *core) drop(in *instance) {
	c.replayed(in, -1)
	in.alert = nil
	delete(c.active, in)
}

// missing reports whether an alert was told that the past, while it is played again, has not
// raised. It is raised also above the limit, where it had a place before: others may have
// come first this time, and it is not over because of that.
func (c *core) missing(u *unit, in *instance, value float64) bool {
	if !c.muted || len(c.told) == 0 {
		return false
	}
	t := c.told[newActive(u, in, value).identity]
	return t != nil && t.raisers == 0
}

// replayed counts who raises what was told, or may yet, while the past is played again.
func (c *core) replayed(in *instance, n int) {
	if !c.muted {
		return
	}
	if t := c.told[in.alert.identity]; t != nil {
		t.raisers += n
	}
}

// refuseAlert notes that there are as many alerts as may be. Those about absence, of which a
// rule has one, are made beyond: nothing would look at them again.
func (c *core) refuseAlert() {
	if !c.muted {
		c.alertsRefused++
	}
	c.reached.active = true
}

// raise tells that an alert fires, if nobody knows.
func (c *core) raise(in *instance, now int64) {
	if c.muted {
		return
	}
	t := c.told[in.alert.identity]
	if t == nil {
		t = &told{notification: alerting.NewNotification(alerting.StatusFiring, in.describe(), time.Unix(0, now).UTC())}
		c.told[in.alert.identity] = t
		c.out = append(c.out, t.notification)
	}
	t.raisers++
	in.state.Since = t.notification.Alert.Since.UnixNano()
}

// resolve tells that an alert is over, if nothing else raises it.
func (c *core) resolve(in *instance, now int64) {
	t := c.told[in.alert.identity]
	if c.muted || t == nil {
		return
	}
	if t.raisers--; t.raisers == 0 {
		c.over(in.alert.identity, in.describe(), now)
	}
}

func (c *core) over(identity string, a alerting.Alert, now int64) {
	delete(c.told, identity)
	a.State = alerting.Firing // that is what it was
	c.out = append(c.out, alerting.NewNotification(alerting.StatusResolved, a, time.Unix(0, now).UTC()))
}

func (c *core) tellAgain(in *instance, now int64) {
	if c.nextRepeat(in) > now {
		return
	}
	t := c.told[in.alert.identity]
	t.notification = t.notification.Again(in.describe(), time.Unix(0, now).UTC())
	c.out = append(c.out, t.notification)
}

func (c *core) nextRepeat(in *instance) int64 {
	if c.repeat == 0 || c.muted || in.state.Phase != life.Firing {
		return never
	}
	t := c.told[in.alert.identity]
	if t == nil {
		return never
	}
	return t.notification.At.UnixNano() + c.repeat
}

// describe returns the alert of an active instance as it is now.
func (in *instance) describe() alerting.Alert {
	state := alerting.Pending
	if in.state.Phase == life.Firing {
		state = alerting.Firing
	}
	return alerting.Alert{
		State: state, Labels: in.alert.labels, Annotations: in.rule.AnnotationsOf(in.alert.series, in.value), Value: in.value,
		Since: time.Unix(0, in.state.Since).UTC(), Fingerprint: in.alert.fingerprint, Rule: in.rule.Expr,
		Summary: rule.Summary(&in.rule.Rule, in.alert.series, in.value),
	}
}
