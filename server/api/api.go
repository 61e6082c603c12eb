// Package api is the HTTP contract of the platform: the same handler behind every
// ingest mechanism. It decodes, asks the components and encodes; which component is
// behind a contract it does not know. Answers are complete before they are sent.
// All JSON errors have the form {"error":"what and where","code":"a_word"} and are
// made in one place, errors.go.
package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
	"phase0/server/query"
	"phase0/server/queue"
	"phase0/server/ratelimit"
	"phase0/server/sample"
	"phase0/server/series"
	"phase0/server/telemetry/timing"
)

// MaxURLBytes bounds a request target; longer ones get 414.
const MaxURLBytes = 8 << 10

// Config is what the handler needs. Every field is required that does not say otherwise.
type Config struct {
	// Base ends when requests in flight are to be cut off. A request's own context
	// would end as soon as a shutdown begins.
	Base   context.Context
	Queue  queue.Queue
	Engine query.Engine
	Alerts interface {
		FirstAlerts(most alerting.Bound) (first []alerting.Alert, total int)
		Rules(most alerting.Bound) []alerting.RuleState
	}
	// RuleFile is where the rules come from, "" for those that are built in; RuleInterval
	// is the time between two evaluations, 0 for an engine that has none.
	RuleFile     string
	RuleInterval time.Duration
	// Reload reads the alerting rules again.
	Reload  func(context.Context) error
	Metrics interface{ WriteText(w io.Writer) error }
	// StorageErr tells why storage does not take samples at present, nil when it does.
	StorageErr func() error
	// DamageErr tells what is wrong although samples are taken, nil when nothing is. The
	// field may be nil.
	DamageErr func() error
	// AlertingErr tells why alerts may be missing, nil when none are. It wraps
	// alerting.ErrStarting while the engine starts. The field may be nil.
	AlertingErr func() error
	// Progress tells how far the start is, false when that is not known. It is asked until
	// Ready. The field may be nil.
	Progress func() (Progress, bool)
	// OnReject is told the code of every refused request.
	OnReject func(code string)

	// Limit refuses clients that push too often; nil limits nobody. Clients are told apart
	// by the value of LimitHeader, those without it, and all when it is "", by address.
	Limit       *ratelimit.Limiter
	LimitHeader string
	// Series refuses samples of new series above a limit; nil refuses none.
	Series *series.Set

	MaxBodyBytes    int   // also when it is decompressed
	MaxBodiesBytes  int64 // of all bodies under way
	MaxQuerySamples int
	MaxQueryBytes   int // of an answer with samples
	MaxQueryValues  int // of which the percentiles of one answer are computed
	MaxQueries      int // answered at the same time; each may hold what the limits above permit
	LogRequests     bool
	Log             zerolog.Logger
}

// Handler serves the endpoints. Create it with New; it is safe for concurrent use.
type Handler struct {
	cfg      Config
	starting atomic.Bool
	draining atomic.Bool
	received atomic.Uint64
	accepted atomic.Uint64
	bytes    atomic.Uint64
	decoding timing.Histogram
	buffers  sync.Pool     // of *buffer
	bodies   atomic.Int64  // bytes of the bodies under way, beyond what each buffer starts with
	queries  chan struct{} // holds one token per query under way
	showing  chan struct{} // the same per answer about alerts or rules
	unread   atomic.Int64  // bytes of such answers that are not sent yet
	routes   map[string]route
}

// buffer is what one request on POST /metrics needs; reused, so that a request on a
// kept-alive connection allocates nothing.
type buffer struct {
	body    []byte
	decoder *sample.Decoder
	gzip    gzip.Reader
	packed  bytes.Reader // what gzip reads
	plain   []byte       // what it makes of it
	held    int64        // bytes counted in Handler.bodies
}

type route struct {
	allow string
	get   fasthttp.RequestHandler
	post  fasthttp.RequestHandler
}

// New returns a handler.
func New(cfg Config) *Handler {
	names := sample.NewInterner()
	h := &Handler{cfg: cfg, queries: make(chan struct{}, cfg.MaxQueries), showing: make(chan struct{}, maxShowing)}
	h.buffers.New = func() any { return &buffer{decoder: sample.NewDecoder(names)} }
	h.routes = h.table()
	return h
}

func (h *Handler) table() map[string]route {
	return map[string]route{
		"/metrics": {allow: "GET, HEAD, POST", get: h.metrics, post: h.ingest},
		"/query":   {allow: "GET, HEAD", get: h.query},
		"/health":  {allow: "GET, HEAD", get: h.health},
		"/alerts":  {allow: "GET, HEAD", get: h.bounded(h.alerts)},

		"/api/v1/alerts": {allow: "GET, HEAD", get: h.bounded(h.prometheusAlerts)},
		"/api/v1/rules":  {allow: "GET, HEAD", get: h.bounded(h.prometheusRules)},
		"/-/reload":      {allow: "POST", post: h.reload},
	}
}

// Starting makes health say, until Ready, that the server is not to be relied on yet.
// Samples are taken meanwhile, and queries, which would wait for the index, refused.
func (h *Handler) Starting() { h.starting.Store(true) }

// Ready ends Starting.
func (h *Handler) Ready() { h.starting.Store(false) }

// Drain makes the handler refuse new samples; everything else goes on.
func (h *Handler) Drain() { h.draining.Store(true) }

// Accepted returns how many samples were answered with 202.
func (h *Handler) Accepted() uint64 { return h.accepted.Load() }

// Received returns how many samples were valid, whether the queue took them or not.
func (h *Handler) Received() uint64 { return h.received.Load() }

// BodyBytes returns how many bytes of bodies with samples have arrived.
func (h *Handler) BodyBytes() uint64 { return h.bytes.Load() }

// Decoding returns how long it takes to read and decode a valid body; it goes on counting.
func (h *Handler) Decoding() *timing.Histogram { return &h.decoding }

// Serve answers one request. A panic becomes a 500; fasthttp would let it end the
// process.
func (h *Handler) Serve(ctx *fasthttp.RequestCtx) {
	if h.cfg.LogRequests {
		defer h.logRequest(ctx, time.Now())
	}
	defer func() {
		if p := recover(); p != nil {
			h.cfg.Log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Msg("request handler panicked")
			h.refuse(ctx, internal("internal error; the server's log has more"))
		}
	}()
	h.dispatch(ctx)
}

func (h *Handler) dispatch(ctx *fasthttp.RequestCtx) {
	if fault := checkExpectation(&ctx.Request.Header); fault != nil {
		h.refuse(ctx, fault)
		return
	}
	target := ctx.Request.Header.RequestURI()
	if len(target) > MaxURLBytes {
		h.refuse(ctx, urlTooLong)
		return
	}
	r, ok := h.routes[string(pathOf(target))]
	if !ok {
		h.refuse(ctx, notFound)
		return
	}
	switch {
	case (ctx.IsGet() || ctx.IsHead()) && r.get != nil:
		r.get(ctx)
	case ctx.IsPost() && r.post != nil:
		r.post(ctx)
	default:
		ctx.Response.Header.Set("Allow", r.allow)
		h.refuse(ctx, methodNotAllowed(r.allow))
	}
}

// pathOf returns the path as it was sent, without normalisation: //metrics is not
// /metrics. The absolute form (http://host/path) is allowed.
func pathOf(target []byte) []byte {
	if !bytes.HasPrefix(target, []byte("/")) {
		_, rest, ok := bytes.Cut(target, []byte("://"))
		slash := bytes.IndexByte(rest, '/')
		if !ok || slash < 0 {
			return nil
		}
		target = rest[slash:]
	}
	path, _, _ := bytes.Cut(target, []byte("?"))
	return path
}

// checkExpectation refuses what is asked for beyond 100-continue. Without a name that begins
// with an e there is no Expect, and nothing to look up.
func checkExpectation(h *fasthttp.RequestHeader) *fault {
	if !mayExpect(h.RawHeaders()) {
		return nil
	}
	if expect := h.Peek("Expect"); len(expect) > 0 && !strings.EqualFold(string(expect), "100-continue") {
		return badExpectation
	}
	return nil
}

// mayExpect reports whether a line of raw begins with an e.
func mayExpect(raw []byte) bool {
	for len(raw) > 0 && raw[0]|0x20 != 'e' {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			return false
		}
		raw = raw[end+1:]
	}
	return len(raw) > 0
}

func (h *Handler) logRequest(ctx *fasthttp.RequestCtx, start time.Time) {
	h.cfg.Log.Info().
		Str("client", ctx.RemoteAddr().String()).
		Bytes("method", ctx.Method()).
		Bytes("target", ctx.Request.Header.RequestURI()).
		Int("status", ctx.Response.StatusCode()).
		Int("bytes", bodySize(&ctx.Response)).
		Dur("duration_ms", time.Since(start)).
		Msg("request")
}

// bodySize returns the length of an answer. Body would read one that is streamed.
func bodySize(r *fasthttp.Response) int {
	if r.IsBodyStream() {
		return r.Header.ContentLength()
	}
	return len(r.Body())
}
