package notify

import (
	"encoding/json"
	"maps"
	"time"

	"phase0/server/alerting"
)

// payload is the JSON of Alertmanager's webhook receiver, version 4.
type payload struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            alerting.Status   `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

type alert struct {
	Status       alerting.Status   `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
	// IdempotencyKey is ours: version 4 has nothing of the kind.
	IdempotencyKey string `json:"idempotencyKey"`
}

// encode puts all notifications of one evaluation into one payload, which is firing
// when any of them is.
func encode(notifications []alerting.Notification) ([]byte, error) {
	p := payload{
		Version: "4", GroupKey: "{}", Status: alerting.StatusResolved, Receiver: "webhook",
		GroupLabels: map[string]string{}, Alerts: make([]alert, 0, len(notifications)),
	}
	for i, n := range notifications {
		if n.Status == alerting.StatusFiring {
			p.Status = alerting.StatusFiring
		}
		p.Alerts = append(p.Alerts, alertOf(n))
		if i == 0 {
			p.CommonLabels, p.CommonAnnotations = maps.Clone(n.Alert.Labels), notNil(maps.Clone(n.Alert.Annotations))
			continue
		}
		intersect(p.CommonLabels, n.Alert.Labels)
		intersect(p.CommonAnnotations, n.Alert.Annotations)
	}
	return json.Marshal(p)
}

func alertOf(n alerting.Notification) alert {
	return alert{
		Status:         n.Status,
		Labels:         n.Alert.Labels,
		Annotations:    notNil(n.Alert.Annotations),
		StartsAt:       n.Alert.Since,
		EndsAt:         n.EndsAt,
		Fingerprint:    n.Alert.Fingerprint,
		IdempotencyKey: n.Key,
	}
}

// intersect removes from common what other does not have.
func intersect(common, other map[string]string) {
	maps.DeleteFunc(common, func(name, value string) bool {
		found, ok := other[name]
		return !ok || found != value
	})
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
