// Package poll is the seed's alerting engine: at a fixed interval it asks the query
// engine for each rule's window and compares what its samples amount to, series by
// series. What becomes true between two looks is found at the second one, so the delay of
// detection is spread evenly over the interval. As in the seed nothing is deduplicated: an
// alert that fires is told at every evaluation.
package poll

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/life"
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
)

// Config is what the engine needs. Every field is required that does not say otherwise.
type Config struct {
	Rules    []rule.Rule
	Query    query.Engine
	Notifier alerting.Notifier
	Interval time.Duration
	// MaxActive bounds the alerts; 0 does not.
	MaxActive int
	Log       zerolog.Logger
}

// Engine implements alerting.Engine. Create it with New.
type Engine struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	loop   sync.WaitGroup

	evaluations atomic.Uint64
	failures    atomic.Uint64
	failing     bool // some rule could not be evaluated last time; only the loop touches it

	turn chan struct{} // has room for one: whoever evaluates or replaces rules

	mu     sync.Mutex
	states []states // one per rule
	active int      // in all of them
	last   time.Time

	refused uint64 // times that a rule was true and there were as many alerts as may be
}

// states is what is remembered of a rule between evaluations, by series.
type states map[sample.Labels]*state

type state struct {
	life  life.State
	alert alerting.Alert // as it was last when the rule was true
}

// New returns an engine that Start sets going.
func New(cfg Config) *Engine {
	ctx, cancel := context.WithCancel(context.Background())
	e := &Engine{cfg: cfg, ctx: ctx, cancel: cancel, turn: make(chan struct{}, 1), states: make([]states, len(cfg.Rules))}
	for i := range e.states {
		e.states[i] = states{}
	}
	return e
}

// Start implements alerting.Engine. The first evaluation comes after one interval.
func (e *Engine) Start() {
	e.loop.Go(func() {
		ticker := time.NewTicker(e.cfg.Interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				// A ticker drops what a slow evaluation missed: ticks never pile up.
				e.evaluate(time.Now().UTC())
			case <-e.ctx.Done():
				return
			}
		}
	})
}

// Close implements alerting.Engine.
func (e *Engine) Close() {
	e.cancel()
	e.loop.Wait()
}

// Alerts implements alerting.Engine.
func (e *Engine) Alerts() []alerting.Alert {
	alerts, _ := e.FirstAlerts(alerting.Bound{Alerts: math.MaxInt, Bytes: math.MaxInt})
	return alerts
}

// FirstAlerts implements alerting.Engine.
func (e *Engine) FirstAlerts(most alerting.Bound) (first []alerting.Alert, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.states {
		first = append(first, s.first(&most)...)
		total += len(s)
	}
	return first, total
}

// first returns the alerts of a rule by the labels of their series, as many as fit.
func (s states) first(most *alerting.Bound) (alerts []alerting.Alert) {
	if most.Alerts == 0 {
		return nil
	}
	for _, labels := range slices.Sorted(maps.Keys(s)) {
		a := &s[labels].alert
		if !most.Take(a) {
			break
		}
		alerts = append(alerts, *a)
	}
	return alerts
}

// Rules implements alerting.Engine.
func (e *Engine) Rules(most alerting.Bound) []alerting.RuleState {
	e.mu.Lock()
	defer e.mu.Unlock()
	shown := make([]alerting.RuleState, len(e.states))
	for i, s := range e.states {
		r := &shown[i]
		*r = e.cfg.Rules[i].Shown()
		r.Evaluated = e.last
		for _, one := range s {
			if one.alert.State == alerting.Firing {
				r.Firing++
			} else {
				r.Pending++
			}
		}
		r.Alerts = s.first(&most)
	}
	return shown
}

// Stats implements alerting.Engine.
func (e *Engine) Stats() alerting.Stats {
	e.mu.Lock()
	active, refused := e.active, e.refused
	e.mu.Unlock()
	return alerting.Stats{
		Active:           active,
		AlertsRefused:    refused,
		Evaluations:      e.evaluations.Load(),
		EvaluationErrors: e.failures.Load(),
		Deliveries:       e.cfg.Notifier.Stats(),
	}
}

// evaluate looks at every rule as of one instant and tells what it found.
func (e *Engine) evaluate(now time.Time) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-e.ctx.Done():
		return
	}
	var told []alerting.Notification
	var failure error
	for i := range e.cfg.Rules {
		r := &e.cfg.Rules[i]
		found, err := e.values(r, now)
		if e.ctx.Err() != nil {
			return // the server is ending; half an evaluation is none
		}
		e.evaluations.Add(1)
		if err != nil {
			e.failures.Add(1)
			failure = err
			continue // what was true stays so until it is known otherwise
		}
		told = append(told, e.update(i, r, found, now)...)
	}
	e.noteFailure(failure)
	e.mu.Lock()
	e.last = now
	e.mu.Unlock()
	if len(told) > 0 {
		e.cfg.Notifier.Notify(told)
	}
}

// noteFailure logs when evaluation starts and stops failing, not each time.
func (e *Engine) noteFailure(err error) {
	switch {
	case err != nil && !e.failing:
		e.cfg.Log.Error().Err(err).Msg("alert evaluation failed; trying again every interval")
	case err == nil && e.failing:
		e.cfg.Log.Info().Msg("alert evaluation works again")
	}
	e.failing = err != nil
}

// update moves the states of rule i and returns what is to be told about them.
func (e *Engine) update(i int, r *rule.Rule, found map[sample.Labels]float64, now time.Time) []alerting.Notification {
	e.mu.Lock()
	defer e.mu.Unlock()
	states := e.states[i]
	for labels := range states {
		if _, ok := found[labels]; !ok {
			found[labels] = nothing
		}
	}
	var told []alerting.Notification
	for _, labels := range slices.SortedFunc(maps.Keys(found), func(a, b sample.Labels) int { return strings.Compare(string(a), string(b)) }) {
		value := found[labels]
		truth := r.True(value)
		if r.Func == rule.Absent {
			truth = value == absent
		}
		s := states[labels]
		if s == nil {
			if !truth || !e.room() {
				continue
			}
			s = &state{}
			states[labels] = s
			e.active++
		}
		event := s.life.Step(r, now.UnixNano(), truth)
		if truth {
			s.alert = s.describe(r, labels, value)
		}
		switch {
		case event == life.Resolved:
			told = append(told, alerting.NewNotification(alerting.StatusResolved, s.alert, now))
			fallthrough
		case event == life.Ended:
			delete(states, labels)
			e.active--
		case s.life.Phase == life.Firing:
			told = append(told, alerting.NewNotification(alerting.StatusFiring, s.alert, now))
		}
	}
	return told
}

// room reports whether there may be another alert. The first time that there may not it says
// so in the log.
func (e *Engine) room() bool {
	if e.cfg.MaxActive == 0 || e.active < e.cfg.MaxActive {
		return true
	}
	if e.refused++; e.refused == 1 {
		e.cfg.Log.Warn().Str("flag", "-alert-max-active").Int("limit", e.cfg.MaxActive).Msg("as many alerts as there may be: further ones are not raised")
	}
	return false
}

// describe returns the alert; its labels stay what they were when it began.
func (s *state) describe(r *rule.Rule, labels sample.Labels, value float64) alerting.Alert {
	a := s.alert
	series := r.SeriesLabels(labels)
	if a.Fingerprint == "" {
		a.Labels = r.LabelsOf(series, value)
		a.Fingerprint = alerting.Fingerprint(a.Labels)
	}
	a.State = alerting.Pending
	if s.life.Phase == life.Firing {
		a.State = alerting.Firing
	}
	a.Annotations = r.AnnotationsOf(series, value)
	a.Value = value
	a.Since = time.Unix(0, s.life.Since).UTC()
	a.Rule = r.Expr
	a.Summary = rule.Summary(r, series, value)
	return a
}

// SetRules puts other rules in the place of the present ones. It waits for the evaluation
// under way as long as ctx lasts. Alerts of rules that have not changed keep their state, those
// of rules that are gone are over.
func (e *Engine) SetRules(ctx context.Context, rules []rule.Rule) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return fmt.Errorf("rules are being evaluated: %w", ctx.Err())
	}
	e.mu.Lock()
	kept := map[string]states{}
	for i := range e.cfg.Rules {
		kept[e.cfg.Rules[i].Identity()] = e.states[i]
	}
	fresh := make([]states, len(rules))
	for i := range rules {
		identity := rules[i].Identity()
		if fresh[i] = kept[identity]; fresh[i] == nil {
			fresh[i] = states{}
		}
		delete(kept, identity)
	}
	var told []alerting.Notification
	now := time.Now().UTC()
	for _, gone := range kept {
		e.active -= len(gone)
		for _, s := range gone {
			if s.life.Phase == life.Firing {
				told = append(told, alerting.NewNotification(alerting.StatusResolved, s.alert, now))
			}
		}
	}
	e.cfg.Rules, e.states = rules, fresh
	e.mu.Unlock()
	if len(told) > 0 {
		e.cfg.Notifier.Notify(told)
	}
	return nil
}
