package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

// manyAlerts is a rule with alerts of an annotation each.
func manyAlerts(n int, annotation string) []alerting.RuleState {
	r := alerting.RuleState{Group: "g", Name: "A"}
	for i := range n {
		r.Alerts = append(r.Alerts, alerting.Alert{
			State: alerting.Firing, Labels: map[string]string{"host": fmt.Sprint(i)}, Annotations: map[string]string{"text": annotation},
		})
	}
	return []alerting.RuleState{r}
}

// shown is what an answer tells: rules and alerts, and warnings.
func shown(t *testing.T, h *Handler, target string) (rules []string, alerts int, warnings []string) {
	t.Helper()
	answered := call(h, target, "")
	body := answered.Response.Body()
	if target == "/alerts" {
		var all []any
		if err := json.Unmarshal(body, &all); err != nil {
			t.Fatal(err)
		}
		header := &answered.Response.Header
		if cut := header.Peek(truncatedHeader); len(cut) > 0 {
			warnings = []string{fmt.Sprintf("%s of %s", cut, header.Peek(totalHeader))}
		}
		return nil, len(all), warnings
	}
	var answer struct {
		Status   string
		Warnings []string
		Data     struct {
			Alerts []any
			Groups []struct {
				Rules []struct {
					State  string
					Alerts []any
				}
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%v in %.200s", err, body)
	}
	alerts = len(answer.Data.Alerts)
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			rules = append(rules, r.State)
			alerts += len(r.Alerts)
		}
	}
	return rules, alerts, answer.Warnings
}

// However many alerts there are, however long, an answer has an end, and says what it left out.
func TestAnswersAreBounded(t *testing.T) {
	for _, tc := range []struct {
		name       string
		n          int
		annotation string
		most       int // alerts that are shown
		all        bool
	}{
		{"all fit", maxAlerts, "", maxAlerts, true},
		{"too many", maxAlerts + 1, "", maxAlerts, false},
		{"too long", 100, strings.Repeat("x", 1<<20), 15, false},
	} {
		p, h := newParts(t, t.Context())
		p.rules = manyAlerts(tc.n, tc.annotation)
		p.alerts = p.rules[0].Alerts
		for _, target := range []string{"/alerts", "/api/v1/alerts", "/api/v1/rules"} {
			rules, alerts, warnings := shown(t, h, target)
			if alerts != tc.most {
				t.Errorf("%s: %s has %d alerts, want %d", tc.name, target, alerts, tc.most)
			}
			if target == "/api/v1/rules" && (len(rules) != 1 || rules[0] != "firing") {
				t.Errorf("%s: rules are %v", tc.name, rules)
			}
			want := fmt.Sprintf("only the first %d of %d alerts are in this answer", tc.most, tc.n)
			if target == "/alerts" {
				want = fmt.Sprintf("true of %d", tc.n)
			}
			if (len(warnings) == 0) != tc.all || !tc.all && warnings[0] != want {
				t.Errorf("%s: %s warns %q, want %s", tc.name, target, warnings, want)
			}
		}
	}
}

func TestRulesAreBounded(t *testing.T) {
	p, h := newParts(t, t.Context())
	for range 40 {
		p.rules = append(p.rules, alerting.RuleState{Group: "g", Annotations: map[string]string{"a": strings.Repeat("x", 1<<20)}})
	}
	p.rules[0].Alerts = manyAlerts(1, "")[0].Alerts
	rules, alerts, warnings := shown(t, h, "/api/v1/rules")
	if len(rules) != 15 || alerts != 0 || len(warnings) != 2 || warnings[0] != "only the first 15 of 40 rules are in this answer" || warnings[1] != "only the first 0 of 1 alerts are in this answer" {
		t.Errorf("%d rules, %d alerts, %q", len(rules), alerts, warnings)
	}
}

// Answers take memory, so not everybody gets one at the same time.
func TestAnswersAtATimeAreBounded(t *testing.T) {
	p, h := newParts(t, t.Context())
	for range maxShowing {
		h.showing <- struct{}{}
	}
	for _, target := range []string{"/alerts", "/api/v1/alerts", "/api/v1/rules"} {
		wantFault(t, p, call(h, target, ""), 503, "too_many_queries")
	}
	<-h.showing
	if ctx := call(h, "/alerts", ""); ctx.Response.StatusCode() != 200 {
		t.Errorf("with room: %d", ctx.Response.StatusCode())
	}
	if len(h.showing) != maxShowing-1 {
		t.Errorf("%d are held", len(h.showing))
	}
}

// A file that is wrong is another answer than a moment that is.
func TestReloadFaults(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{alerting.ErrRules, 500, "bad_rules"}, {alerting.ErrUnreadable, 500, "rules_unreadable"},
		{alerting.ErrStarting, 503, "starting"}, {alerting.ErrBusy, 503, "reload_busy"}, {context.DeadlineExceeded, 503, "reload_busy"},
		{context.Canceled, 503, "draining"}, {errors.New("disk is gone"), 503, "storage_unavailable"},
	} {
		p, h := newParts(t, t.Context())
		h.cfg.Reload = func(ctx context.Context) error {
			if until, ok := ctx.Deadline(); !ok || time.Until(until) > reloadPatience {
				t.Error("a reload may take for ever")
			}
			return fmt.Errorf("rules stay as they were: %w", tc.err)
		}
		ctx := call(h, "/-/reload", " ")
		wantFault(t, p, ctx, tc.status, tc.code)
	}
	_, h := newParts(t, t.Context())
	h.cfg.Reload = func(context.Context) error { return nil }
	if ctx := call(h, "/-/reload", " "); ctx.Response.StatusCode() != http.StatusOK {
		t.Errorf("reloaded: %d", ctx.Response.StatusCode())
	}
}

// An answer takes memory until its client has read it, so not any number waits for that.
func TestUnreadAnswersAreBounded(t *testing.T) {
	p, h := newParts(t, t.Context())
	p.rules = manyAlerts(15, strings.Repeat("x", 1<<20))
	p.alerts = p.rules[0].Alerts
	var answers []*fasthttp.RequestCtx
	for _, target := range []string{"/alerts", "/api/v1/alerts", "/api/v1/rules", "/alerts", "/alerts"} {
		answers = append(answers, call(h, target, ""))
	}
	for _, answer := range answers {
		if answer.Response.StatusCode() != 200 {
			t.Fatalf("%d: %s", answer.Response.StatusCode(), answer.Response.Body())
		}
	}
	for _, target := range []string{"/alerts", "/api/v1/alerts", "/api/v1/rules"} {
		wantFault(t, p, call(h, target, ""), 503, "too_many_queries")
	}
	answers[0].Response.Reset()
	again := call(h, "/alerts", "")
	if again.Response.StatusCode() != 200 {
		t.Errorf("when one is read: %d", again.Response.StatusCode())
	}
	for _, answer := range append(answers[1:], again) {
		answer.Response.Reset()
	}
	if n := h.unread.Load(); n != 0 {
		t.Errorf("%d bytes are held when all are read", n)
	}
}

// The bytes of an answer count until it is sent or its client is gone, over a real connection.
func TestAnswersCountUntilTheyAreSent(t *testing.T) {
	p, h := newParts(t, t.Context())
	p.rules = manyAlerts(15, strings.Repeat("x", 1<<20)) // more than sockets hold
	p.alerts = p.rules[0].Alerts
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	server := &fasthttp.Server{Handler: h.Serve}
	serving.Go(func() { _ = server.Serve(ln) })
	defer serving.Wait()
	defer func() { _ = ln.Close() }()
	for _, tc := range []struct {
		request       string
		waits, reads  bool
		least, atMost int64
	}{
		{"GET /alerts", true, true, 15 << 20, 16 << 20},
		{"GET /api/v1/rules", true, false, 15 << 20, 16 << 20},
		{"HEAD /api/v1/alerts", false, true, 1, 1 << 10},
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", tc.request); err != nil {
			t.Fatal(err)
		}
		if tc.waits {
			awaitUnread(t, h, func(n int64) bool { return n >= tc.least && n <= tc.atMost })
		}
		if tc.reads {
			n, err := io.Copy(io.Discard, conn)
			if err != nil || n < tc.least || n > tc.atMost {
				t.Errorf("%s: %d bytes, %v", tc.request, n, err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		awaitUnread(t, h, func(n int64) bool { return n == 0 })
	}
}

func awaitUnread(t *testing.T, h *Handler, ok func(int64) bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !ok(h.unread.Load()); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d bytes are held", h.unread.Load())
		}
	}
}
