package api

import (
	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

// Bounds of an answer about alerts and rules, which is made in memory: how many alerts it
// holds, and the bytes of the texts in it, before they are JSON. What one alert adds beyond
// its texts is less than alertBytes.
const (
	maxAlerts    = 10_000
	maxTextBytes = 16 << 20
	alertBytes   = 512
	maxShowing   = 4 // such answers are made at the same time
)

const (
	totalHeader     = "X-Phase0-Alerts-Total"
	truncatedHeader = "X-Phase0-Alerts-Truncated"
)

// bounded answers a request unless too many others like it are being answered.
func (h *Handler) bounded(answer fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		select {
		case h.showing <- struct{}{}:
			defer func() { <-h.showing }()
			answer(ctx)
		default:
			h.refuse(ctx, tooManyQueries)
		}
	}
}

// fit returns as many alerts as an answer may hold.
func fit(alerts []alerting.Alert) []alerting.Alert {
	bytes := 0
	for i := range alerts {
		if bytes += alertSize(&alerts[i]); bytes > maxTextBytes {
			return alerts[:i]
		}
	}
	return alerts
}

// fitRules returns as many rules as an answer may hold, with as many of their alerts, how
// many of these there are, and how many all rules have.
func fitRules(rules []alerting.RuleState) (shown []alerting.RuleState, alerts, active int) {
	bytes := 0
	for i := range rules {
		active += rules[i].Pending + rules[i].Firing
		bytes += alertBytes + len(rules[i].Group) + len(rules[i].Name) + len(rules[i].Expr) + textSize(rules[i].Labels) + textSize(rules[i].Annotations)
		if bytes <= maxTextBytes {
			shown = rules[:i+1]
		}
	}
	for i := range shown {
		r := &shown[i]
		for j := range r.Alerts {
			if bytes += alertSize(&r.Alerts[j]); bytes > maxTextBytes {
				r.Alerts = r.Alerts[:j]
				break
			}
		}
		alerts += len(r.Alerts)
	}
	return shown, alerts, active
}

func alertSize(a *alerting.Alert) int {
	return alertBytes + len(a.Rule) + textSize(a.Labels) + textSize(a.Annotations)
}

func textSize(texts map[string]string) (bytes int) {
	for name, text := range texts {
		bytes += len(name) + len(text) + 6 // quotes, a colon, a comma
	}
	return bytes
}
