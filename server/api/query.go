package api

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

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

// query answers GET /query: samples, or windows with aggregates when some are asked for.
func (h *Handler) query(ctx *fasthttp.RequestCtx) {
	if h.starting.Load() {
		h.refuse(ctx, startingFault)
		return
	}
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
	asked, stop := h.whileAsked(ctx)
	defer stop()
	body, stats, err := h.answer(asked, request)
	if err != nil {
		h.refuse(ctx, faultOf(err))
		return
	}
	setCost(&ctx.Response.Header, stats)
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(body) // nobody else has it: a copy would double the largest answer
}

func setCost(header *fasthttp.ResponseHeader, stats query.Stats) {
	for _, part := range [...]struct {
		name  string
		value int64
	}{
		{HeaderSamplesScanned, stats.Samples}, {HeaderBytesScanned, stats.Bytes},
		{HeaderLinesSkipped, stats.Skipped}, {HeaderBlocksSkipped, stats.BlocksSkipped},
	} {
		header.Set(part.name, strconv.FormatInt(part.value, 10))
	}
}

// answer returns the answer in memory of its own.
func (h *Handler) answer(ctx context.Context, q queryRequest) ([]byte, query.Stats, error) {
	if len(q.Aggregates) == 0 {
		samples, stats, err := query.Exec(ctx, h.cfg.Engine, query.Request{Selector: q.Selector, Limit: q.limit, MaxSamples: h.cfg.MaxQuerySamples, MaxBytes: h.cfg.MaxQueryBytes})
		if err != nil {
			return nil, stats, err
		}
		body, err := formatSamples(samples, h.cfg.MaxQueryBytes)
		return body, stats, err
	}
	q.MaxValues = h.cfg.MaxQueryValues
	windows, stats, err := q.Run(ctx, h.cfg.Engine)
	// The number of windows and figures bounds these answers.
	return appendWindows(nil, windows, q.Aggregates), stats, err
}

// formatSamples returns the answer for samples. The error is query.ErrTooManyBytes.
func formatSamples(samples []sample.Sample, maxBytes int) ([]byte, error) {
	dst := append(make([]byte, 0, min(roomFor(samples), maxBytes)), '[')
	for i, s := range samples {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = sample.AppendLine(dst, s)
		dst = dst[:len(dst)-1] // the line end
		if len(dst) >= maxBytes {
			return nil, query.ErrTooManyBytes
		}
	}
	return append(dst, ']'), nil
}

// roomFor estimates the length of the answer, so that it seldom has to be moved while it
// grows: numbers are mostly as long as the last ones.
func roomFor(samples []sample.Sample) int {
	if len(samples) == 0 {
		return len("[]")
	}
	text := func(s *sample.Sample) int { return len(s.Name) + len(s.Labels) }
	last := &samples[len(samples)-1]
	n := len(samples) * (len(sample.AppendLine(nil, *last)) - text(last) + 2)
	for i := range samples {
		n += text(&samples[i])
	}
	return n + 2
}

// appendWindows writes {"start":…,"end":…,"avg":…}; what is no finite number is null.
func appendWindows(dst []byte, windows []query.Window, aggregates []query.Aggregate) []byte {
	dst = append(dst, '[')
	for i, w := range windows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTime(append(dst, `{"start":`...), w.Start)
		dst = appendTime(append(dst, `,"end":`...), w.End)
		for j, v := range w.Figures {
			dst = append(append(dst, `,"`...), aggregates[j].String()...)
			dst = appendFigure(append(dst, `":`...), v)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendTime(dst []byte, t int64) []byte {
	if t == query.Unknown {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, t, 10)
}

func appendFigure(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	return sample.AppendNumber(dst, v)
}

// errClientGone ends a query that nobody waits for any more.
var errClientGone = errors.New("client closed the connection")

// goneEvery is how often a client's connection is looked at while its query is answered.
const goneEvery = 50 * time.Millisecond

// whileAsked returns a context that ends with errClientGone when the client closes the
// connection, or its sending half: as in net/http, a client that says no more is taken
// for one that has left. Stop must be called.
func (h *Handler) whileAsked(ctx *fasthttp.RequestCtx) (asked context.Context, stop func()) {
	conn, ok := ctx.Conn().(interface{ Gone() bool })
	if !ok {
		return h.cfg.Base, func() {}
	}
	asked, cancel := context.WithCancelCause(h.cfg.Base)
	var watch sync.WaitGroup
	watch.Go(func() {
		ticker := time.NewTicker(goneEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if conn.Gone() {
					cancel(errClientGone)
					return
				}
			case <-asked.Done():
				return
			}
		}
	})
	return asked, func() {
		cancel(nil)
		watch.Wait()
	}
}
