// Package poll is the seed's alerting engine: at a fixed interval it asks the query
// engine for each rule's window and compares the average. What becomes true between
// two looks is found at the second one, so the delay of detection is spread evenly
// over the interval. As in the seed nothing is deduplicated: an alert that fires is
// told at every evaluation.
package poll

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
)

// Config is what the engine needs. Every field is required.
type Config struct {
	Rules    []rule.Rule
	Query    query.Engine
	Notifier alerting.Notifier
	Interval time.Duration
	Log      zerolog.Logger
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

	mu     sync.Mutex
	states []state // one per rule
}

// state is what is remembered of a rule between evaluations.
type state struct {
	active bool
	alert  alerting.Alert // while active
}

// New returns an engine that Start sets going.
func New(cfg Config) *Engine {
	ctx, cancel := context.WithCancel(context.Background())
	return &Engine{cfg: cfg, ctx: ctx, cancel: cancel, states: make([]state, len(cfg.Rules))}
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
	e.mu.Lock()
	defer e.mu.Unlock()
	var alerts []alerting.Alert
	for _, s := range e.states {
		if s.active {
			alerts = append(alerts, s.alert)
		}
	}
	return alerts
}

// Stats implements alerting.Engine.
func (e *Engine) Stats() alerting.Stats {
	return alerting.Stats{
		Evaluations:      e.evaluations.Load(),
		EvaluationErrors: e.failures.Load(),
		Deliveries:       e.cfg.Notifier.Stats(),
	}
}

// evaluate looks at every rule as of one instant and tells what it found.
func (e *Engine) evaluate(now time.Time) {
	var told []alerting.Notification
	var failure error
	for i, r := range e.cfg.Rules {
		average, err := e.average(r, now)
		if e.ctx.Err() != nil {
			return // the server is ending; half an evaluation is none
		}
		e.evaluations.Add(1)
		if err != nil {
			e.failures.Add(1)
			failure = err
			continue // what was true stays so until it is known otherwise
		}
		if n, ok := e.update(i, r, average, now); ok {
			told = append(told, n)
		}
	}
	e.noteFailure(failure)
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

// average returns the mean of the samples in (now − window, now], NaN when there are
// none.
func (e *Engine) average(r rule.Rule, now time.Time) (float64, error) {
	end := now.UnixMilli()
	var m mean
	_, err := e.cfg.Query.Select(e.ctx, query.Selector{
		Name:  r.Metric,
		Start: end - r.Window.Milliseconds() + 1, // both ends are inclusive
		End:   end,
	}, func(s sample.Sample) bool {
		m.add(s.Value)
		return true
	})
	return m.value(), err
}

// mean averages finite values, whose plain sum may overflow.
type mean struct {
	n           float64
	sum, scaled float64
}

// scale keeps the sum of 2^32 of the largest floats finite.
const scale = 1 << 32

func (m *mean) add(v float64) {
	m.n++
	m.sum += v
	m.scaled += v / scale
}

func (m *mean) value() float64 {
	if math.IsInf(m.sum, 0) || math.IsNaN(m.sum) {
		// Rounding must not carry the mean of the largest floats beyond them.
		return max(-math.MaxFloat64, min(m.scaled/m.n*scale, math.MaxFloat64))
	}
	return m.sum / m.n // NaN when empty
}

// update moves the state of rule i and returns what is to be told about it.
func (e *Engine) update(i int, r rule.Rule, average float64, now time.Time) (alerting.Notification, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &e.states[i]
	if !r.True(average) { // nothing is true of NaN
		fired := s.active && s.alert.State == alerting.Firing
		resolved := alerting.NewNotification(alerting.StatusResolved, s.alert, now)
		*s = state{}
		return resolved, fired
	}
	since := now
	if s.active {
		since = s.alert.Since
	}
	*s = state{active: true, alert: alertOf(r, average, since)}
	if now.Sub(since) < r.For {
		s.alert.State = alerting.Pending
		return alerting.Notification{}, false
	}
	return alerting.NewNotification(alerting.StatusFiring, s.alert, now), true
}

func alertOf(r rule.Rule, average float64, since time.Time) alerting.Alert {
	labels := r.LabelsOf(average)
	return alerting.Alert{
		State:       alerting.Firing,
		Labels:      labels,
		Fingerprint: alerting.Fingerprint(labels),
		Annotations: r.AnnotationsOf(average),
		Value:       average,
		Since:       since,
		Rule:        r.Expr,
		Summary:     rule.Summary(r, average),
	}
}
