package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/life"
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
)

const (
	// maxReplay bounds the samples of one metric that are read at once; of more the newest
	// count.
	maxReplay = 2 << 20
	// fillTimeout bounds how long storage is read. The consumer may be waiting.
	fillTimeout = 30 * time.Second
	// notRead is in the place of an index where no rule reads the series.
	notRead = -1
	// gateTimeout bounds the wait for a batch under way to be stored.
	gateTimeout = 2 * time.Second
)

// past is a sample as it is played again.
type past struct {
	time   int64
	value  float64
	labels int32 // index
}

// fill reads from storage what decides about the present and plays it again, metric by
// metric: every sample is taken to have come at its time.
func (c *core) fill(ctx context.Context, engine query.Engine, now int64) error {
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	c.muted = true
	defer func() { c.muted = false }()
	for name, m := range c.metrics {
		samples, labels, err := m.read(ctx, engine, name, milliseconds(now))
		if err != nil {
			return fmt.Errorf("read samples of %q: %w", name, err)
		}
		c.play(name, m, samples, labels, now)
	}
	return nil
}

func (m *metric) read(ctx context.Context, engine query.Engine, name string, now int64) ([]past, []sample.Labels, error) {
	var samples []past
	var labels []sample.Labels
	known := map[sample.Labels]int32{}
	older := func(a, b past) int { return int(min(max(a.time-b.time, -1), 1)) }
	start := max(0, now-m.history.Milliseconds()+1)
	_, err := engine.Select(ctx, query.Selector{Name: name, Start: start, End: math.MaxInt64}, func(s sample.Sample) bool {
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

func (c *core) play(name string, m *metric, samples []past, labels []sample.Labels, now int64) {
	for i, s := range samples {
		at := min(s.time*1e6, now)
		if i == 0 || s.time != samples[i-1].time {
			c.playUntil(at)
		}
		c.add(&sample.Sample{Name: name, Labels: labels[s.labels], Value: s.value, Timestamp: s.time}, at)
		if i+1 == len(samples) || samples[i+1].time != s.time {
			c.step(at)
		}
	}
	c.playUntil(now)
	for _, a := range m.absences {
		c.touch(a)
	}
	c.step(now)
}

// playUntil lets happen what time alone does, each at its time. Metrics that were played
// before have nothing to do before now.
func (c *core) playUntil(now int64) {
	for due := c.timers.next(); due < now; due = c.timers.next() {
		c.step(due)
	}
}

// reconcile tells what changed between what was told and what is true now: alerts that fire
// and were not told, and those that do not fire any more. Of the alerts in old, whose rules
// are the same, the state is kept.
func (c *core) reconcile(old *core, now int64) {
	states := map[string]life.State{}
	if old != nil {
		for in, u := range old.active {
			states[in.rule.Identity()+" "+string(u.labels)] = in.state
		}
	}
	for in, u := range c.active {
		if state, ok := states[in.rule.Identity()+" "+string(u.labels)]; ok {
			state.Rewind(now)
			in.state = state
		}
		if in.state.Phase == life.Pending && c.told[in.alert.fingerprint] != nil {
			in.state.Phase = life.Firing // it did before, and the rule is still true
		}
		if in.state.Phase == life.Firing {
			c.raise(in, now)
		}
		c.touch(u)
	}
	for fingerprint, t := range c.told {
		if t.raisers == 0 {
			c.over(fingerprint, t.notification.Alert, now)
		}
	}
	// What is over comes first.
	slices.SortFunc(c.out, func(a, b alerting.Notification) int {
		return cmp.Or(-strings.Compare(string(a.Status), string(b.Status)), a.Alert.Since.Compare(b.Alert.Since), strings.Compare(a.Key, b.Key))
	})
	c.step(now)
}

// errBusy is returned when storage did not take a batch in time.
var errBusy = errors.New("storage is busy with a batch; try again")

// errStarting is returned for what must wait until the engine has read what is stored.
var errStarting = errors.New("alerting is still reading what is stored; try again")

// refill makes windows anew from storage, for other rules, or for the same ones when rules
// is nil. Only the first time may do so before the engine has begun.
func (e *Engine) refill(ctx context.Context, rules []rule.Rule, first bool) error {
	select {
	case e.gate <- struct{}{}:
		defer e.Stored()
	case <-time.After(gateTimeout):
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	if !e.begun && !first {
		return errStarting
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	if rules == nil {
		rules = e.cfg.Rules
	}
	c := newCore(rules, e.cfg.Limits, e.cfg.Repeat)
	for fingerprint, t := range e.core.told {
		c.told[fingerprint] = &told{notification: t.notification}
	}
	now := e.cfg.now()
	if err := c.fill(ctx, e.cfg.Query, now.UnixNano()); err != nil {
		return err
	}
	c.reconcile(e.core, now.UnixNano())
	e.mu.Lock()
	c.evaluations += e.core.evaluations
	c.refused += e.core.refused
	c.budget.Dropped += e.core.budget.Dropped
	e.cfg.Rules = rules
	e.install(c)
	e.last = now.UnixNano()
	e.refills++
	e.mu.Unlock()
	e.begun = true
	e.behind.Store(false)
	e.inbox.take(nil) // it is all in storage
	e.tell(now)
	return nil
}

// SetRules puts other rules in the place of the present ones, all of them or, with an error,
// none. Alerts of rules that have not changed keep their state.
func (e *Engine) SetRules(ctx context.Context, rules []rule.Rule) error {
	return e.refill(ctx, rules, false)
}
