package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"phase0/server/alerting/rule"
)

// ruleFile is a rule file with one group.
func ruleFile(rules ...string) string {
	return "groups:\n- name: g\n  rules:\n  - " + strings.Join(rules, "\n  - ") + "\n"
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ruleStates returns the rules of GET /api/v1/rules as "NAME STATE", and since when each
// alert of them is active.
func (p *process) ruleStates() (states []string, since map[string]time.Time) {
	p.t.Helper()
	status, text := p.get("/api/v1/rules")
	var answer struct {
		Status string
		Data   struct {
			Groups []struct {
				File  string
				Rules []struct {
					Name, State string
					Alerts      []struct{ ActiveAt time.Time }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || answer.Status != "success" {
		p.t.Fatalf("GET /api/v1/rules: %d %v in %s", status, err, text)
	}
	since = map[string]time.Time{}
	for _, group := range answer.Data.Groups {
		if group.File != "rules.yml" {
			p.t.Errorf("rules are of file %q", group.File)
		}
		for _, r := range group.Rules {
			states = append(states, r.Name+" "+r.State)
			for _, a := range r.Alerts {
				since[r.Name] = a.ActiveAt
			}
		}
	}
	return states, since
}

func (p *process) awaitRules(want ...string) (since map[string]time.Time) {
	p.t.Helper()
	p.waitFor(func() bool {
		var states []string
		states, since = p.ruleStates()
		return slices.Equal(states, want)
	})
	return since
}

func (p *process) reload() (status int, answer string) {
	p.t.Helper()
	resp, err := client.Post("http://"+p.addr+"/-/reload", "", http.NoBody)
	return p.read(resp, err)
}

const (
	waitingRule = "{alert: Waiting, expr: 'max_over_time(cpu[1h]) > 80', for: 1h}"
	firingRule  = "{alert: Firing, expr: 'max_over_time(mem[1h]) > 80'}"
	quietRule   = "{alert: Quiet, expr: 'max_over_time(disk[1h]) > 80'}"
	brokenRule  = "{alert: Broken, expr: 'sum(disk) > 80'}"
)

// Rules are read again at SIGHUP and POST /-/reload, all of them or none, and alerts whose
// rule stayed the same go on as they were.
func TestReload(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		dir := t.TempDir()
		path := filepath.Join(dir, "rules.yml")
		writeFile(t, path, ruleFile(waitingRule, firingRule, quietRule))
		p := startIn(t, dir, "-mode", mode, "-rules", "rules.yml", "-alert-interval", "100ms")
		p.post(`{"metrics":[{"name":"cpu","value":85},{"name":"mem","value":85}]}`)
		since := p.awaitRules("Waiting pending", "Firing firing", "Quiet inactive")

		for name, spoil := range map[string]func(){
			"a rule": func() { writeFile(t, path, ruleFile(quietRule, firingRule, brokenRule)) },
			"YAML":   func() { writeFile(t, path, "groups: [\n") },
			"a file": func() { must(t, os.Remove(path)) },
		} {
			spoil()
			status, answer := p.reload()
			if status != 500 || !strings.Contains(answer, "rules stay as they were: ") || !strings.Contains(answer, "rules.yml") {
				t.Errorf("no such %s: %d %s", name, status, answer)
			}
			if name == "a rule" && !strings.Contains(answer, `rules.yml:6:27: expression \"sum(disk) > 80\" is not supported`) {
				t.Errorf("%s does not say what is wrong where", answer)
			}
			// Waited for, so that no signal is obeyed only when the next file is there.
			before := reloadsFailed(p)
			must(t, p.cmd.Process.Signal(syscall.SIGHUP))
			p.waitFor(func() bool { return reloadsFailed(p) > before })
		}
		now := p.awaitRules("Waiting pending", "Firing firing", "Quiet inactive")
		if now["Waiting"] != since["Waiting"] || now["Firing"] != since["Firing"] {
			t.Errorf("after faults: since %v, before %v", now, since)
		}

		writeFile(t, path, ruleFile(strings.Replace(quietRule, "Quiet", "New", 1), firingRule, waitingRule))
		must(t, p.cmd.Process.Signal(syscall.SIGHUP))
		now = p.awaitRules("New inactive", "Firing firing", "Waiting pending")
		if now["Waiting"] != since["Waiting"] || now["Firing"] != since["Firing"] {
			t.Errorf("after SIGHUP: since %v, before %v", now, since)
		}
		writeFile(t, path, ruleFile(waitingRule))
		if status, answer := p.reload(); status != 200 {
			t.Errorf("reload: %d %s", status, answer)
		}
		if now = p.awaitRules("Waiting pending"); now["Waiting"] != since["Waiting"] {
			t.Errorf("after a request: since %v, before %v", now, since)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if log := p.stderr.String(); strings.Count(log, "rules stay as they were") != 3 {
			t.Errorf("three signals could not be obeyed, and the log has: %s", log)
		}
	})
}

// reloadsFailed counts the signals that the server's log says it could not obey.
func reloadsFailed(p *process) int { return strings.Count(p.stderr.String(), "reload failed") }

// The rule file that Prometheus' documentation shows first: what it watches is not a range.
const prometheusExample = `groups:
- name: example
  labels:
    team: myteam
  rules:
  - alert: HighRequestLatency
    expr: job:request_latency_seconds:mean5m{job="myjob"} > 0.5
    for: 10m
    keep_firing_for: 5m
    labels:
      severity: page
    annotations:
      summary: High request latency
`

func TestCheckRules(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yml": ruleFile(waitingRule, firingRule), "example.yml": prometheusExample, "empty.yml": "", "tab.yml": "groups:\n\t- name: g\n",
		"range.yml": strings.Replace(prometheusExample, `mean5m{job="myjob"}`, `mean5m{job="myjob"}[5m])`, 1),
		"fixed.yml": strings.Replace(prometheusExample, `job:request_latency_seconds:mean5m{job="myjob"}`, `avg_over_time(job:request_latency_seconds{job="myjob"}[5m])`, 1),
		"many.yml":  ruleFile(strings.Split(strings.Repeat(brokenRule+"\n", 23), "\n")[:23]...),
		"twice.yml": ruleFile(firingRule, firingRule), "record.yml": ruleFile("{record: a, expr: b}"), "long.yml": ruleFile("{alert: A, expr: '" + strings.Repeat("x", 5000) + "'}"),
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe.yml"), 0o600))
	for _, tc := range []struct {
		args   string
		code   int
		stdout string // all of it
		stderr string // in its first line
	}{
		{"good.yml", 0, "2 rules, all of them understood\n  max_over_time(cpu[1h]) > 80 (window: 3600s)\n  max_over_time(mem[1h]) > 80 (window: 3600s)\n", ""},
		{"fixed.yml", 0, "1 rule, all of them understood\n  avg_over_time(job:request_latency_seconds{job=\"myjob\"}[5m]) > 0.5 (window: 300s)\n", ""},
		{"example.yml", 1, "", `example.yml:7:11: expression "job:request_latency_seconds:mean5m{job=\"myjob\"} > 0.5" is not supported: what is compared is no function of a range, such as avg_over_time(NAME[60s]); `},
		{"range.yml", 1, "", "range.yml:7:62: "},
		{"empty.yml", 1, "", "empty.yml:1:1: file is empty; it must hold groups"},
		{"tab.yml", 1, "", "tab.yml:2:1: "},
		{"twice.yml", 1, "", `twice.yml:5:5: alert "Firing" stands twice with the same labels`},
		{"record.yml", 1, "", "record.yml:4:6: rule: \"record\" is not supported: recording rules are not known here"},
		{"long.yml", 1, "", "long.yml:4:22: expression has 5000 bytes; at most 4096 are allowed"},
		{"many.yml", 1, "", `many.yml:4:27: expression "sum(disk) > 80" is not supported`},
		{"pipe.yml", 1, "", "pipe.yml is not a regular file"},
		{"gone.yml", 1, "", "gone.yml: no such file or directory"},
		{".", 1, "", "is a directory"},
		{"", 2, "", "check-rules takes one rule file"},
		{"good.yml good.yml", 2, "", "check-rules takes one rule file"},
	} {
		cmd := command(dir, append([]string{"check-rules"}, strings.Fields(tc.args)...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run() // the exit code is looked at
		lines := strings.Count(stderr.String(), "\n")
		if tc.args == "many.yml" {
			if lines != rule.MaxFaults+2 || !strings.HasSuffix(stderr.String(), "… and 3 more\nserver: many.yml has 23 faults; nothing of it would be used\n") {
				t.Errorf("all faults: %s", &stderr)
			}
			lines = 2
		}
		first, last, _ := strings.Cut(stderr.String(), "\n")
		if ofFile := strings.HasPrefix(first, tc.args+":"); ofFile != (lines == 2) || ofFile && !strings.HasPrefix(last, "server: "+tc.args) && tc.args != "many.yml" {
			t.Errorf("check-rules %s: %s", tc.args, &stderr)
		}
		if code := cmd.ProcessState.ExitCode(); code != tc.code || stdout.String() != tc.stdout || !strings.Contains(first, tc.stderr) || lines > 2 || (lines > 0) != (code != 0) {
			t.Errorf("check-rules %s: exit %d, want %d; stdout %q, want %q; stderr %q should hold %q", tc.args, code, tc.code, &stdout, tc.stdout, &stderr, tc.stderr)
		}
	}
}
