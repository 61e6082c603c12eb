package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
	"phase0/server/ingest/framing"
	"phase0/server/query"
	"phase0/server/queue"
	"phase0/server/sample"
)

// fault is a refused request: what is answered and why.
type fault struct {
	status int
	code   string
	msg    string
	// retryAfter in seconds goes out as Retry-After when it is positive.
	retryAfter int
	// hangUp closes the connection: its framing is lost or a body is left unread.
	hangUp bool
}

// retrySeconds is what a client is asked to wait when the queue is full or storage
// fails. A second is long beside the time in which a batch is stored.
const retrySeconds = 1

var (
	notFound       = &fault{status: 404, code: "not_found", msg: "no such path; known are /metrics, /query, /health, /alerts, /api/v1/alerts, /api/v1/rules, /-/reload"}
	urlTooLong     = &fault{status: 414, code: "url_too_long", msg: fmt.Sprintf("request target is longer than %d bytes", MaxURLBytes), hangUp: true}
	badExpectation = &fault{status: 417, code: "bad_expectation", msg: "only Expect: 100-continue is supported", hangUp: true}
	tooManyQueries = &fault{status: 503, code: "too_many_queries", msg: "too many queries at the same time", retryAfter: retrySeconds}
	// clientGone is for the log and the counters: nobody is there to read it.
	clientGone = &fault{status: 499, code: "client_gone", msg: "client closed the connection before the answer", hangUp: true}
	// bodiesFull hangs up: the rest of the body has nowhere to go.
	bodiesFull    = &fault{status: 503, code: "bodies_full", msg: "the bodies under way take all the memory that they may", retryAfter: retrySeconds, hangUp: true}
	startingFault = &fault{status: 503, code: "starting", msg: "server is starting; GET /health tells how far it is", retryAfter: retrySeconds}
	drainingFault = &fault{status: 503, code: "draining", msg: "server is shutting down", retryAfter: retrySeconds}
)

func methodNotAllowed(allow string) *fault {
	return &fault{status: 405, code: "method_not_allowed", msg: "method not allowed here; allowed are " + allow}
}

func badFraming(msg string) *fault {
	return &fault{status: 400, code: "bad_request", msg: msg, hangUp: true}
}

// badFrame answers what the connection found before anything was parsed.
func badFrame(err *framing.Error, maxBody int) *fault {
	switch {
	case err.Version:
		return &fault{status: fasthttp.StatusHTTPVersionNotSupported, code: "bad_version", msg: err.Reason, hangUp: true}
	case err.TooLarge:
		return bodyTooLarge(maxBody)
	}
	return badFraming(err.Reason)
}

func badParameter(name, msg string) *fault {
	return &fault{status: 400, code: "bad_parameter", msg: name + ": " + msg}
}

// rateLimited says when a token will be there; a header has whole seconds only.
func rateLimited(wait time.Duration) *fault {
	seconds := int((wait + time.Second - 1) / time.Second)
	return &fault{status: fasthttp.StatusTooManyRequests, code: "rate_limited", msg: "too many requests from this client", retryAfter: seconds}
}

// seriesLimit is a 400, not a 429: to try again is of no use.
func seriesLimit(name string, at int, batch bool) *fault {
	msg := "series " + firstLine(strconv.Quote(name)) + " is new, and the server knows as many as it may"
	if batch {
		msg = fmt.Sprintf("metrics[%d]: %s", at, msg)
	}
	return &fault{status: fasthttp.StatusBadRequest, code: "series_limit", msg: msg}
}

func storageUnavailable(err error) *fault {
	return &fault{status: 503, code: "storage_unavailable", msg: "storage fails: " + firstLine(err.Error()), retryAfter: retrySeconds}
}

func unsupported(code, msg string) *fault { return &fault{status: 415, code: code, msg: msg} }

// reloadFault tells what is wrong with the file, which has the status that Prometheus answers
// with, from what may have passed when the client tries again.
func reloadFault(err error) *fault {
	later := func(code string) *fault {
		return &fault{status: 503, code: code, msg: err.Error(), retryAfter: retrySeconds}
	}
	switch {
	case errors.Is(err, alerting.ErrRules):
		return &fault{status: 500, code: "bad_rules", msg: err.Error()}
	case errors.Is(err, alerting.ErrUnreadable):
		return &fault{status: 500, code: "rules_unreadable", msg: err.Error()}
	case errors.Is(err, alerting.ErrStarting):
		return later("starting")
	case errors.Is(err, alerting.ErrBusy), errors.Is(err, context.DeadlineExceeded):
		return later("reload_busy")
	case errors.Is(err, context.Canceled):
		return drainingFault
	default:
		return later("storage_unavailable") // from which windows are filled
	}
}

func internal(msg string) *fault { return &fault{status: 500, code: "internal", msg: msg} }

func bodyTooLarge(limit int) *fault {
	return &fault{status: 413, code: "body_too_large", msg: fmt.Sprintf("body is larger than %d bytes", limit), hangUp: true}
}

// faultOf decides the status of every error that a component returns.
func faultOf(err error) *fault {
	var decode *sample.Error
	switch {
	case errors.As(err, &decode):
		return &fault{status: statusOf(decode.Code), code: string(decode.Code), msg: decode.Error()}
	case errors.Is(err, queue.ErrFull):
		return &fault{status: 503, code: "queue_full", msg: "queue is full; storage does not keep up", retryAfter: retrySeconds}
	case errors.Is(err, queue.ErrUnavailable):
		return storageUnavailable(err)
	case errors.Is(err, queue.ErrClosed):
		return drainingFault
	case errors.Is(err, query.ErrTooManySamples):
		return &fault{status: 422, code: "too_many_samples", msg: "more samples match than one answer may hold; narrow start and end, or set limit"}
	case errors.Is(err, query.ErrTooManyBytes):
		return &fault{status: 422, code: "too_many_samples", msg: "the samples that match make a longer answer than one may be; narrow start and end, or set limit"}
	case errors.Is(err, query.ErrTooManyValues):
		return &fault{status: 422, code: "too_many_values", msg: "more samples match than percentiles are computed of; narrow start and end"}
	case errors.Is(err, query.ErrTooManyPoints):
		return &fault{status: 400, code: "too_many_points", msg: err.Error()}
	case errors.Is(err, errClientGone):
		return clientGone
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &fault{status: 503, code: "draining", msg: "query was cut off: server is shutting down", retryAfter: retrySeconds}
	default:
		return internal(err.Error())
	}
}

func statusOf(code sample.Code) int {
	if code == sample.BatchTooLarge {
		return fasthttp.StatusRequestEntityTooLarge
	}
	return fasthttp.StatusBadRequest
}

// Refuse answers a request that fasthttp could not parse.
func (h *Handler) Refuse(ctx *fasthttp.RequestCtx, err error) {
	var broken *framing.Error
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	f := badFraming("malformed HTTP request: " + firstLine(err.Error()))
	switch {
	case errors.As(err, &broken):
		f = badFrame(broken, h.cfg.MaxBodyBytes)
	case errors.As(err, &small):
		f = &fault{status: 431, code: "headers_too_large", msg: "request line and headers are too large"}
	case errors.As(err, &netErr) && netErr.Timeout():
		f = &fault{status: 408, code: "request_timeout", msg: "request did not arrive in time"}
	}
	f.hangUp = true
	h.refuse(ctx, f)
}

// maxEchoedBytes bounds what an error message repeats of its input.
const maxEchoedBytes = 120

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > maxEchoedBytes {
		return s[:maxEchoedBytes] + "…"
	}
	return s
}

// refuse writes the answer for f and counts it.
func (h *Handler) refuse(ctx *fasthttp.RequestCtx, f *fault) {
	h.cfg.OnReject(f.code)
	allow := ctx.Response.Header.Peek("Allow")
	ctx.Response.ResetBody()
	ctx.SetStatusCode(f.status)
	ctx.SetContentType("application/json")
	if len(allow) > 0 {
		ctx.Response.Header.SetBytesV("Allow", allow)
	}
	if f.retryAfter > 0 {
		ctx.Response.Header.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	body := append(ctx.Response.Body()[:0], `{"error":`...)
	body = sample.AppendString(body, strings.ToValidUTF8(f.msg, "�"))
	body = append(body, `,"code":"`...)
	body = append(body, f.code...)
	ctx.SetBody(append(body, `"}`...))
	if f.hangUp {
		hangUp(ctx)
	} else if leftUnread(ctx) {
		linger(ctx)
	}
}

// readAhead is how much of a body fasthttp reads before it calls the handler.
const readAhead = 8 << 10

// leftUnread reports whether some of the body may still be under way. What nobody reads
// fasthttp reads after the answer, or, if that is much or late, closes the connection.
func leftUnread(ctx *fasthttp.RequestCtx) bool {
	length := ctx.Request.Header.ContentLength()
	return ctx.Request.IsBodyStream() && (length > readAhead || length < 0)
}

// hangUp closes the connection after the answer, in a way that lets a client that is
// still sending read it.
func hangUp(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	linger(ctx)
}

func linger(ctx *fasthttp.RequestCtx) {
	if c, ok := ctx.Conn().(interface{ Linger() }); ok {
		c.Linger()
	}
}
