package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"phase0/server/alerting"
)

const (
	// refreshInterval is how often firing alerts are repeated to an Alertmanager.
	refreshInterval = time.Minute
	// lapse is when an alert that is not repeated ends there: after some repeats went
	// astray, as in Prometheus.
	lapse = 4 * refreshInterval
)

// Alertmanager is a Receiver that posts to an Alertmanager's /api/v2/alerts. There an
// alert ends by itself unless it is repeated, so it is a Refresher, too.
type Alertmanager struct {
	poster   *poster
	interval time.Duration
}

// NewAlertmanager checks the target, the URL under which Alertmanager's pages are found;
// nothing is sent.
func NewAlertmanager(target Target) (*Alertmanager, error) {
	p, err := newPoster(target, "alertmanager", "http://127.0.0.1:9093")
	if err != nil {
		return nil, err
	}
	if p.url.RawQuery != "" || p.url.Fragment != "" {
		return nil, fmt.Errorf("alertmanager must be a URL without ? and #, such as http://127.0.0.1:9093")
	}
	p.url = p.url.JoinPath("api/v2/alerts")
	return &Alertmanager{p, refreshInterval}, nil
}

// Name implements Receiver.
func (*Alertmanager) Name() string { return "alertmanager" }

// Interval implements Refresher.
func (a *Alertmanager) Interval() time.Duration { return a.interval }

// postable is an alert of Alertmanager's API, version 2.
type postable struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// Deliver implements Receiver.
func (a *Alertmanager) Deliver(ctx context.Context, b Batch) error {
	return a.send(ctx, b.Key, b.Notifications)
}

// Refresh implements Refresher. It has no key: Alertmanager knows an alert by its labels.
func (a *Alertmanager) Refresh(ctx context.Context, firing []alerting.Notification) error {
	return a.send(ctx, "", firing)
}

func (a *Alertmanager) send(ctx context.Context, key string, notifications []alerting.Notification) error {
	body, err := json.Marshal(postables(notifications, time.Now()))
	if err != nil {
		return fmt.Errorf("encode notification: %w: %w", err, ErrRefused)
	}
	return a.poster.post(ctx, key, body)
}

func postables(notifications []alerting.Notification, now time.Time) []postable {
	alerts := make([]postable, len(notifications))
	for i, n := range notifications {
		alerts[i] = postable{Labels: withoutEmpty(n.Alert.Labels), Annotations: n.Alert.Annotations, StartsAt: n.Alert.Since, EndsAt: n.EndsAt}
		if n.Status == alerting.StatusFiring {
			alerts[i].EndsAt = now.Add(lapse)
		}
	}
	return alerts
}

// withoutEmpty removes labels without a value: to Alertmanager they are not there.
func withoutEmpty(labels map[string]string) map[string]string {
	kept := make(map[string]string, len(labels))
	for name, value := range labels {
		if strings.TrimSpace(name) != "" && value != "" {
			kept[name] = value
		}
	}
	return kept
}
