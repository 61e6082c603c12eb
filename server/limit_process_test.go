package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Each client has its own bucket; the one that is told to wait is told for how long, and
// keeps its connection.
func TestRateLimit(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-rate-limit", "1/h", "-rate-burst", "2", "-rate-key", "header:X-Tenant")
		from := func(tenant, body string) string {
			return fmt.Sprintf("POST /metrics HTTP/1.1\r\nHost: x\r\nX-Tenant: %s\r\nContent-Length: %d\r\n\r\n%s", tenant, len(body), body)
		}
		var got []answer
		if mode != "single" {
			got = p.exchange(from("a", good)+from("a", "{")+from("a", good)+from("b", good)+from("a", good), 5, true)
		} else {
			for _, raw := range []string{from("a", good), from("a", "{"), from("a", good), from("b", good), from("a", good)} {
				got = append(got, p.one(raw))
			}
		}
		var statuses []int
		for _, a := range got {
			statuses = append(statuses, a.status)
		}
		// What is wrong counts as well: it costs as much.
		if fmt.Sprint(statuses) != "[202 400 429 202 429]" {
			t.Fatalf("statuses %v", statuses)
		}
		if a := got[2]; a.code != "rate_limited" || !regexp.MustCompile(`^3[56]\d\d$`).MatchString(a.header.Get("Retry-After")) {
			t.Errorf("%+v", a)
		}
		if _, metrics := p.get("/metrics"); !strings.Contains(metrics, `phase0_requests_rejected_total{code="rate_limited"} 2`) {
			t.Errorf("GET /metrics:\n%s", metrics)
		}
		p.stop()
		if n := len(p.lines()); n != 2 {
			t.Errorf("%d lines stored, want 2", n)
		}
	})
}

// New series above the limit are refused, a batch with one of them as a whole; known ones
// go on, and other samples of theirs cost nothing.
func TestSeriesLimit(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-max-series", "3")
		push := func(body string) answer {
			return p.one(fmt.Sprintf("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		}
		const a, b, labelled = `{"name":"a","value":1}`, `{"name":"b","value":1}`, `{"name":"a","value":1,"labels":{"host":"x"}}`
		for _, tc := range []struct {
			body   string
			status int
			says   string
		}{
			{a, 202, ""}, {labelled, 202, ""},
			{`{"metrics":[` + a + `,` + b + `,{"name":"c","value":1}]}`, 400, `metrics[1]: series \"b\" is new`},
			{b, 202, ""},
			{`{"name":"c","value":1}`, 400, `series \"c\" is new`},
			{`{"name":"b","value":1,"labels":{"host":"x"}}`, 400, `series \"b\" is new`},
			{`{"metrics":[` + a + `,` + b + `,` + labelled + `]}`, 202, ""},
		} {
			got := push(tc.body)
			if got.status != tc.status || tc.status == 400 && got.code != "series_limit" || !strings.Contains(got.body, tc.says) {
				t.Errorf("%s: %+v", tc.body, got)
			}
		}
		_, metrics := p.get("/metrics")
		for _, line := range []string{`phase0_requests_rejected_total{code="series_limit"} 3`, "phase0_series 3"} {
			if !strings.Contains(metrics, line) {
				t.Errorf("no %s in GET /metrics", line)
			}
		}
		p.stop()
		if n := len(p.lines()); n != 6 {
			t.Errorf("%d lines stored, want 6", n)
		}
	})
}

func TestPackedBatch(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		text := `{"metrics":[` + strings.Repeat(`{"name":"z","labels":{"zone":"eu","host":"a"},"value":0.5,"timestamp":7},`, 9999) + `{"name":"y","value":1,"timestamp":8}]}`
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := io.WriteString(w, text); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequest("POST", "http://"+p.addr+"/metrics", &packed)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Encoding", "gzip")
		resp, err := client.Do(request)
		if status, body := p.read(resp, err); status != 202 || body != `{"status":"accepted","count":10000}` {
			t.Errorf("%d %s", status, body)
		}
		p.settle()
		if _, rows := p.get("/query?name=z&limit=1"); rows != `[{"name":"z","value":0.5,"timestamp":7,"labels":{"host":"a","zone":"eu"}}]` {
			t.Errorf("%s", rows)
		}
		p.stop()
		if n := len(p.lines()); n != 10_000 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestProfiler(t *testing.T) {
	p := start(t, "-pprof", "0")
	m := regexp.MustCompile(`\[Profiler\] (http://127\.0\.0\.1:\d+/debug/pprof/)\n`).FindStringSubmatch(p.output())
	if m == nil {
		t.Fatalf("printed:\n%s", p.output())
	}
	for _, profile := range []string{"", "heap", "profile?seconds=1", "trace?seconds=0.1"} {
		resp, err := client.Get(m[1] + profile)
		if status, body := p.read(resp, err); status != 200 || len(body) == 0 {
			t.Errorf("%s: %d %.100s", profile, status, body)
		}
	}
	if status, _ := p.get("/debug/pprof/"); status != 404 {
		t.Errorf("profiles where clients are: %d", status)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}
