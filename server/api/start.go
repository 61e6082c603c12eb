package api

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// Progress is how far a start is.
type Progress struct {
	Step        string // what is done now, a word
	Done, Total int64  // bytes that it has read or written, and those that it has to
	// Left is what the step may still take; below 0 when nobody knows yet.
	Left time.Duration
}

// Percent returns the part of the step that is done.
func (p Progress) Percent() int {
	if p.Total <= 0 {
		return 0
	}
	return int(100 * float64(p.Done) / float64(p.Total))
}

// NewStarting returns a handler for the time in which there are no components to ask. Of
// cfg it needs Progress, OnReject, the limits and the log. GET /health is answered; all else
// that exists gets 503.
func NewStarting(cfg Config) *Handler {
	h := &Handler{cfg: cfg, routes: map[string]route{}}
	h.starting.Store(true)
	for path, r := range h.table() {
		if r.get != nil && path != "/health" {
			r.get = h.refuseStarting
		}
		if r.post != nil {
			r.post = h.refuseStarting
		}
		h.routes[path] = r
	}
	return h
}

func (h *Handler) refuseStarting(ctx *fasthttp.RequestCtx) { h.refuse(ctx, startingFault) }

// appendProgress appends the fields that health has while the server starts.
func (h *Handler) appendProgress(body []byte) []byte {
	if h.cfg.Progress == nil {
		return body
	}
	p, ok := h.cfg.Progress()
	if !ok {
		return body
	}
	body = append(body, `,"step":"`...)
	body = append(body, p.Step...)
	body = append(body, `","percent":`...)
	body = strconv.AppendInt(body, int64(p.Percent()), 10)
	body = append(body, `,"done_bytes":`...)
	body = strconv.AppendInt(body, p.Done, 10)
	body = append(body, `,"total_bytes":`...)
	body = strconv.AppendInt(body, p.Total, 10)
	if p.Left >= 0 {
		body = append(body, `,"seconds_left":`...)
		body = strconv.AppendFloat(body, p.Left.Seconds(), 'f', 1, 64)
	}
	return body
}
