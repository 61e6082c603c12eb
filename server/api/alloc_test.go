//go:build !race

// The race detector makes sync.Pool drop things at random, so allocations are counted
// without it.

package api

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
)

// A sample on a kept-alive connection costs no memory beside what the queue holds.
func TestIngestDoesNotAllocate(t *testing.T) {
	q, err := bounded.New(bounded.Limit{Samples: sample.MaxBatch, Bytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Config{
		Base: t.Context(), Queue: q, StorageErr: func() error { return nil }, OnReject: func(string) {},
		MaxBodyBytes: 1 << 20, MaxBodiesBytes: 4 << 20, MaxQuerySamples: 10, MaxQueryBytes: 1 << 20, MaxQueryValues: 20, MaxQueries: 1, Log: zerolog.Nop(),
	})
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/metrics")
	text := `{"name":"a","value":1}`
	body := strings.NewReader(text)
	post := func() {
		body.Reset(text)
		ctx.Response.Reset()
		ctx.Request.SetBodyStream(body, len(text))
		h.Serve(&ctx)
		if ctx.Response.StatusCode() != fasthttp.StatusAccepted {
			t.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
		if _, err := q.Pop(t.Context(), queue.Want{Samples: 10}); err != nil {
			t.Fatal(err)
		}
		q.Ack()
	}
	post()
	if n := testing.AllocsPerRun(200, post); n > 0 {
		t.Errorf("%v allocations per request", n)
	}
}
