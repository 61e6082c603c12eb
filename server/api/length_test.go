package api

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// A body whose length is not declared is cut off at the limit, and one that ends before
// its declared length is none.
func TestLengthOfBody(t *testing.T) {
	p, h := newParts(t, t.Context())
	limit := h.cfg.MaxBodyBytes
	padded := func(n int) string { return good + strings.Repeat(" ", n-len(good)) }
	for _, tc := range []struct {
		name, body string
		declared   int
		status     int
		code       string
	}{
		{"at the limit", padded(limit), -1, 202, ""},
		{"one byte above it", padded(limit + 1), -1, 413, "body_too_large"},
		{"as declared", good, len(good), 202, ""},
		{"ends early", good, len(good) + 1, 400, "bad_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := new(fasthttp.RequestCtx)
			ctx.Request.SetRequestURI("/metrics")
			ctx.Request.Header.SetMethod("POST")
			ctx.Request.SetBodyStream(strings.NewReader(tc.body), tc.declared)
			h.Serve(ctx)
			if tc.status == 202 {
				wantAnswer(t, p, ctx, 202, `{"status":"accepted"}`)
				return
			}
			wantFault(t, p, ctx, tc.status, tc.code)
		})
	}
}
