package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// webhookBody is Alertmanager's webhook JSON, version 4, all of it.
type webhookBody struct {
	Version           string
	GroupKey          string
	TruncatedAlerts   int
	Status            string
	Receiver          string
	GroupLabels       map[string]string
	CommonLabels      map[string]string
	CommonAnnotations map[string]string
	ExternalURL       string
	Alerts            []struct {
		Status         string
		Labels         map[string]string
		Annotations    map[string]string
		StartsAt       time.Time
		EndsAt         time.Time
		GeneratorURL   string
		Fingerprint    string
		IdempotencyKey string
	}
}

func receiver(t *testing.T) (url string, calls <-chan webhookBody) {
	t.Helper()
	bodies := make(chan webhookBody, 10_000) // more than any test is told while it does something else
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body webhookBody
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil {
			t.Errorf("webhook: %v", err)
			return
		}
		select {
		case bodies <- body:
		default:
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook", bodies
}

func await(t *testing.T, calls <-chan webhookBody) webhookBody {
	t.Helper()
	select {
	case body := <-calls:
		return body
	case <-time.After(20 * time.Second):
		t.Fatal("no webhook call")
		return webhookBody{}
	}
}

func TestAlertIsPrintedAndPosted(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		url, calls := receiver(t)
		p := start(t, "-mode", mode, "-alert-interval", "300ms", "-webhook", url)
		sent := time.Now()
		p.post(`{"name":"cpu_usage","value":85}`)

		body := await(t, calls)
		if body.Version != "4" || body.Status != "firing" || len(body.Alerts) != 1 {
			t.Fatalf("webhook: %+v", body)
		}
		alert := body.Alerts[0]
		if alert.Status != "firing" || alert.Labels["alertname"] != "HighCPUUsage" || alert.Fingerprint == "" ||
			alert.StartsAt.Before(sent.Add(-time.Second)) || alert.StartsAt.After(time.Now()) || !alert.EndsAt.IsZero() {
			t.Errorf("alert: %+v", alert)
		}
		p.waitFor(func() bool {
			return slices.Contains(strings.Split(p.output(), "\n"), "🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)")
		})
		_, listed := p.get("/alerts")
		var alerts []struct {
			State  string
			Labels map[string]string
			Value  float64
			Since  time.Time
			Rule   string
		}
		if err := json.Unmarshal([]byte(listed), &alerts); err != nil || len(alerts) != 1 {
			t.Fatalf("GET /alerts: %s, %v", listed, err)
		}
		if a := alerts[0]; a.State != "firing" || a.Labels["alertname"] != "HighCPUUsage" || a.Value != 85 || !a.Since.Equal(alert.StartsAt) || a.Rule != "avg_over_time(cpu_usage[60s]) > 80" {
			t.Errorf("GET /alerts: %s", listed)
		}
		// The average falls below the threshold: the end is posted once.
		p.post(`{"metrics":[{"name":"cpu_usage","value":0},{"name":"cpu_usage","value":0}]}`)
		for body = await(t, calls); body.Status != "resolved"; body = await(t, calls) {
		}
		if a := body.Alerts[0]; a.EndsAt.Before(a.StartsAt) || a.Fingerprint != alert.Fingerprint {
			t.Errorf("resolved: %+v", a)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
	})
}

func TestRulesFile(t *testing.T) {
	dir := t.TempDir()
	rules := "groups:\n- name: g\n  rules:\n  - alert: Low\n    expr: avg_over_time(free_bytes[30s]) < 0.05\n    annotations:\n      summary: only {{ $value }} left\n"
	if err := os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	url, calls := receiver(t)
	p := startIn(t, dir, "-rules", "rules.yml", "-alert-interval", "200ms", "-webhook", url)
	p.post(`{"name":"free_bytes","value":0.04}`)
	if a := await(t, calls).Alerts[0]; a.Labels["alertname"] != "Low" || a.Annotations["summary"] != "only 0.04 left" {
		t.Errorf("alert: %+v", a)
	}
	p.stop()
	out := p.output()
	for _, line := range []string{
		"[Alerting] Added rule: free_bytes < 0.05 (window: 30s)",
		"🚨 [ALERT] free_bytes avg(30s) < 0.05 (current: 0.04)",
	} {
		if !slices.Contains(strings.Split(out, "\n"), line) {
			t.Errorf("not printed: %s\n%s", line, out)
		}
	}
	if strings.Contains(out, "cpu_usage") {
		t.Error("the built-in rules are there too")
	}
}

// A receiver that never answers delays neither evaluation nor the end of the server
// beyond its bound.
func TestDeadReceiver(t *testing.T) {
	t.Parallel()                                    // it waits for what it bounds
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections are made, nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := start(t, "-alert-interval", "100ms", "-webhook", fmt.Sprintf("http://%s/", silent.Addr()))
	p.post(`{"name":"cpu_usage","value":85}`)
	p.waitFor(func() bool { return strings.Count(p.output(), "[ALERT]") >= 10 })
	begin := time.Now()
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("shutdown took %v", took)
	}
}

// The life of an alert as stream tells it: once when it fires, once when it is over, and
// nothing again after a restart.
func TestStreamTellsOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, calls := receiver(t)
	args := []string{"-mode", "concurrent", "-alerting", "stream", "-webhook", url}
	p := startIn(t, dir, args...)
	sent := time.Now()
	p.post(`{"name":"cpu_usage","value":85,"labels":{"host":"a\n\u001b[31m\"}"}}`)
	fired := await(t, calls)
	if took := time.Since(sent); took > 5*time.Second {
		t.Errorf("told after %v", took)
	}
	if a := fired.Alerts[0]; a.Status != "firing" || a.Labels["host"] != "a\n\x1b[31m\"}" || a.Fingerprint == "" {
		t.Errorf("fired: %+v", a)
	}
	p.post(`{"name":"cpu_usage","value":86,"labels":{"host":"a\n\u001b[31m\"}"}}`)
	p.waitFor(func() bool { _, body := p.get("/alerts"); return strings.Contains(body, `"value":85.5`) })
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	const line = `🚨 [ALERT] cpu_usage{host="a\n\x1b[31m\"}"} avg(60s) > 80.0 (current: 85.0)`
	if n := strings.Count(p.output(), line); n != 1 {
		t.Errorf("printed %d times: %s\n%s", n, line, p.output())
	}

	p = startIn(t, dir, args...)
	p.waitFor(func() bool { _, body := p.get("/alerts"); return strings.Contains(body, `"state":"firing"`) })
	p.post(`{"metrics":[{"name":"cpu_usage","value":0,"labels":{"host":"a\n\u001b[31m\"}"}}]}`)
	over := await(t, calls)
	if a := over.Alerts[0]; a.Status != "resolved" || a.Fingerprint != fired.Alerts[0].Fingerprint || !a.StartsAt.Equal(fired.Alerts[0].StartsAt) {
		t.Errorf("after the restart: %+v", a)
	}
	if strings.Contains(p.output(), "[ALERT]") {
		t.Errorf("told again: %s", p.output())
	}
	p.stop()
}
