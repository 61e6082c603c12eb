package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/server/ingest/framing"
	"phase0/server/queue"
	"phase0/server/sample"
)

// firstBodyBytes is where a body buffer starts to grow from: bytes that have arrived cost
// memory. A claimed length does not, but for the first 8 KiB, which fasthttp reads itself.
const firstBodyBytes = 4 << 10

// keepBodyBytes is the largest buffer that goes back to the pool.
const keepBodyBytes = 2 << 20

const accepted = `{"status":"accepted"}`

// ingest answers POST /metrics. A 202 means that the queue has every sample of the
// body; what that is worth when the process dies is the queue's to say.
func (h *Handler) ingest(ctx *fasthttp.RequestCtx) {
	if h.draining.Load() {
		h.refuse(ctx, drainingFault)
		return
	}
	begin := ctx.Time() // when fasthttp had read the head and up to 8 KiB of the body
	if h.cfg.Limit != nil {
		if wait := h.cfg.Limit.Take(h.client(ctx)); wait > 0 {
			h.refuse(ctx, rateLimited(wait))
			return
		}
	}
	b := h.buffers.Get().(*buffer)
	defer func() { h.recycle(b) }()
	h.reuse(b)
	body, f := h.readBody(ctx, b)
	if f != nil {
		h.refuse(ctx, f)
		return
	}
	samples, batch, err := b.decoder.Decode(body, begin.UnixMilli())
	if err != nil {
		h.refuse(ctx, faultOf(err))
		return
	}
	h.received.Add(uint64(len(samples)))
	h.decoding.Observe(time.Since(begin))
	if err := h.cfg.StorageErr(); err != nil {
		h.refuse(ctx, storageUnavailable(err))
		return
	}
	if h.cfg.Series != nil {
		if at := h.cfg.Series.Admit(samples); at >= 0 {
			h.refuse(ctx, seriesLimit(samples[at].Name, at, batch))
			return
		}
	}
	n := len(samples)
	if err := h.push(&b, samples); err != nil {
		h.refuse(ctx, faultOf(err))
		return
	}
	h.accepted.Add(uint64(n))
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	if !batch {
		ctx.SetBodyString(accepted)
		return
	}
	answer := append(ctx.Response.Body()[:0], `{"status":"accepted","count":`...)
	answer = strconv.AppendInt(answer, int64(n), 10)
	ctx.SetBody(append(answer, '}'))
}

// push gives samples to the queue. Where that means to wait for a disk, the buffer is given
// back before, and b is nil then: the next request decodes into memory that is still in the
// core's cache, instead of each that waits keeping some of its own.
func (h *Handler) push(b **buffer, samples []sample.Sample) error {
	early, ok := h.cfg.Queue.(queue.Early)
	if !ok || len(samples) == 0 {
		return h.cfg.Queue.Push(h.cfg.Base, samples)
	}
	pending, err := early.Begin(samples)
	if err != nil {
		return err
	}
	h.recycle(*b)
	*b = nil
	return pending.Wait()
}

// recycle takes a buffer back, if there is one.
func (h *Handler) recycle(b *buffer) {
	if b == nil {
		return
	}
	if b.held > 0 {
		h.bodies.Add(-b.held)
		b.held = 0
	}
	if cap(b.body) <= keepBodyBytes && cap(b.plain) <= keepBodyBytes {
		h.buffers.Put(b)
	}
}

// charge counts the memory of b against that of all bodies under way. What a buffer starts
// with is free, so that small requests count nothing.
func (h *Handler) charge(b *buffer, n int) bool {
	if h.bodies.Add(int64(n)) > h.cfg.MaxBodiesBytes {
		h.bodies.Add(-int64(n))
		return false
	}
	b.held += int64(n)
	return true
}

// grow doubles one of b's slices, unless the bodies under way may not have so much.
func (h *Handler) grow(b *buffer, p *[]byte) bool {
	size := max(firstBodyBytes, 2*cap(*p))
	if size > firstBodyBytes && !h.charge(b, size-cap(*p)) {
		return false
	}
	grown := make([]byte, len(*p), size)
	copy(grown, *p)
	*p = grown
	return true
}

// reuse counts what a buffer has from the request before, or lets go of it.
func (h *Handler) reuse(b *buffer) {
	for _, p := range []*[]byte{&b.body, &b.plain} {
		if more := cap(*p) - firstBodyBytes; more > 0 && !h.charge(b, more) {
			*p = nil
		}
	}
}

// client returns what a request is limited by: the header if it is there, else the address.
// Of an IPv6 address only the network counts, because a host has all of it to choose from.
func (h *Handler) client(ctx *fasthttp.RequestCtx) []byte {
	if h.cfg.LimitHeader != "" {
		if value := ctx.Request.Header.Peek(h.cfg.LimitHeader); len(value) > 0 {
			return value
		}
	}
	ip := ctx.RemoteIP()
	if v4 := ip.To4(); v4 != nil || len(ip) < net.IPv6len {
		return v4
	}
	return ip[:net.IPv6len/2]
}

// readBody returns the whole body, whatever its declared type, decompressed, or says why it
// will not. The body is valid until b is recycled.
func (h *Handler) readBody(ctx *fasthttp.RequestCtx, b *buffer) ([]byte, *fault) {
	encoding, f := checkEncoding(&ctx.Request.Header)
	if f != nil {
		return nil, f
	}
	if f := h.receive(ctx, b); f != nil {
		return nil, f
	}
	if encoding == encodingGzip {
		return h.unpack(b)
	}
	return b.body, nil
}

// receive fills b.body with what is sent.
func (h *Handler) receive(ctx *fasthttp.RequestCtx, b *buffer) *fault {
	b.body = b.body[:0]
	declared := ctx.Request.Header.ContentLength()
	if declared > h.cfg.MaxBodyBytes {
		return bodyTooLarge(h.cfg.MaxBodyBytes)
	}
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return nil
	}
	for {
		if len(b.body) == cap(b.body) && !h.grow(b, &b.body) {
			return bodiesFull
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
			return h.brokenBody(err)
		}
	}
	if declared >= 0 && len(b.body) < declared {
		return badFraming(fmt.Sprintf("body ends after %d of %d bytes", len(b.body), declared))
	}
	return nil
}

func (h *Handler) brokenBody(err error) *fault {
	var broken *framing.Error
	if errors.As(err, &broken) {
		return badFrame(broken, h.cfg.MaxBodyBytes)
	}
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return &fault{status: 408, code: "request_timeout", msg: "body did not arrive in time", hangUp: true}
	}
	return badFraming("read body: " + firstLine(err.Error()))
}

// encoding is how a body is packed.
type encoding int

const (
	encodingNone encoding = iota
	encodingGzip
)

// checkEncoding refuses what would be decoded wrongly. The media type itself is not
// looked at: curl sends JSON as a form.
func checkEncoding(h *fasthttp.RequestHeader) (encoding, *fault) {
	packed := encodingNone
	switch sent := h.ContentEncoding(); {
	case len(sent) == 0, strings.EqualFold(string(sent), "identity"):
	case strings.EqualFold(string(sent), "gzip"), strings.EqualFold(string(sent), "x-gzip"):
		packed = encodingGzip
	default:
		return packed, unsupported("unsupported_encoding", "Content-Encoding is not supported; send the body as it is, or gzip")
	}
	if bytes.IndexByte(h.ContentType(), ';') < 0 {
		return packed, nil
	}
	_, parameters, _ := strings.Cut(string(h.ContentType()), ";")
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		charset := strings.Trim(value, `"`)
		if strings.EqualFold(key, "charset") && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
			return packed, unsupported("unsupported_charset", "charset is not supported; send UTF-8")
		}
	}
	return packed, nil
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
