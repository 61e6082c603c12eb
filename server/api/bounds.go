package api

import (
	"bytes"
	"encoding/json"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

// Bounds of an answer about alerts and rules, which is made in memory: how many alerts it
// holds, and its bytes. What a rule adds beyond its texts is less than ruleBytes.
const (
	maxAlerts      = 10_000
	maxAnswerBytes = 16 << 20
	ruleBytes      = 512
	maxShowing     = 4 // such answers are made at the same time
	// maxUnread is how many bytes of them may wait for their clients when another is begun.
	maxUnread = 64 << 20
)

// answerBound is what an answer holds of alerts.
var answerBound = alerting.Bound{Alerts: maxAlerts, Bytes: maxAnswerBytes}

const (
	totalHeader     = "X-Phase0-Alerts-Total"
	truncatedHeader = "X-Phase0-Alerts-Truncated"
)

// bounded answers a request unless too many others like it are being answered, or wait to be
// read.
func (h *Handler) bounded(answer fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		select {
		case h.showing <- struct{}{}:
			defer func() { <-h.showing }()
			if h.unread.Load() > maxUnread {
				h.refuse(ctx, tooManyQueries)
				return
			}
			answer(ctx)
		default:
			h.refuse(ctx, tooManyQueries)
		}
	}
}

// fitRules returns as many rules as an answer may hold, with as many of their alerts as there
// is room for beside them, how many of these there are, and how many all rules have.
func fitRules(rules []alerting.RuleState) (shown []alerting.RuleState, alerts, active int) {
	room := answerBound
	for i := range rules {
		r := &rules[i]
		active += r.Pending + r.Firing
		room.Bytes -= ruleBytes + alerting.JSONSize(r.Group) + alerting.JSONSize(r.Name) + alerting.JSONSize(r.Expr) + alerting.TextsSize(r.Labels) + alerting.TextsSize(r.Annotations)
		if room.Bytes >= 0 {
			shown = rules[:i+1]
		}
	}
	for i := range shown {
		shown[i].Alerts = fit(&room, shown[i].Alerts)
		alerts += len(shown[i].Alerts)
	}
	return shown, alerts, active
}

// fit returns the first alerts, as many as there is room for.
func fit(room *alerting.Bound, alerts []alerting.Alert) []alerting.Alert {
	for i := range alerts {
		if !room.Take(&alerts[i]) {
			return alerts[:i]
		}
	}
	return alerts
}

// show answers with v as JSON; false says that it was refused.
func (h *Handler) show(ctx *fasthttp.RequestCtx, v any) bool {
	var body bytes.Buffer // not fasthttp's, which a connection keeps for its next answer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // expressions hold < and >
	if err := encoder.Encode(v); err != nil {
		h.refuse(ctx, internal("encode answer: "+err.Error()))
		return false
	}
	answer := &unread{of: &h.unread}
	answer.Reset(body.Bytes())
	h.unread.Add(answer.Size())
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyStream(answer, body.Len())
	return true
}

// unread is an answer that is made, whose bytes count until fasthttp closes it: when it is
// sent or the client is gone, long after the handler's return if the client is slow to read.
type unread struct {
	bytes.Reader
	of *atomic.Int64
}

// Close implements io.Closer; it is called once.
func (u *unread) Close() error {
	u.of.Add(-u.Size())
	return nil
}
