package stream

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"phase0/server/alerting"
	"phase0/server/alerting/life"
	"phase0/server/query"
	"phase0/server/sample"
)

const (
	// maxReplay bounds the samples of one metric that are read at once; of more the newest
	// count.
	maxReplay = 2 << 20
	// notRead is in the place of an index where no rule reads the series.
	notRead = -1
)

// past is a sample as it is played again.
type past struct {
	time   int64
	value  float64
	labels int32 // index
}

// read returns, in the order of their time, the samples in the first bytes of the storage file
// that decide about the present.
func (m *metric) read(ctx context.Context, engine query.Engine, name string, bytes, now int64) ([]past, []sample.Labels, error) {
	var samples []past
	var labels []sample.Labels
	known := map[sample.Labels]int32{}
	older := func(a, b past) int { return cmp.Compare(a.time, b.time) }
	start := max(0, now-m.history.Milliseconds()+1)
	_, err := engine.Select(ctx, query.Selector{Name: name, Start: start, End: math.MaxInt64, Bytes: bytes}, func(s sample.Sample) bool {
		i, ok := known[s.Labels]
		if !ok {
			i = notRead
			if m.reads(s.Labels) {
				i = int32(len(labels))
				labels = append(labels, s.Labels)
			}
			known[s.Labels] = i
		}
		if i == notRead {
			return true
		}
		if len(samples) == maxReplay {
			slices.SortStableFunc(samples, older)
			samples = append(samples[:0], samples[maxReplay/2:]...)
		}
		samples = append(samples, past{s.Timestamp, s.Value, i})
		return true
	})
	slices.SortStableFunc(samples, older)
	return samples, labels, err
}

// fill plays what was read of a metric.
func (c *core) fill(name string, samples []past, labels []sample.Labels, until int64) {
	c.play(len(samples), func(i int) sample.Sample {
		p := samples[i]
		return sample.Sample{Name: name, Labels: labels[p.labels], Value: p.value, Timestamp: p.time}
	}, 0, until)
	for _, a := range c.metrics[name].absences {
		c.touch(a)
	}
	c.step(until)
}

// play plays n samples, in the order of their time, and lets pass the time from one moment
// until another. Every sample is taken to have come at its time, or, when that was past
// before, at once.
func (c *core) play(n int, get func(int) sample.Sample, from, until int64) {
	last := milliseconds(until) + 1 // later ones are far enough away, and some would overflow
	for i := 0; i < n; {
		first := get(i)
		at := max(from, min(min(first.Timestamp, last)*1e6, until))
		c.playUntil(at)
		for s := first; s.Timestamp == first.Timestamp; s = get(i) {
			c.add(&s, at)
			if i++; i == n {
				break
			}
		}
		c.step(at)
	}
	c.playUntil(until)
	c.step(until)
}

// playUntil lets happen what time alone does, each at its time. Metrics that were played
// before have nothing to do before now.
func (c *core) playUntil(now int64) {
	for due := c.timers.next(); due < now; due = c.timers.next() {
		c.step(due)
	}
}

// known returns what was told, not yet raised by anything.
func (c *core) known() map[string]*told {
	known := make(map[string]*told, len(c.told))
	for identity, t := range c.told {
		known[identity] = &told{notification: t.notification}
	}
	return known
}

// settle ends the playing of the past: those that are known by now to have been told have
// their place among the alerts, if they are true, and others beyond the limit none.
func (c *core) settle(known map[string]*told, now int64) {
	c.told = known
	for in := range c.active {
		c.replayed(in, 1)
	}
	if c.reached.active && c.anyMissing() { // it may have been told after it was refused
		for _, m := range c.metrics {
			for _, u := range m.series {
				c.touch(u)
			}
		}
		c.step(now)
	}
	beyond := -c.limits.Active
	for _, u := range c.active {
		if u.window != nil {
			beyond++
		}
	}
	for in, u := range c.active {
		if beyond > 0 && u.window != nil && c.told[in.alert.identity] == nil {
			in.state = life.State{Since: in.state.Since}
			c.drop(in)
			beyond--
		}
	}
	for _, t := range c.told {
		t.raisers = 0
	}
	c.muted = false
}

func (c *core) anyMissing() bool {
	for _, t := range c.told {
		if t.raisers == 0 {
			return true
		}
	}
	return false
}

// reconcile tells what changed between what was told and what is true now: alerts that fire
// and were not told, and those that do not fire any more. Of the alerts in old, whose rules
// are the same, the state is kept.
func (c *core) reconcile(old *core, now int64) {
	c.settle(old.known(), now)
	states := map[string]life.State{}
	for in, u := range old.active {
		states[in.rule.Identity()+" "+string(u.labels)] = in.state
	}
	for in, u := range c.active {
		if state, ok := states[in.rule.Identity()+" "+string(u.labels)]; ok {
			state.Rewind(now)
			in.state = state
		}
		if in.state.Phase == life.Pending && c.told[in.alert.identity] != nil {
			in.state.Phase = life.Firing // it did before, and the rule is still true
		}
		if in.state.Phase == life.Firing {
			c.raise(in, now)
		}
		c.touch(u)
	}
	for identity, t := range c.told {
		if t.raisers == 0 {
			c.over(identity, t.notification.Alert, now)
		}
	}
	// What is over comes first.
	slices.SortFunc(c.out, func(a, b alerting.Notification) int {
		return cmp.Or(-strings.Compare(string(a.Status), string(b.Status)), a.Alert.Since.Compare(b.Alert.Since), strings.Compare(a.Key, b.Key))
	})
	c.step(now)
}
