package freshness

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/loadgen/record"
)

// fate is how a probe ended.
type fate int

const (
	visible fate = iota
	invisible
	open
	notAccepted
)

// outcome is what became of a probe.
type outcome struct {
	fate     fate
	accepted time.Time     // when the answer to the sample was read
	lower    time.Duration // age at the last miss, 0 without
	upper    time.Duration // age at the hit; the age when given up, if it was
	refusal  *fault        // of what was not accepted
}

func (p *prober) enter(o outcome) {
	switch o.fate {
	case visible:
		p.book.Visible(o.lower, o.upper)
	case invisible:
		p.book.Invisible(o.lower, o.upper)
	case open:
		p.book.Open(o.lower, o.upper)
	case notAccepted:
		p.book.NotAccepted(o.refusal.kind, o.refusal.cause)
	}
}

// probe posts the sample whose value is the number and awaits it.
func (p *prober) probe(ctx context.Context, number int64) outcome {
	l := &link{address: p.address}
	defer l.close()
	accepted, f := p.post(ctx, l, number)
	switch {
	case f != nil && ctx.Err() != nil:
		return outcome{fate: notAccepted, refusal: &fault{kind: record.Interrupted.String()}}
	case f != nil:
		return outcome{fate: notAccepted, refusal: f}
	}
	return p.await(ctx, l, number, accepted)
}

// post returns when the answer that accepts the sample was read.
func (p *prober) post(ctx context.Context, l *link, number int64) (time.Time, *fault) {
	req := p.request(fasthttp.MethodPost, p.Ingest.RequestURI())
	req.SetBody(fmt.Appendf(nil, `{"name":"%s","value":%d}`, p.series, number))
	var resp fasthttp.Response
	_, done, f := l.exchange(ctx, time.Now().Add(p.Timeout), req, &resp)
	if f != nil {
		return done, f
	}
	if code := resp.StatusCode(); code < 200 || code > 299 {
		return done, statusFault("sample", &resp)
	}
	return done, nil
}

// await asks until the sample is visible, too old, or the context ends.
func (p *prober) await(ctx context.Context, l *link, number int64, accepted time.Time) outcome {
	deadline := accepted.Add(p.Timeout)
	w := newWindow(accepted, p.Timeout, p.offset.Load())
	for {
		p.book.Query()
		sent, done, found, f := p.ask(ctx, l, deadline, number, w.target(p.series))
		switch {
		case found != nil:
			p.offset.Store(w.offset(found))
			return outcome{fate: visible, accepted: accepted, lower: w.lowerBound(found), upper: done.Sub(accepted)}
		case f == nil:
			w.miss(sent)
		case ctx.Err() == nil:
			p.book.QueryError(f.kind, f.cause)
		}
		age := time.Since(accepted)
		w.widen(age)
		if !sleep(ctx, min(p.pause(age), p.Timeout-age)) {
			return outcome{fate: open, accepted: accepted, lower: w.lowerBound(nil), upper: time.Since(accepted)}
		}
		if age = time.Since(accepted); age >= p.Timeout {
			p.offset.Store(nil) // it may be to blame
			return outcome{fate: invisible, accepted: accepted, lower: w.lowerBound(nil), upper: age}
		}
	}
}

// pause is how long to wait before the next query of a probe of some age.
func (p *prober) pause(age time.Duration) time.Duration {
	if p.Poll > 0 {
		return p.Poll
	}
	// The width of the bracket stays small against its value, and the number of
	// queries grows only with the logarithm of the age.
	return max(time.Millisecond, age/20)
}

// ask sends one query. Found is nil for a miss and when there is a fault.
func (p *prober) ask(ctx context.Context, l *link, deadline time.Time, number int64, target string) (sent, done time.Time, found *row, f *fault) {
	var resp fasthttp.Response
	sent, done, f = l.exchange(ctx, deadline, p.request(fasthttp.MethodGet, target), &resp)
	switch {
	case f != nil:
		return sent, done, nil, f
	case resp.StatusCode() != fasthttp.StatusOK:
		return sent, done, nil, statusFault("query", &resp)
	}
	found, err := find(resp.Body(), p.series, float64(number))
	if err != nil {
		return sent, done, nil, &fault{kind: "bad_json", cause: err}
	}
	return sent, done, found, nil
}

// request returns a request without a body. The user's headers are set last, so
// that they win.
func (p *prober) request(method, target string) *fasthttp.Request {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.Header.SetUserAgent("phase0-loadgen")
	req.Header.SetRequestURI(target)
	req.Header.SetHost(p.Ingest.Host)
	if method == fasthttp.MethodPost {
		req.Header.SetContentType("application/json")
	}
	for _, h := range p.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	return &req
}

// statusFault says what a server answered instead of what was hoped for.
func statusFault(what string, resp *fasthttp.Response) *fault {
	body := resp.Body()
	return &fault{
		kind:  "status_" + strconv.Itoa(resp.StatusCode()),
		cause: fmt.Errorf("%s answered %d %.120q", what, resp.StatusCode(), body[:min(len(body), 120)]),
	}
}
