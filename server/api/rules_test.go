package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/server/alerting"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what was answered, indented for people, with a file.
func golden(t *testing.T, name string, answer []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, answer, "", "  "); err != nil {
		t.Fatalf("%s: %v in %s", name, err, answer)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s: got\n%s", path, got.String())
	}
}

// watched is a rule in each state, and one that was never evaluated. The firing one has an
// alert that is still pending beside it, and a value that JSON has no number for.
func watched() (rules []alerting.RuleState) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.UTC)
	alert := func(state alerting.State, host string, value float64) alerting.Alert {
		labels := map[string]string{"alertname": "HighCPU", "host": host, "severity": "page"}
		return alerting.Alert{
			State: state, Labels: labels, Annotations: map[string]string{"summary": "cpu of " + host}, Value: value,
			Since: at.Add(-time.Minute), Fingerprint: alerting.Fingerprint(labels), Rule: "sum_over_time(cpu[60s]) > 80",
		}
	}
	return []alerting.RuleState{
		{
			Group: "machine", Name: "HighCPU", Expr: "sum_over_time(cpu[60s]) > 80", For: 90 * time.Second, KeepFiringFor: 5 * time.Minute,
			Labels: map[string]string{"severity": "page"}, Annotations: map[string]string{"summary": "cpu of {{ $labels.host }}"}, Evaluated: at,
			Alerts: []alerting.Alert{alert(alerting.Pending, "b\"\n</script>\u2028", 80.5), alert(alerting.Firing, "a", math.Inf(1))},
		},
		{
			Group: "machine", Name: "Waiting", Expr: "min_over_time(cpu[60s]) > 80", For: time.Minute, Evaluated: at.Add(-time.Second),
			Alerts: []alerting.Alert{alert(alerting.Pending, "c", 1e-9)},
		},
		{Group: "other", Name: "Quiet", Expr: `rate(errors{job="x"}[5m]) > 5`, Evaluated: at.Add(-time.Hour)},
		{Group: "other", Name: "New", Expr: "absent_over_time(beat[60s])"},
	}
}

func watching(t *testing.T) *Handler {
	p, h := newParts(t, t.Context())
	h.cfg.RuleFile, h.cfg.RuleInterval = "rules.yml", 10*time.Second
	p.rules = watched()
	for _, r := range p.rules {
		p.alerts = append(p.alerts, r.Alerts...)
	}
	return h
}

func TestAlertsAndRulesAreGolden(t *testing.T) {
	h := watching(t)
	for target, name := range map[string]string{
		"/alerts": "alerts.json", "/api/v1/alerts": "prometheus-alerts.json", "/api/v1/rules": "prometheus-rules.json",
		"/api/v1/rules?type=alert": "prometheus-rules.json", "/api/v1/rules?type=record": "prometheus-records.json",
	} {
		ctx := call(h, target, "")
		if ctx.Response.StatusCode() != 200 || string(ctx.Response.Header.ContentType()) != "application/json" {
			t.Errorf("%s: %d, %s", target, ctx.Response.StatusCode(), ctx.Response.Header.ContentType())
		}
		golden(t, name, ctx.Response.Body())
	}
}

// What the documentation of Prometheus' HTTP API shows of /api/v1/alerts and of an alerting
// rule in /api/v1/rules is there under the same keys and of the same JSON type, and so is
// what it answers beyond that.
func TestShapeIsThatOfPrometheus(t *testing.T) {
	const text, number, list, object = "string", "float64", "[]interface {}", "map[string]interface {}"
	alert := map[string]string{"activeAt": text, "annotations": object, "labels": object, "state": text, "value": text}
	group := map[string]string{"name": text, "file": text, "rules": list, "interval": number, "limit": number, "evaluationTime": number, "lastEvaluation": text}
	rule := map[string]string{
		"alerts": list, "annotations": object, "duration": number, "health": text, "labels": object, "name": text, "query": text, "type": text,
		"state": text, "keepFiringFor": number, "evaluationTime": number, "lastEvaluation": text,
	}
	h := watching(t)
	for _, one := range objects(t, call(h, "/api/v1/alerts", "").Response.Body(), "alerts") {
		wantKeys(t, "alert", one, alert)
	}
	states := map[string]bool{}
	for _, g := range objects(t, call(h, "/api/v1/rules", "").Response.Body(), "groups") {
		wantKeys(t, "group", g, group)
		for _, r := range g["rules"].([]any) {
			wantKeys(t, "rule", r.(map[string]any), rule)
			states[r.(map[string]any)["state"].(string)] = true
			for _, a := range r.(map[string]any)["alerts"].([]any) {
				wantKeys(t, "alert of a rule", a.(map[string]any), alert)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(states)); !slices.Equal(got, []string{"firing", "inactive", "pending"}) {
		t.Errorf("states %v", got)
	}
}

// objects returns data[key] of an answer of Prometheus' API.
func objects(t *testing.T, answer []byte, key string) (all []map[string]any) {
	t.Helper()
	var body struct {
		Status string
		Data   map[string][]map[string]any
	}
	if err := json.Unmarshal(answer, &body); err != nil || body.Status != "success" || len(body.Data[key]) == 0 || len(body.Data) != 1 {
		t.Fatalf("%v in %s", err, answer)
	}
	return body.Data[key]
}

func wantKeys(t *testing.T, what string, got map[string]any, want map[string]string) {
	t.Helper()
	for key, kind := range want {
		if v, ok := got[key]; !ok || typeOf(v) != kind {
			t.Errorf("%s: %s is %v, a %s; want a %s", what, key, v, typeOf(v), kind)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: Prometheus has no %s", what, key)
		}
	}
}

func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "float64"
	case []any:
		return "[]interface {}"
	case map[string]any:
		return "map[string]interface {}"
	}
	return "something else"
}

// Whatever a label holds, each answer is JSON in one piece, and says the same of it.
func FuzzAlerts(f *testing.F) {
	f.Add("a", 85.5)
	f.Add("\x00\n\r\u2028</script>\"\\", math.Inf(-1))
	f.Add("\xff\xfe", math.NaN())
	p, h := newParts(f, f.Context())
	f.Fuzz(func(t *testing.T, value string, number float64) {
		labels := map[string]string{"host": value}
		alert := alerting.Alert{State: alerting.Firing, Labels: labels, Annotations: labels, Value: number, Rule: value, Fingerprint: alerting.Fingerprint(labels)}
		p.alerts = []alerting.Alert{alert}
		p.rules = []alerting.RuleState{{Group: value, Name: value, Expr: value, Labels: labels, Annotations: labels, Alerts: p.alerts}}
		want := strings.ToValidUTF8(value, "�")
		for _, target := range []string{"/alerts", "/api/v1/alerts", "/api/v1/rules"} {
			ctx := call(h, target, "")
			body := ctx.Response.Body()
			var v any
			if err := json.Unmarshal(body, &v); err != nil || ctx.Response.StatusCode() != 200 {
				t.Fatalf("%s: %d, %v in %q", target, ctx.Response.StatusCode(), err, body)
			}
			if target == "/api/v1/rules" {
				continue
			}
			var told []struct{ Labels map[string]string }
			if target == "/alerts" {
				if err := json.Unmarshal(body, &told); err != nil {
					t.Fatal(err)
				}
			} else {
				var answer struct {
					Data struct {
						Alerts []struct{ Labels map[string]string }
					}
				}
				if err := json.Unmarshal(body, &answer); err != nil {
					t.Fatal(err)
				}
				told = answer.Data.Alerts
			}
			// A run of bytes that are no text may become one replacement or several.
			if got := squeeze(told[0].Labels["host"]); got != squeeze(want) {
				t.Fatalf("%s: label %q came back as %q", target, value, got)
			}
		}
	})
}

func squeeze(s string) string {
	for strings.Contains(s, "��") {
		s = strings.ReplaceAll(s, "��", "�")
	}
	return s
}
