package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
	"phase0/server/query"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
)

// parts are the components behind a handler, each of which can be told to fail.
type parts struct {
	queue.Queue
	storageErr error
	metricsErr error
	panics     string // the component that does
	rejected   []string
	alerts     []alerting.Alert
	rules      []alerting.RuleState
	log        bytes.Buffer
}

func (p *parts) panicIn(component string) {
	if p.panics == component {
		panic(component + " is broken")
	}
}

func (p *parts) Push(ctx context.Context, samples []sample.Sample) error {
	p.panicIn("queue")
	return p.Queue.Push(ctx, samples)
}

func (p *parts) Select(ctx context.Context, _ query.Selector, _ func(sample.Sample) bool) (query.Stats, error) {
	p.panicIn("engine")
	return query.Stats{}, ctx.Err()
}

func (p *parts) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return p.Select(ctx, sel, f.Add)
}

func (p *parts) FirstAlerts(most alerting.Bound) ([]alerting.Alert, int) {
	p.panicIn("alerts")
	return fit(&most, p.alerts), len(p.alerts)
}

func (p *parts) Rules(most alerting.Bound) []alerting.RuleState {
	p.panicIn("rules")
	rules := slices.Clone(p.rules)
	for i := range rules {
		r := &rules[i]
		r.Pending, r.Firing = 0, 0
		for _, a := range r.Alerts {
			if a.State == alerting.Firing {
				r.Firing++
			} else {
				r.Pending++
			}
		}
		r.Alerts = fit(&most, r.Alerts)
	}
	return rules
}

func (p *parts) WriteText(w io.Writer) error {
	p.panicIn("metrics")
	if p.metricsErr != nil {
		return p.metricsErr
	}
	_, err := io.WriteString(w, "# metrics\n")
	return err
}

const queueLimit = sample.MaxBatch

func newParts(t testing.TB, base context.Context) (*parts, *Handler) {
	t.Helper()
	q, err := bounded.New(bounded.Limit{Samples: queueLimit, Bytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{Queue: q}
	return p, New(Config{
		Base: base, Queue: p, Engine: p, Alerts: p, Metrics: p,
		StorageErr:   func() error { return p.storageErr },
		OnReject:     func(code string) { p.rejected = append(p.rejected, code) },
		MaxBodyBytes: 1 << 20, MaxBodiesBytes: 4 << 20, MaxQuerySamples: 10, MaxQueryBytes: 1 << 20, MaxQueryValues: 20, MaxQueries: 1, Log: zerolog.New(&p.log),
	})
}

// call serves one request; a body makes it a POST.
func call(h *Handler, target, body string) *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.SetRequestURI(target)
	if body != "" {
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.SetBodyStream(strings.NewReader(body), len(body))
	}
	h.Serve(ctx)
	return ctx
}

// wantFault checks an error answer: status, code, Retry-After where it is one to come
// back from, and that the refusal was counted.
func wantFault(t *testing.T, p *parts, ctx *fasthttp.RequestCtx, status int, code string) {
	t.Helper()
	var answer struct{ Error, Code string }
	if err := json.Unmarshal(ctx.Response.Body(), &answer); err != nil || answer.Code != code || answer.Error == "" || ctx.Response.StatusCode() != status {
		t.Errorf("%s: %d %s, %v; want %d %s", ctx.Request.Header.RequestURI(), ctx.Response.StatusCode(), ctx.Response.Body(), err, status, code)
	}
	if retry := string(ctx.Response.Header.Peek("Retry-After")); (retry == "1") != (status == 503) && status != 429 {
		t.Errorf("%d with Retry-After %q", status, retry)
	}
	if got := string(ctx.Response.Header.ContentType()); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if fmt.Sprint(p.rejected) != fmt.Sprint([]string{code}) {
		t.Errorf("counted %v, want %s once", p.rejected, code)
	}
	p.rejected = nil
}

func wantAnswer(t *testing.T, p *parts, ctx *fasthttp.RequestCtx, status int, body string) {
	t.Helper()
	if got := string(ctx.Response.Body()); got != body || ctx.Response.StatusCode() != status || len(p.rejected) > 0 {
		t.Errorf("%s: %d %s, rejected %v; want %d %s", ctx.Request.Header.RequestURI(), ctx.Response.StatusCode(), got, p.rejected, status, body)
	}
}

const good = `{"name":"a","value":1}`

func TestPanicsAreAnsweredAndCounted(t *testing.T) {
	for component, target := range map[string]string{"engine": "/query?name=a", "alerts": "/alerts", "metrics": "/metrics", "queue": "/metrics"} {
		p, h := newParts(t, t.Context())
		p.panics = component
		body := ""
		if component == "queue" {
			body = good
		}
		ctx := call(h, target, body)
		wantFault(t, p, ctx, 500, "internal")
		if strings.Contains(string(ctx.Response.Body()), "broken") {
			t.Errorf("the client sees the panic: %s", ctx.Response.Body())
		}
		if log := p.log.String(); !strings.Contains(log, component+" is broken") || !strings.Contains(log, "api_test.go") || strings.Count(log, "\n") != 1 {
			t.Errorf("%s: log %s", component, log)
		}
		p.panics = ""
		wantAnswer(t, p, call(h, "/metrics", good), 202, `{"status":"accepted"}`)
	}
}

func TestFullQueue(t *testing.T) {
	p, h := newParts(t, t.Context())
	if err := p.Push(t.Context(), make([]sample.Sample, queueLimit-2)); err != nil {
		t.Fatal(err)
	}
	// A batch goes in as a whole or not at all.
	wantFault(t, p, call(h, "/metrics", `{"metrics":[`+good+`,`+good+`,`+good+`]}`), 503, "queue_full")
	wantAnswer(t, p, call(h, "/metrics", `{"metrics":[`+good+`,`+good+`]}`), 202, `{"status":"accepted","count":2}`)
	wantFault(t, p, call(h, "/metrics", good), 503, "queue_full")
	wantAnswer(t, p, call(h, "/health", ""), 200, fmt.Sprintf(`{"status":"healthy","queue_size":%d}`, queueLimit))
	if _, err := p.Pop(t.Context(), queue.Want{Samples: 1}); err != nil {
		t.Fatal(err)
	}
	p.Ack()
	wantAnswer(t, p, call(h, "/metrics", good), 202, `{"status":"accepted"}`)
	if h.Accepted() != 3 {
		t.Errorf("%d accepted, want 3", h.Accepted())
	}
}

func TestStorageFails(t *testing.T) {
	p, h := newParts(t, t.Context())
	p.storageErr = errors.New("write m.jsonl: no space left on device\nsecond line")
	ctx := call(h, "/metrics", good)
	wantFault(t, p, ctx, 503, "storage_unavailable")
	if want := `{"error":"storage fails: write m.jsonl: no space left on device","code":"storage_unavailable"}`; string(ctx.Response.Body()) != want {
		t.Errorf("answer %s", ctx.Response.Body())
	}
	if s := p.Stats(); s.Pushed != 0 || h.Accepted() != 0 {
		t.Errorf("%+v, %d accepted", s, h.Accepted())
	}
	wantFault(t, p, call(h, "/metrics", "{"), 400, "bad_json") // trying again would not help
	wantAnswer(t, p, call(h, "/health", ""), 503, `{"status":"degraded","queue_size":0,"reason":"write m.jsonl: no space left on device"}`)
	wantAnswer(t, p, call(h, "/query?name=a", ""), 200, "[]")
	p.storageErr = nil
	wantAnswer(t, p, call(h, "/health", ""), 200, `{"status":"healthy","queue_size":0}`)
	wantAnswer(t, p, call(h, "/metrics", good), 202, `{"status":"accepted"}`)
}

// Health tells, in words, why alerts may be missing; storage that fails is the larger news.
func TestAlertingIsBehind(t *testing.T) {
	p, h := newParts(t, t.Context())
	var behind error
	h.cfg.AlertingErr = func() error { return behind }
	for _, tc := range []struct {
		err    error
		status int
		health string
	}{
		{fmt.Errorf("%w: read \"m\"\xff\nsecond line", alerting.ErrStarting), 503, `{"status":"starting","queue_size":0,"reason":"alerting is still reading what is stored: read \"m\"�"}`},
		{errors.New("alerting is behind"), 503, `{"status":"degraded","queue_size":0,"reason":"alerting is behind"}`},
		{nil, 200, `{"status":"healthy","queue_size":0}`},
	} {
		behind = tc.err
		wantAnswer(t, p, call(h, "/health", ""), tc.status, tc.health)
	}
	behind, p.storageErr = errors.New("alerting is behind"), errors.New("no disk")
	wantAnswer(t, p, call(h, "/health", ""), 503, `{"status":"degraded","queue_size":0,"reason":"no disk"}`)
}

func TestDraining(t *testing.T) {
	base, cancel := context.WithCancel(t.Context())
	p, h := newParts(t, base)
	wantAnswer(t, p, call(h, "/metrics", good), 202, `{"status":"accepted"}`)
	h.Drain()
	p.storageErr = errors.New("draining is the news, even if storage fails")
	wantFault(t, p, call(h, "/metrics", good), 503, "draining")
	wantAnswer(t, p, call(h, "/health", ""), 503, `{"status":"draining","queue_size":1}`)
	wantAnswer(t, p, call(h, "/query?name=a", ""), 200, "[]")
	wantAnswer(t, p, call(h, "/alerts", ""), 200, "[]\n")
	wantAnswer(t, p, call(h, "/metrics", ""), 200, "# metrics\n")
	cancel()
	wantFault(t, p, call(h, "/query?name=a", ""), 503, "draining")
	if h.Accepted() != 1 {
		t.Errorf("%d accepted", h.Accepted())
	}
}

// A request that passed the first check when the queue was closed under it.
func TestClosedQueueMeansDraining(t *testing.T) {
	p, h := newParts(t, t.Context())
	p.Close()
	wantFault(t, p, call(h, "/metrics", good), 503, "draining")
}

func TestMetricsFail(t *testing.T) {
	p, h := newParts(t, t.Context())
	p.metricsErr = errors.New("gather metrics: twice")
	wantFault(t, p, call(h, "/metrics", ""), 500, "internal")
}

func TestRequestLog(t *testing.T) {
	p, h := newParts(t, t.Context())
	h.cfg.LogRequests = true
	p.panics = "alerts"
	call(h, "/metrics", good)
	call(h, "/query?name=a\n{}", "")
	call(h, "/alerts", "")
	var got []string
	for line := range strings.Lines(p.log.String()) {
		var one struct {
			Message, Method, Target, Client string
			Status                          int
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if one.Message == "request" {
			got = append(got, fmt.Sprint(one.Method, " ", strings.SplitN(one.Target, "?", 2)[0], " ", one.Status))
		}
	}
	if fmt.Sprint(got) != "[POST /metrics 202 GET /query 200 GET /alerts 500]" {
		t.Errorf("logged %v", got)
	}
}
