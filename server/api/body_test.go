package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/server/queue"
	"phase0/server/ratelimit"
	"phase0/server/sample"
)

func zip(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// push serves a body with headers, NAME: VALUE.
func push(h *Handler, from net.Addr, body string, headers ...string) *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, from, nil)
	ctx.Request.SetRequestURI("/metrics")
	ctx.Request.Header.SetMethod("POST")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		ctx.Request.Header.Set(name, value)
	}
	ctx.Request.SetBodyStream(strings.NewReader(body), len(body))
	h.Serve(ctx)
	return ctx
}

func TestGzip(t *testing.T) {
	p, h := newParts(t, t.Context())
	const limit = 1 << 20
	packed := zip(t, good)
	padded := func(n int) string { return zip(t, good+strings.Repeat(" ", n-len(good))) }
	for _, tc := range []struct {
		name, encoding, body string
		status               int
		code                 string
	}{
		{"whole", "gzip", packed, 202, ""}, {"upper case", "GZIP", packed, 202, ""}, {"old name", "x-gzip", packed, 202, ""}, {"as it is", "identity", good, 202, ""},
		{"two members", "gzip", zip(t, good[:10]) + zip(t, good[10:]), 202, ""},
		{"at the limit", "gzip", padded(limit), 202, ""}, {"above it", "gzip", padded(limit + 1), 413, "body_too_large"}, {"a bomb", "gzip", zip(t, strings.Repeat(" ", 64<<20)), 413, "body_too_large"},
		{"plain", "gzip", good, 400, "bad_gzip"}, {"empty", "gzip", "", 400, "bad_gzip"}, {"cut", "gzip", packed[:len(packed)-1], 400, "bad_gzip"}, {"only a header", "gzip", packed[:10], 400, "bad_gzip"},
		{"wrong sum", "gzip", packed[:len(packed)-8] + "xxxx" + packed[len(packed)-4:], 400, "bad_gzip"}, {"something behind it", "gzip", packed + "x", 400, "bad_gzip"},
		{"no JSON in it", "gzip", zip(t, "{"), 400, "bad_json"}, {"nothing in it", "gzip", zip(t, ""), 400, "bad_json"},
		{"deflate", "deflate", packed, 415, "unsupported_encoding"}, {"br", "br", packed, 415, "unsupported_encoding"}, {"twice", "gzip, gzip", packed, 415, "unsupported_encoding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := push(h, nil, tc.body, "Content-Encoding: "+tc.encoding)
			if tc.status != 202 {
				wantFault(t, p, ctx, tc.status, tc.code)
				return
			}
			wantAnswer(t, p, ctx, 202, `{"status":"accepted"}`)
		})
	}
	if got, err := p.Pop(t.Context(), queue.Want{Samples: 100, Bytes: 1 << 20}); err != nil || len(got) != 6 || got[5].Name != "a" {
		t.Errorf("queued %v, %v", got, err)
	}
}

// FuzzGzip sends anything as gzip: it is refused in words or decoded like the text in it.
func FuzzGzip(f *testing.F) {
	f.Add([]byte(zip(f, good)))
	f.Add([]byte(zip(f, `{"metrics":[`+good+`]}`)))
	f.Add([]byte(zip(f, "{")))
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, h := newParts(t, t.Context())
		ctx := push(h, nil, string(body), "Content-Encoding: gzip")
		r, err := gzip.NewReader(bytes.NewReader(body))
		var text bytes.Buffer
		if err == nil {
			_, err = text.ReadFrom(r)
		}
		var want string
		switch {
		case text.Len() > h.cfg.MaxBodyBytes:
			want = "body_too_large"
		case err != nil:
			want = "bad_gzip"
		default:
			_, _, err := new(sample.Decoder).Decode(text.Bytes(), time.Now().UnixMilli())
			var e *sample.Error
			if errors.As(err, &e) {
				want = string(e.Code)
			}
		}
		var answer struct{ Status, Code string }
		if err := json.Unmarshal(ctx.Response.Body(), &answer); err != nil || answer.Code != want || (answer.Status == "accepted") != (want == "") || (len(p.rejected) == 0) != (want == "") {
			t.Fatalf("%q: %s, %v, want %q", body, ctx.Response.Body(), err, want)
		}
	})
}

func limited(t *testing.T, rate string, burst int, header string) (*parts, *Handler) {
	t.Helper()
	r, err := ratelimit.ParseRate(rate)
	if err != nil {
		t.Fatal(err)
	}
	p, h := newParts(t, t.Context())
	if h.cfg.Limit, err = ratelimit.New(r, burst); err != nil {
		t.Fatal(err)
	}
	h.cfg.LimitHeader = header
	return p, h
}

// The 429 says when to come back, to the second, and that is true. What only reads is never
// limited.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := limited(t, "20/m", 2, "") // one in three seconds
		a := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}
		for range 2 {
			wantAnswer(t, p, push(h, a, good), 202, `{"status":"accepted"}`)
		}
		time.Sleep(500 * time.Millisecond)
		for range 3 { // being refused costs nothing
			ctx := push(h, a, good)
			if retry := string(ctx.Response.Header.Peek("Retry-After")); retry != "3" { // 2.5 s
				t.Errorf("Retry-After %s", retry)
			}
			wantFault(t, p, ctx, 429, "rate_limited")
		}
		wantAnswer(t, p, call(h, "/health", ""), 200, `{"status":"healthy","queue_size":2}`)
		wantAnswer(t, p, push(h, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2)}, good), 202, `{"status":"accepted"}`)
		time.Sleep(3 * time.Second)
		wantAnswer(t, p, push(h, a, good), 202, `{"status":"accepted"}`)
		wantFault(t, p, push(h, a, good), 429, "rate_limited")
		if h.Accepted() != 4 || p.Stats().Depth != 4 {
			t.Errorf("%d accepted, %d queued", h.Accepted(), p.Stats().Depth)
		}
	})
}

func TestClientsToldApart(t *testing.T) {
	v6 := func(last string) net.Addr { return &net.TCPAddr{IP: net.ParseIP("2001:db8::" + last)} }
	for _, tc := range []struct {
		name, header string
		from, other  net.Addr
		sent         [2][]string
		same         bool
	}{
		{"one address", "", &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 1}, &net.TCPAddr{IP: net.IP{1, 2, 3, 4}, Port: 2}, [2][]string{}, true},
		{"two addresses", "", &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4)}, &net.TCPAddr{IP: net.IPv4(1, 2, 3, 5)}, [2][]string{{"X-Tenant: a"}, {"X-Tenant: a"}}, false},
		{"one IPv6 network", "", v6("1"), v6("ffff"), [2][]string{}, true},
		{"two IPv6 networks", "", v6("1"), &net.TCPAddr{IP: net.ParseIP("2001:db8:0:1::1")}, [2][]string{}, false},
		{"one header", "X-Tenant", v6("1"), &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4)}, [2][]string{{"X-Tenant: a"}, {"x-tenant: a"}}, true},
		{"two headers", "X-Tenant", v6("1"), v6("1"), [2][]string{{"X-Tenant: a"}, {"X-Tenant: b"}}, false},
		{"no header", "X-Tenant", v6("1"), v6("1"), [2][]string{{}, {}}, true},
		{"an empty header", "X-Tenant", v6("1"), &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4)}, [2][]string{{"X-Tenant: "}, {"X-Tenant: "}}, false},
	} {
		_, h := limited(t, "1/h", 1, tc.header)
		first := push(h, tc.from, good, tc.sent[0]...).Response.StatusCode()
		second := push(h, tc.other, good, tc.sent[1]...).Response.StatusCode()
		if first != 202 || (second == 429) != tc.same {
			t.Errorf("%s: %d, %d", tc.name, first, second)
		}
	}
}

// A batch in steady state costs at most 8 bytes a sample, plain and packed, with more series
// than one decoder would remember.
func BenchmarkIngest(b *testing.B) {
	var bodies []string
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var body strings.Builder
		body.WriteString(`{"metrics":[`)
		for i := range 1000 {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"name":"metric_%d","labels":{"host":"web-%d"},"value":%d.%d}`, rng.IntN(100), rng.IntN(1000), rng.IntN(100), rng.IntN(10))
		}
		bodies = append(bodies, body.String()+"]}")
	}
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			p, h := newParts(b, b.Context())
			var ctx fasthttp.RequestCtx
			ctx.Init(&fasthttp.Request{}, nil, nil)
			ctx.Request.Header.SetMethod("POST")
			ctx.Request.SetRequestURI("/metrics")
			ctx.Request.Header.Set("Content-Encoding", encoding)
			sent := bodies
			if encoding == "gzip" {
				sent = nil
				for _, body := range bodies {
					sent = append(sent, zip(b, body))
				}
			}
			var reader strings.Reader
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				body := sent[n%len(sent)]
				n++
				reader.Reset(body)
				ctx.Response.Reset()
				ctx.Request.SetBodyStream(&reader, len(body))
				h.Serve(&ctx)
				if ctx.Response.StatusCode() != 202 {
					b.Fatalf("%s", ctx.Response.Body())
				}
				if _, err := p.Pop(b.Context(), queue.Want{Samples: 1000, Bytes: 1 << 20}); err != nil {
					b.Fatal(err)
				}
				p.Ack()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(1000*n), "ns/sample")
		})
	}
}
