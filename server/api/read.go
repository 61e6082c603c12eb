package api

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
	"phase0/server/sample"
)

// health answers GET /health. The two fields are the contract; the status code tells
// a load balancer the same. While the server starts others say how far it is, and a reason
// says in words what is degraded.
func (h *Handler) health(ctx *fasthttp.RequestCtx) {
	status, reason := h.state()
	code := fasthttp.StatusOK
	if status != "healthy" {
		code = fasthttp.StatusServiceUnavailable
	}
	body := append(ctx.Response.Body()[:0], `{"status":"`...)
	body = append(body, status...)
	body = append(body, `","queue_size":`...)
	body = strconv.AppendInt(body, int64(h.depth()), 10)
	switch {
	case reason != nil:
		body = append(body, `,"reason":`...)
		body = sample.AppendString(body, strings.ToValidUTF8(firstLine(reason.Error()), "�"))
	case status == "starting":
		body = h.appendProgress(body)
	}
	ctx.SetStatusCode(code)
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '}'))
}

// state returns what health says, and why where there is more to say.
func (h *Handler) state() (status string, reason error) {
	switch {
	case h.draining.Load():
		return "draining", nil
	case h.starting.Load():
		return "starting", nil
	}
	for _, ask := range []func() error{h.cfg.StorageErr, h.cfg.DamageErr, h.cfg.AlertingErr} {
		if ask == nil {
			continue
		}
		err := ask()
		switch {
		case errors.Is(err, alerting.ErrStarting):
			return "starting", err
		case err != nil:
			return "degraded", err
		}
	}
	return "healthy", nil
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

// alerts answers GET /alerts with the alerts that are pending or firing, or the first of
// them. An array has no field that could say how many there are, so headers do.
func (h *Handler) alerts(ctx *fasthttp.RequestCtx) {
	all, total := h.cfg.Alerts.FirstAlerts(answerBound)
	current := make([]shownAlert, len(all)) // [], not null
	for i := range all {
		current[i].Alert = all[i]
		if value := &all[i].Value; !math.IsInf(*value, 0) && !math.IsNaN(*value) {
			current[i].Value = value
		}
	}
	if !h.show(ctx, current) {
		return
	}
	ctx.Response.Header.Set(totalHeader, strconv.Itoa(total))
	if len(all) < total {
		ctx.Response.Header.Set(truncatedHeader, "true")
	}
}

// metrics answers GET /metrics in Prometheus' text format.
func (h *Handler) metrics(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	if err := h.cfg.Metrics.WriteText(ctx); err != nil {
		h.refuse(ctx, internal("encode metrics: "+err.Error()))
	}
}
