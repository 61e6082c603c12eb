package api

import (
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
	"phase0/server/query"
	"phase0/server/sample"
)

// Response headers of GET /query that say what the answer cost.
const (
	HeaderSamplesScanned = "X-Phase0-Samples-Scanned"
	HeaderBytesScanned   = "X-Phase0-Bytes-Scanned"
	HeaderLinesSkipped   = "X-Phase0-Lines-Skipped"
	HeaderBlocksSkipped  = "X-Phase0-Blocks-Skipped"
)

// query answers GET /query.
func (h *Handler) query(ctx *fasthttp.RequestCtx) {
	_, raw, _ := strings.Cut(string(ctx.Request.Header.RequestURI()), "?")
	request, f := parseQuery(raw, h.cfg.MaxQuerySamples)
	if f != nil {
		h.refuse(ctx, f)
		return
	}
	select {
	case h.queries <- struct{}{}:
		defer func() { <-h.queries }()
	default:
		h.refuse(ctx, tooManyQueries)
		return
	}
	samples, stats, err := query.Exec(h.cfg.Base, h.cfg.Engine, request)
	if err != nil {
		h.refuse(ctx, faultOf(err))
		return
	}
	header := &ctx.Response.Header
	header.Set(HeaderSamplesScanned, strconv.FormatInt(stats.Samples, 10))
	header.Set(HeaderBytesScanned, strconv.FormatInt(stats.Bytes, 10))
	header.Set(HeaderLinesSkipped, strconv.FormatInt(stats.Skipped, 10))
	header.Set(HeaderBlocksSkipped, strconv.FormatInt(stats.BlocksSkipped, 10))
	ctx.SetContentType("application/json")
	ctx.SetBody(appendSamples(ctx.Response.Body()[:0], samples))
}

func appendSamples(dst []byte, samples []sample.Sample) []byte {
	dst = append(dst, '[')
	for i, s := range samples {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = sample.AppendLine(dst, s)
		dst = dst[:len(dst)-1] // the line end
	}
	return append(dst, ']')
}

// parseQuery reads the parameters of GET /query, each at most once.
func parseQuery(raw string, maxSamples int) (query.Request, *fault) {
	r := query.Request{Selector: query.Selector{Start: 0, End: math.MaxInt64}, MaxSamples: maxSamples}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, f := unescape(pair)
		if f != nil {
			return r, f
		}
		if seen[key] {
			return r, badParameter(echo(key), "stands twice")
		}
		seen[key] = true
		if f := setParameter(&r, key, value); f != nil {
			return r, f
		}
	}
	switch {
	case !seen["name"]:
		return r, badParameter("name", "is missing; ask /query?name=cpu_usage")
	case r.Start > r.End:
		return r, &fault{status: 400, code: "bad_range", msg: "start is after end"}
	}
	return r, nil
}

func unescape(pair string) (key, value string, f *fault) {
	rawKey, rawValue, _ := strings.Cut(pair, "=")
	key, err := url.QueryUnescape(rawKey)
	if err == nil {
		value, err = url.QueryUnescape(rawValue)
	}
	if err != nil {
		return "", "", badParameter(echo(rawKey), firstLine(err.Error()))
	}
	return key, value, nil
}

func setParameter(r *query.Request, key, value string) (f *fault) {
	switch key {
	case "name":
		r.Name = value
		if value == "" {
			return badParameter("name", "is empty")
		}
	case "start":
		r.Start, f = millis(key, value)
	case "end":
		r.End, f = millis(key, value)
	case "limit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > r.MaxSamples {
			return badParameter(key, "must be a whole number from 1 to "+strconv.Itoa(r.MaxSamples))
		}
		r.Limit = n
	default:
		return &fault{status: 400, code: "unknown_parameter", msg: "unknown parameter " + echo(key) + "; known are name, start, end, limit"}
	}
	return f
}

// millis takes plain digits only: no sign, fraction, exponent or blank.
func millis(key, value string) (int64, *fault) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, badParameter(key, echo(value)+" is not a time in whole Unix milliseconds")
	}
	return int64(n), nil
}

func echo(s string) string { return strconv.Quote(firstLine(s)) }

// health answers GET /health. The two fields are the contract; the status code tells
// a load balancer the same.
func (h *Handler) health(ctx *fasthttp.RequestCtx) {
	status, code := "healthy", fasthttp.StatusOK
	switch {
	case h.draining.Load():
		status, code = "draining", fasthttp.StatusServiceUnavailable
	case h.cfg.StorageErr() != nil:
		status, code = "degraded", fasthttp.StatusServiceUnavailable
	}
	body := append(ctx.Response.Body()[:0], `{"status":"`...)
	body = append(body, status...)
	body = append(body, `","queue_size":`...)
	body = strconv.AppendInt(body, int64(h.cfg.Queue.Stats().Depth), 10)
	ctx.SetStatusCode(code)
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '}'))
}

// alerts answers GET /alerts with the alerts that are pending or firing.
func (h *Handler) alerts(ctx *fasthttp.RequestCtx) {
	current := h.cfg.Alerts.Alerts()
	if current == nil {
		current = []alerting.Alert{} // [], not null
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
