package api

import (
	"errors"
	"io"

	"github.com/valyala/fasthttp"
)

// unpack decompresses b.body. The whole body was read before, so the framing is intact
// whatever is wrong with it; what it grows to is bounded like a plain body.
func (h *Handler) unpack(b *buffer) ([]byte, *fault) {
	b.packed.Reset(b.body)
	if err := b.gzip.Reset(&b.packed); err != nil {
		return nil, badGzip(err)
	}
	b.plain = b.plain[:0]
	for {
		if len(b.plain) == cap(b.plain) && !h.grow(b, &b.plain) {
			return nil, bodiesFull
		}
		n, err := b.gzip.Read(b.plain[len(b.plain):cap(b.plain)])
		b.plain = b.plain[:len(b.plain)+n]
		switch {
		case len(b.plain) > h.cfg.MaxBodyBytes:
			f := bodyTooLarge(h.cfg.MaxBodyBytes)
			f.msg += " when decompressed"
			f.hangUp = false
			return nil, f
		case errors.Is(err, io.EOF):
			return b.plain, nil
		case err != nil:
			return nil, badGzip(err)
		}
	}
}

func badGzip(err error) *fault {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too soon")
	}
	return &fault{status: fasthttp.StatusBadRequest, code: "bad_gzip", msg: "body is not gzip as Content-Encoding says: " + firstLine(err.Error())}
}
