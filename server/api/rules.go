package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

// What Prometheus answers at /api/v1/alerts and /api/v1/rules, so that what reads its alerts
// reads ours.
type (
	prometheusAnswer struct {
		Status   string   `json:"status"`
		Data     any      `json:"data"`
		Warnings []string `json:"warnings,omitempty"`
	}
	prometheusAlert struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		State       alerting.State    `json:"state"`
		ActiveAt    time.Time         `json:"activeAt"`
		Value       string            `json:"value"`
	}
	prometheusRule struct {
		State          string            `json:"state"`
		Name           string            `json:"name"`
		Query          string            `json:"query"`
		Duration       float64           `json:"duration"`
		KeepFiringFor  float64           `json:"keepFiringFor"`
		Labels         map[string]string `json:"labels"`
		Annotations    map[string]string `json:"annotations"`
		Alerts         []prometheusAlert `json:"alerts"`
		Health         string            `json:"health"`
		EvaluationTime float64           `json:"evaluationTime"`
		LastEvaluation time.Time         `json:"lastEvaluation"`
		Type           string            `json:"type"`
	}
	prometheusGroup struct {
		Name           string           `json:"name"`
		File           string           `json:"file"`
		Rules          []prometheusRule `json:"rules"`
		Interval       float64          `json:"interval"`
		Limit          int              `json:"limit"`
		EvaluationTime float64          `json:"evaluationTime"`
		LastEvaluation time.Time        `json:"lastEvaluation"`
	}
)

func (h *Handler) prometheusAlerts(ctx *fasthttp.RequestCtx) {
	shown, total := h.cfg.Alerts.FirstAlerts(answerBound)
	h.answerPrometheus(ctx, map[string]any{"alerts": alertsOf(shown)}, left("alerts", len(shown), total))
}

// prometheusRules knows no rules but those of alerts: who asks for recording rules alone
// gets none.
func (h *Handler) prometheusRules(ctx *fasthttp.RequestCtx) {
	groups := []prometheusGroup{}
	var rules []alerting.RuleState
	if string(ctx.QueryArgs().Peek("type")) != "record" {
		rules = h.cfg.Alerts.Rules(answerBound)
	}
	shown, alerts, active := fitRules(rules)
	for i := range shown {
		r := &shown[i]
		last := len(groups) - 1
		if last < 0 || groups[last].Name != r.Group {
			groups = append(groups, prometheusGroup{Name: r.Group, File: h.cfg.RuleFile, Interval: h.cfg.RuleInterval.Seconds()})
			last++
		}
		g := &groups[last]
		g.Rules = append(g.Rules, ruleOf(r))
		if r.Evaluated.After(g.LastEvaluation) {
			g.LastEvaluation = r.Evaluated
		}
	}
	h.answerPrometheus(ctx, map[string]any{"groups": groups}, left("rules", len(shown), len(rules)), left("alerts", alerts, active))
}

// left returns a warning when an answer does not hold everything, "" when it does.
func left(what string, shown, total int) string {
	if shown == total {
		return ""
	}
	return fmt.Sprintf("only the first %d of %d %s are in this answer", shown, total, what)
}

func alertsOf(alerts []alerting.Alert) []prometheusAlert {
	shown := make([]prometheusAlert, 0, len(alerts)) // [], not null
	for _, a := range alerts {
		shown = append(shown, prometheusAlert{
			Labels: a.Labels, Annotations: a.Annotations, State: a.State, ActiveAt: a.Since, Value: strconv.FormatFloat(a.Value, 'e', -1, 64),
		})
	}
	return shown
}

func ruleOf(r *alerting.RuleState) prometheusRule {
	shown := prometheusRule{
		State: "inactive", Name: r.Name, Query: r.Expr, Duration: r.For.Seconds(), KeepFiringFor: r.KeepFiringFor.Seconds(),
		Labels: notNil(r.Labels), Annotations: notNil(r.Annotations), Alerts: alertsOf(r.Alerts),
		Health: "ok", LastEvaluation: r.Evaluated, Type: "alerting",
	}
	if r.Evaluated.IsZero() {
		shown.Health = "unknown"
	}
	switch {
	case r.Firing > 0:
		shown.State = string(alerting.Firing)
	case r.Pending > 0:
		shown.State = string(alerting.Pending)
	}
	return shown
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func (h *Handler) answerPrometheus(ctx *fasthttp.RequestCtx, data any, warnings ...string) {
	warnings = slices.DeleteFunc(warnings, func(w string) bool { return w == "" })
	h.show(ctx, prometheusAnswer{"success", data, warnings})
}

// reloadPatience bounds how long a reload is waited for: others that are under way, and
// reading what is stored.
const reloadPatience = 30 * time.Second

// reload answers POST /-/reload, when the rules are at work.
func (h *Handler) reload(ctx *fasthttp.RequestCtx) {
	patience, cancel := context.WithTimeout(h.cfg.Base, reloadPatience)
	defer cancel()
	if err := h.cfg.Reload(patience); err != nil {
		h.refuse(ctx, reloadFault(err))
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"status":"reloaded"}`)
}
