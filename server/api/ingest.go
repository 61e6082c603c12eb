package api

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// firstBodyBytes is where a body buffer starts to grow from: bytes that have
// arrived cost memory, a claimed length does not.
const firstBodyBytes = 4 << 10

// keepBodyBytes is the largest buffer that goes back to the pool.
const keepBodyBytes = 256 << 10

const accepted = `{"status":"accepted"}`

// ingest answers POST /metrics. A 202 means that the queue has every sample of the
// body; what that is worth when the process dies is the queue's to say.
func (h *Handler) ingest(ctx *fasthttp.RequestCtx) {
	if h.draining.Load() {
		h.refuse(ctx, drainingFault)
		return
	}
	begin := time.Now()
	b := h.buffers.Get().(*buffer)
	defer h.recycle(b)
	if f := h.readBody(ctx, b); f != nil {
		h.refuse(ctx, f)
		return
	}
	samples, batch, err := b.decoder.Decode(b.body, begin.UnixMilli())
	if err != nil {
		h.refuse(ctx, faultOf(err))
		return
	}
	h.received.Add(uint64(len(samples)))
	h.decoding.Observe(time.Since(begin))
	if err := h.cfg.StorageErr(); err != nil {
		h.refuse(ctx, &fault{status: 503, code: "storage_unavailable", msg: "storage fails: " + firstLine(err.Error()), retryAfter: retrySeconds})
		return
	}
	if err := h.cfg.Queue.Push(h.cfg.Base, samples); err != nil {
		h.refuse(ctx, faultOf(err))
		return
	}
	h.accepted.Add(uint64(len(samples)))
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	if !batch {
		ctx.SetBodyString(accepted)
		return
	}
	body := append(ctx.Response.Body()[:0], `{"status":"accepted","count":`...)
	body = strconv.AppendInt(body, int64(len(samples)), 10)
	ctx.SetBody(append(body, '}'))
}

func (h *Handler) recycle(b *buffer) {
	if cap(b.body) <= keepBodyBytes {
		h.buffers.Put(b)
	}
}

// readBody fills b.body with the whole body, whatever its declared type, or says
// why it will not.
func (h *Handler) readBody(ctx *fasthttp.RequestCtx, b *buffer) *fault {
	b.body = b.body[:0]
	if f := checkEncoding(&ctx.Request.Header); f != nil {
		return f
	}
	declared := ctx.Request.Header.ContentLength()
	if declared > h.cfg.MaxBodyBytes {
		return bodyTooLarge(h.cfg.MaxBodyBytes)
	}
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return nil
	}
	if b.body == nil {
		b.body = make([]byte, 0, firstBodyBytes)
	}
	for {
		if len(b.body) == cap(b.body) {
			b.body = append(b.body, 0)[:len(b.body)]
		}
		n, err := stream.Read(b.body[len(b.body):cap(b.body)])
		h.bytes.Add(uint64(n))
		b.body = b.body[:len(b.body)+n]
		if len(b.body) > h.cfg.MaxBodyBytes {
			return bodyTooLarge(h.cfg.MaxBodyBytes)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return brokenBody(err)
		}
	}
	if declared >= 0 && len(b.body) < declared {
		return badFraming(fmt.Sprintf("body ends after %d of %d bytes", len(b.body), declared))
	}
	return nil
}

func brokenBody(err error) *fault {
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return &fault{status: 408, code: "request_timeout", msg: "body did not arrive in time", hangUp: true}
	}
	return badFraming("read body: " + firstLine(err.Error()))
}

// checkEncoding refuses what would be decoded wrongly. The media type itself is not
// looked at: curl sends JSON as a form.
func checkEncoding(h *fasthttp.RequestHeader) *fault {
	if enc := h.ContentEncoding(); len(enc) > 0 && !strings.EqualFold(string(enc), "identity") {
		return unsupported("unsupported_encoding", "Content-Encoding is not supported; send the body as it is")
	}
	_, parameters, ok := strings.Cut(string(h.ContentType()), ";")
	if !ok {
		return nil
	}
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		charset := strings.Trim(value, `"`)
		if strings.EqualFold(key, "charset") && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
			return unsupported("unsupported_charset", "charset is not supported; send UTF-8")
		}
	}
	return nil
}

// Expect answers "Expect: 100-continue": a body that is too large is refused before
// it is sent.
func (h *Handler) Expect(ctx *fasthttp.RequestCtx) int {
	if ctx.Request.Header.ContentLength() <= h.cfg.MaxBodyBytes {
		return fasthttp.StatusContinue
	}
	h.refuse(ctx, bodyTooLarge(h.cfg.MaxBodyBytes))
	return fasthttp.StatusRequestEntityTooLarge
}
