package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metric returns a metric without labels of GET /metrics.
func (p *process) metric(name string) int {
	p.t.Helper()
	_, text := p.get("/metrics")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		p.t.Fatalf("no metric %s in\n%s", name, text)
	}
	value, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return int(value)
}

// printed counts how often an alert about a metric was told on the console.
func (p *process) printed(metric string) int {
	return strings.Count(p.output(), "🚨 [ALERT] "+metric+" ")
}

// A server is started again while an alert waits, while one fires, after one was resolved,
// and while one ends that nobody watches. Windows are there again, and nobody is told what he
// was told before: neither on the console, with or without a receiver, nor by a webhook;
// whether the server was stopped or killed.
func TestRestartTellsNothingTwice(t *testing.T) {
	for _, tc := range []struct {
		name          string
		webhook, kill bool
	}{{"stopped, console only", false, false}, {"killed, console only", false, true}, {"stopped, webhook", true, false}, {"killed, webhook", true, true}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "rules.yml"), ruleFile(
				"{alert: Waiting, expr: 'max_over_time(waiting[1h]) > 80', for: 1h}", "{alert: Firing, expr: 'max_over_time(firing[1h]) > 80'}",
				"{alert: Over, expr: 'avg_over_time(over[1h]) > 80'}", "{alert: Short, expr: 'max_over_time(short[4s]) > 80'}", "{alert: Quiet, expr: 'max_over_time(quiet[1h]) > 80'}"))
			args := []string{"-mode", "concurrent", "-rules", "rules.yml"}
			var calls <-chan webhookBody
			if tc.webhook {
				var url string
				url, calls = receiver(t)
				args = append(args, "-webhook", url)
			}
			p := startIn(t, dir, args...)
			p.post(`{"metrics":[{"name":"waiting","value":85},{"name":"firing","value":85},{"name":"over","value":85},{"name":"quiet","value":50}]}`)
			p.waitFor(func() bool { return p.printed("over") == 1 })
			p.post(`{"name":"over","value":0}`)
			since := p.awaitRules("Waiting pending", "Firing firing", "Over inactive", "Short inactive", "Quiet inactive")
			p.post(`{"name":"short","value":85}`)
			p.waitFor(func() bool { return p.printed("short") == 1 })
			p.settle()
			p.waitFor(func() bool { return p.metric("phase0_outbox_recorded_total") >= 4 }) // also when a kill comes
			if tc.kill {
				must(t, p.cmd.Process.Kill())
				<-p.exited
			} else if code := p.stop(); code != 0 {
				t.Fatalf("exit code %d: %s", code, &p.stderr)
			}
			for _, metric := range []string{"firing", "over", "short"} {
				if n := p.printed(metric); n != 1 {
					t.Errorf("%s was printed %d times", metric, n)
				}
			}
			time.Sleep(4 * time.Second) // the window of Short empties

			p = startIn(t, dir, args...)
			again := p.awaitRules("Waiting pending", "Firing firing", "Over inactive", "Short inactive", "Quiet inactive")
			if !again["Firing"].Equal(since["Firing"]) {
				t.Errorf("firing since %v, before the restart since %v", again["Firing"], since["Firing"])
			}
			// Waiting was told to nobody; it begins with its sample, whose time is in milliseconds.
			if d := again["Waiting"].Sub(since["Waiting"]); d.Abs() > time.Second {
				t.Errorf("waiting since %v, before the restart since %v", again["Waiting"], since["Waiting"])
			}
			p.waitFor(func() bool { return p.metric("phase0_alerts_told") == 1 }) // Short is over, and that is recorded
			p.post(`{"name":"quiet","value":85}`)
			p.waitFor(func() bool { return p.printed("quiet") == 1 })
			p.waitFor(func() bool { return p.metric("phase0_alerts_told") == 2 })
			if n := strings.Count(p.output(), "[ALERT]"); n != 1 {
				t.Errorf("told after the restart:\n%s", p.output())
			}
			if tc.webhook {
				wantCalls(t, calls, "firing Firing", "firing Over", "resolved Over", "firing Short", "resolved Short", "firing Quiet")
			}
			p.stop()
		})
	}
}

// wantCalls demands that each of these was told, and nothing else; repeats have the same key.
func wantCalls(t *testing.T, calls <-chan webhookBody, want ...string) {
	t.Helper()
	keys := map[string]string{}
	for deadline := time.After(20 * time.Second); len(keys) < len(want); {
		select {
		case body := <-calls:
			for _, a := range body.Alerts {
				what := a.Status + " " + a.Labels["alertname"]
				if before, ok := keys[what]; ok && before != a.IdempotencyKey {
					t.Errorf("%s was told twice, as %s and %s", what, before, a.IdempotencyKey)
				}
				keys[what] = a.IdempotencyKey
			}
		case <-deadline:
			t.Fatalf("told %v, want %v", keys, want)
		}
	}
	for _, what := range want {
		if keys[what] == "" {
			t.Errorf("not told: %s; told %v", what, keys)
		}
	}
}

// What is above the limits of stream is counted, and the rest goes on.
func TestLimitsOfStream(t *testing.T) {
	p := start(t, "-mode", "concurrent", "-alert-max-series", "2", "-alert-max-samples", "100")
	series := func(host string, n int) string {
		one := fmt.Sprintf(`{"name":"cpu_usage","value":85,"labels":{"host":%q}}`, host)
		return `{"metrics":[` + strings.Repeat(one+",", n-1) + one + `]}`
	}
	for _, body := range []string{series("a", 10), series("b", 10), series("c", 7), `{"name":"unread","value":1}`, series("a", 500)} {
		if status, answer := p.post(body); status != 202 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	p.settle()
	p.waitFor(func() bool {
		return p.metric("phase0_alert_window_samples")+p.metric("phase0_alert_samples_dropped_total") == 520
	})
	if refused, held := p.metric("phase0_alert_samples_refused_total"), p.metric("phase0_alert_series"); refused != 7 || held != 2 {
		t.Errorf("%d samples refused, %d series", refused, held)
	}
	if held, dropped := p.metric("phase0_alert_window_samples"), p.metric("phase0_alert_samples_dropped_total"); held > 100 || held+dropped != 520 {
		t.Errorf("%d samples in the windows, %d dropped", held, dropped)
	}
	if states := p.metric("phase0_samples_stored_total"); states != 528 {
		t.Errorf("%d samples stored", states)
	}
	if _, alerts := p.get("/alerts"); strings.Count(alerts, `"state":"firing"`) != 2 {
		t.Errorf("alerts %s", alerts)
	}
}

// A series whose rules do not fit is not evaluated, and alerts have an end. Both is counted,
// said once in the log, and changes nothing for the others.
func TestInstancesAndAlertsAreBounded(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "rules.yml"), ruleFile(firingRule, strings.Replace(firingRule, "Firing", "Other", 1), strings.Replace(firingRule, "Firing", "Third", 1)))
	p := startIn(t, dir, "-mode", "concurrent", "-rules", "rules.yml", "-alert-max-instances", "7", "-alert-max-active", "5")
	for _, host := range []string{"a", "b", "c", "d", "c"} {
		p.post(fmt.Sprintf(`{"name":"mem","value":85,"labels":{"host":%q}}`, host))
	}
	p.settle()
	p.waitFor(func() bool { return p.metric("phase0_alert_samples_refused_total") == 3 })
	for name, want := range map[string]int{
		"phase0_alert_instances": 6, "phase0_alert_series": 2, "phase0_alert_active": 5, "phase0_alert_active_refused_total": 1, "phase0_samples_stored_total": 5,
	} {
		if got := p.metric(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if _, alerts := p.get("/alerts"); strings.Count(alerts, `"state":"firing"`) != 5 {
		t.Errorf("alerts %s", alerts)
	}
	p.stop()
	for _, flag := range []string{"-alert-max-instances", "-alert-max-active"} {
		if got := strings.Count(p.stderr.String(), flag); got != 1 {
			t.Errorf("%s is said %d times in %s", flag, got, p.stderr.String())
		}
	}
}

// However many alerts there are, an answer about them has an end, and says so.
func TestAnswersAboutAlertsAreBounded(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "rules.yml"), ruleFile(firingRule))
	p := startIn(t, dir, "-mode", "concurrent", "-rules", "rules.yml")
	const count = 10_500
	for begin := 0; begin < count; begin += count / 2 {
		var batch []string
		for i := range count / 2 {
			batch = append(batch, fmt.Sprintf(`{"name":"mem","value":85,"labels":{"host":"h%d"}}`, begin+i))
		}
		if status, answer := p.post(`{"metrics":[` + strings.Join(batch, ",") + `]}`); status != 202 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	p.waitFor(func() bool { return p.metric("phase0_alert_active") == count })
	for _, target := range []string{"/alerts", "/api/v1/alerts", "/api/v1/rules"} {
		resp, err := client.Get("http://" + p.addr + target)
		must(t, err)
		header := resp.Header
		status, body := p.read(resp, err)
		told := strings.Contains(body, `"warnings":["only the first 10000 of 10500 alerts are in this answer"]`)
		if target == "/alerts" {
			told = header.Get("X-Phase0-Alerts-Total") == "10500" && header.Get("X-Phase0-Alerts-Truncated") == "true"
		}
		if n := strings.Count(body, `"host":`); status != 200 || n != 10_000 || !told {
			t.Errorf("%s: %d, %d alerts, told %v", target, status, n, told)
		}
		if _, again := p.get(target); target != "/api/v1/rules" && again != body {
			t.Errorf("%s: another answer the second time", target)
		}
	}
}

// An alert whose value JSON has no number for is shown without one.
func TestInfiniteValueIsShown(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "rules.yml"), ruleFile("{alert: Sum, expr: 'sum_over_time(big[1h]) > 80'}"))
		p := startIn(t, dir, "-mode", mode, "-rules", "rules.yml", "-alert-interval", "100ms")
		p.post(`{"metrics":[{"name":"big","value":1.7e308},{"name":"big","value":1.7e308}]}`)
		p.awaitRules("Sum firing")
		p.waitFor(func() bool { // single stores one sample after the other, and may evaluate between
			_, alerts := p.get("/alerts")
			return !strings.Contains(alerts, `"value":1.7e+308`)
		})
		if status, alerts := p.get("/alerts"); status != 200 || !strings.Contains(alerts, `"value":null`) {
			t.Errorf("GET /alerts: %d %s", status, alerts)
		}
		if status, alerts := p.get("/api/v1/alerts"); status != 200 || !strings.Contains(alerts, `"value":"+Inf"`) {
			t.Errorf("GET /api/v1/alerts: %d %s", status, alerts)
		}
	})
}
