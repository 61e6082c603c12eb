package api

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

// health answers GET /health. The two fields are the contract; the status code tells
// a load balancer the same. While the server starts others say how far it is.
func (h *Handler) health(ctx *fasthttp.RequestCtx) {
	status, code := "healthy", fasthttp.StatusOK
	switch {
	case h.draining.Load():
		status, code = "draining", fasthttp.StatusServiceUnavailable
	case h.starting.Load():
		status, code = "starting", fasthttp.StatusServiceUnavailable
	case h.cfg.StorageErr() != nil, h.cfg.DamageErr != nil && h.cfg.DamageErr() != nil:
		status, code = "degraded", fasthttp.StatusServiceUnavailable
	}
	body := append(ctx.Response.Body()[:0], `{"status":"`...)
	body = append(body, status...)
	body = append(body, `","queue_size":`...)
	body = strconv.AppendInt(body, int64(h.depth()), 10)
	if status == "starting" {
		body = h.appendProgress(body)
	}
	ctx.SetStatusCode(code)
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '}'))
}

// shownAlert is an alert whose value is null where JSON has no number for it: a sum, for
// one, may overflow.
type shownAlert struct {
	alerting.Alert
	Value *float64 `json:"value"`
}

// depth is 0 before there is a queue.
func (h *Handler) depth() int {
	if h.cfg.Queue == nil {
		return 0
	}
	return h.cfg.Queue.Stats().Depth
}

// alerts answers GET /alerts with the alerts that are pending or firing.
func (h *Handler) alerts(ctx *fasthttp.RequestCtx) {
	all := h.cfg.Alerts.Alerts()
	current := make([]shownAlert, len(all)) // [], not null
	for i := range all {
		current[i].Alert = all[i]
		if value := &all[i].Value; !math.IsInf(*value, 0) && !math.IsNaN(*value) {
			current[i].Value = value
		}
	}
	encoder := json.NewEncoder(ctx)
	encoder.SetEscapeHTML(false) // expressions hold < and >
	if err := encoder.Encode(current); err != nil {
		h.refuse(ctx, internal("encode alerts: "+err.Error()))
		return
	}
	ctx.SetContentType("application/json")
}

// metrics answers GET /metrics in Prometheus' text format.
func (h *Handler) metrics(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	if err := h.cfg.Metrics.WriteText(ctx); err != nil {
		h.refuse(ctx, internal("encode metrics: "+err.Error()))
	}
}
