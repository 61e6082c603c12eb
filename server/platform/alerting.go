package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/alerting/stream"
	"phase0/server/consumer"
	"phase0/server/query"
	"phase0/server/storage"
)

// ruleEngine is an alerting engine whose rules can be replaced.
type ruleEngine interface {
	alerting.Engine
	SetRules(ctx context.Context, rules []rule.Rule) error
}

// alertingOptions is what alerting engines are made of; each takes what it needs.
type alertingOptions struct {
	rules    []rule.Rule
	query    query.Engine
	notifier alerting.Notifier
	log      zerolog.Logger

	interval time.Duration // of poll

	store             storage.Store // of stream, as is the rest
	memory            alerting.Memory
	limits            stream.Limits
	repeat, groupWait time.Duration
}

func (p *Platform) openRules() (err error) {
	p.rules, err = p.readRules()
	return err
}

func (p *Platform) readRules() ([]rule.Rule, error) {
	if p.cfg.RulesFile == "" {
		return rule.Seed(), nil
	}
	rules, err := rule.ReadFile(p.cfg.RulesFile)
	if errors.Is(err, alerting.ErrUnreadable) {
		err = fmt.Errorf("%w; -rules names a file, without it the three built-in rules apply", err)
	}
	return rules, err
}

func (p *Platform) openAlerting() error {
	o := alertingOptions{
		rules: p.rules, query: p.engine, store: p.store, notifier: p.notifier, log: p.log, interval: p.cfg.AlertInterval,
		limits: stream.Limits{
			Series: p.cfg.AlertMaxSeries, Samples: p.cfg.AlertMaxSamples, Instances: p.cfg.AlertMaxInstances, Active: p.cfg.AlertMaxActive,
		},
		repeat: p.cfg.AlertRepeatInterval, groupWait: p.cfg.AlertGroupWait,
	}
	if p.outbox != nil {
		o.memory = p.outbox
	}
	p.alerting = alertings[p.cfg.Alerting](o)
	return nil
}

// tap returns who wants to see samples before they are stored, nil for nobody.
func (p *Platform) tap() consumer.Tap {
	tap, _ := p.alerting.(consumer.Tap)
	return tap
}

// Reload reads the rule file again, when the start is complete and no other reload is under
// way: the rules at work are always those of the file as it was read last. With an error
// everything stays as it was.
func (p *Platform) Reload(ctx context.Context) error {
	n, err := p.replaceRules(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "[Alerting] %d rules read again\n", n)
	return nil
}

// replaceRules takes its turn, and returns how many rules the file has.
func (p *Platform) replaceRules(ctx context.Context) (n int, err error) {
	select {
	case <-p.complete:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case p.reloading <- struct{}{}:
		defer func() { <-p.reloading }()
	case <-ctx.Done():
		return 0, fmt.Errorf("rules stay as they were: another reload is under way: %w", ctx.Err())
	}
	if err := ctx.Err(); err != nil { // select chooses at random
		return 0, err
	}
	rules, err := p.readRules()
	if err == nil {
		err = p.alerting.SetRules(ctx, rules)
	}
	if err != nil {
		return 0, fmt.Errorf("rules stay as they were: %w", err)
	}
	return len(rules), nil
}

// ruleInterval is the time between two evaluations, 0 when samples decide.
func (p *Platform) ruleInterval() time.Duration {
	if p.cfg.Alerting == "stream" {
		return 0
	}
	return p.cfg.AlertInterval
}

// alertingPace says when rules are looked at.
func (p *Platform) alertingPace() string {
	if interval := p.ruleInterval(); interval > 0 {
		return "checking every " + seconds(interval)
	}
	return "evaluating samples as they come in"
}
