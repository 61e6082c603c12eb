package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/query"
	"phase0/server/sample"
)

// few is an engine over a handful of samples, extreme ones among them.
type few []sample.Sample

func (e few) Select(_ context.Context, sel query.Selector, yield func(sample.Sample) bool) (stats query.Stats, err error) {
	for _, s := range e {
		if stats.Samples++; sel.Matches(s) && !yield(s) {
			break
		}
	}
	return stats, nil
}

func (e few) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return e.Select(ctx, sel, f.Add)
}

func newQueryHandler(tb testing.TB) *Handler {
	tb.Helper()
	return New(Config{
		Base: tb.Context(), OnReject: func(string) {}, MaxBodyBytes: 1, MaxQuerySamples: 5, MaxQueryBytes: 1000, MaxQueryValues: 5, MaxQueries: 1, Log: zerolog.New(io.Discard),
		Engine: few{
			{Name: "a", Value: 1, Timestamp: 10, Labels: `{"host":"a"}`}, {Name: "a", Value: math.MaxFloat64, Timestamp: 20}, {Name: "a", Value: math.MaxFloat64, Timestamp: 20},
			{Name: "a", Value: -5e-324, Timestamp: 0}, {Name: "a\"\n", Value: 2, Timestamp: math.MaxInt64}, {Name: "a", Value: -3, Timestamp: 1 << 50},
			{Name: "many"}, {Name: "many"}, {Name: "many"}, {Name: "many"}, {Name: "many"}, {Name: "many"},
			{Name: "long", Labels: sample.Labels(`{"a":"` + strings.Repeat("x", 420) + `"}`)}, {Name: "long", Labels: sample.Labels(`{"a":"` + strings.Repeat("x", 420) + `"}`)},
			{Name: "long", Labels: `{"a":"y"}`, Timestamp: 1},
		},
	})
}

// ask sends the text behind the question mark as it is.
func ask(h *Handler, raw string) *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetRequestURI("/query?" + raw)
	h.query(ctx)
	return ctx
}

func TestTooMuchIsAskedFor(t *testing.T) {
	h := newQueryHandler(t)
	for raw, want := range map[string]string{
		"name=many": "422 too_many_samples", "name=many&agg=p50": "422 too_many_values", "name=many&agg=avg": "200 ", "name=many&limit=5": "200 ",
		"name=long": "422 too_many_samples", "name=long&limit=2": "200 ", "name=long&agg=avg": "200 ", "name=long&start=1": "200 ",
		"name=a&agg=avg&step=1": "400 too_many_points", "name=a&agg=avg&step=1&end=9223372036854775807&start=0": "400 too_many_points",
		"name=a" + strings.Repeat("&match=x=", maxMatchers): "200 ", "name=a" + strings.Repeat("&match=x=", maxMatchers+1): "400 bad_parameter",
	} {
		ctx := ask(h, raw)
		var e struct{ Code string }
		_ = json.Unmarshal(ctx.Response.Body(), &e) // an answer that is an array has no code
		if got := fmt.Sprint(ctx.Response.StatusCode(), " ", e.Code); got != want {
			t.Errorf("%.80s: %s %s, want %s", raw, got, ctx.Response.Body(), want)
		}
	}
}

// What is missing is said; what an answer cost is told in the same order each time.
func TestHowItIsSaid(t *testing.T) {
	h := newQueryHandler(t)
	for raw, want := range map[string]string{
		"name=a&agg=avg&step=1": "give start and end", "name=a&agg=avg&step=1&end=1125899906842624": "give start", "name=a&agg=avg&step=1&start=0": "give end",
		"name=a&agg=avg&step=1&start=0&end=1125899906842624": "steps of 1 ms",
	} {
		var e struct{ Error string }
		if err := json.Unmarshal(ask(h, raw).Response.Body(), &e); err != nil || !strings.HasSuffix(e.Error, want) {
			t.Errorf("%s: %q, want …%s", raw, e.Error, want)
		}
	}
	for range 20 {
		head := ask(h, "name=a").Response.Header.String()
		at := 0
		for _, name := range []string{HeaderSamplesScanned, HeaderBytesScanned, HeaderLinesSkipped, HeaderBlocksSkipped} {
			i := strings.Index(head, name)
			if i <= at {
				t.Fatalf("%s is not where it belongs in %q", name, head)
			}
			at = i
		}
	}
}

// Whatever is asked, the answer is valid JSON; what is answered is what was asked for.
func FuzzQuery(f *testing.F) {
	for _, raw := range []string{
		"name=a", "name=a&start=10&end=20&limit=1", `name=a&match=host="a"&match=host!~b`, "name=a&agg=avg,sum,min,max,count,rate,stddev,p50,p99.9&step=10ms&start=0&end=30",
		"name=a&agg=sum&min_value=-1e308&max_value=1e308", "name=%61&agg=p100&step=100000000000000", "n%61me=a&&", "name=a%22%0a&agg=rate",
	} {
		f.Add(raw)
	}
	h := newQueryHandler(f)
	f.Fuzz(func(t *testing.T, raw string) {
		ctx := ask(h, raw)
		status, body := ctx.Response.StatusCode(), ctx.Response.Body()
		if !json.Valid(body) {
			t.Fatalf("%q: %d %s", raw, status, body)
		}
		if status != 200 && status != 400 && status != 422 {
			t.Fatalf("%q: %d %s", raw, status, body)
		}
		if status != 200 {
			return
		}
		// No pair may be without effect: the standard library must see the same name.
		values, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
		if err != nil || values.Get("name") == "" || len(values["name"]) != 1 {
			t.Fatalf("%q is answered: %v, %v", raw, values, err)
		}
		var rows []map[string]any
		if err := json.Unmarshal(body, &rows); err != nil {
			t.Fatalf("%q: %s: %v", raw, body, err)
		}
		for _, row := range rows {
			if name, ok := row["name"]; ok == values.Has("agg") || ok && name != values.Get("name") {
				t.Fatalf("%q: %s", raw, body)
			}
		}
	})
}
