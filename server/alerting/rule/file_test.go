package rule

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"phase0/server/alerting"
	"phase0/server/sample"
)

const full = `# what a team may watch
groups:
- name: machine
  rules:
  - alert: HighCPU
    expr: avg_over_time(cpu_usage[1m30s]) >= 80.5
    for: 5m
    labels: {severity: page, tier: 1}
    annotations:
      summary: "cpu at {{ $value }}"
  - alert: HighCPU
    expr: |
      avg_over_time(
        cpu_usage[60s]
      ) > 9.5e1
- name: errors
  rules:
  - alert: Quiet
    expr: avg_over_time(requests.rate[500ms])<-2
    for: 0
`

func TestParse(t *testing.T) {
	got, err := Parse("rules.yml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := []Rule{
		{
			Group: "machine", Alert: "HighCPU", Metric: "cpu_usage", Window: 90 * time.Second, Op: ">=", Threshold: 80.5, For: 5 * time.Minute,
			Labels: map[string]string{"severity": "page", "tier": "1"}, Annotations: map[string]string{"summary": "cpu at {{ $value }}"},
			Expr: "avg_over_time(cpu_usage[1m30s]) >= 80.5",
		},
		{
			Group: "machine", Alert: "HighCPU", Metric: "cpu_usage", Window: time.Minute, Op: ">", Threshold: 95,
			Expr: "avg_over_time(\n  cpu_usage[60s]\n) > 9.5e1",
		},
		{Group: "errors", Alert: "Quiet", Metric: "requests.rate", Window: 500 * time.Millisecond, Op: "<", Threshold: -2, Expr: "avg_over_time(requests.rate[500ms])<-2"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseFollowsAliases(t *testing.T) {
	rules, err := Parse("r", []byte(`groups:
- name: g
  rules:
  - {alert: A, expr: &e "avg_over_time(x[1s])>1", labels: &l {team: a}}
  - {alert: B, expr: *e, labels: *l}
`))
	if err != nil || len(rules) != 2 || rules[1].Metric != "x" || rules[1].Labels["team"] != "a" {
		t.Errorf("%+v, %v", rules, err)
	}
}

// ruleWith is a rule file with one rule, whose lines are indented by four spaces from
// line 5 on.
func ruleWith(lines ...string) string {
	return "groups:\n- name: g\n  rules:\n  - alert: A\n    " + strings.Join(lines, "\n    ") + "\n"
}

const plain = "expr: avg_over_time(x[60s]) > 1"

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "1:1: file is empty; it must hold groups"},
		{"# nothing\n", "1:1: file is empty; it must hold groups"},
		{"~", "1:1: rule file must be a mapping with groups"},
		{"[]", "1:1: rule file must be a mapping with groups"},
		{"{}", "1:1: groups is missing"},
		{"groups:\n", "1:8: groups must be a list"},
		{"groups: []\n", "1:1: file holds no rule"},
		{"groups: {}\n", "1:9: groups must be a list"},
		{"groups: []\ngroups: []\n", `2:1: rule file: field "groups" stands twice`},
		{"group: []\n", `1:1: rule file: unknown field "group"; known are groups`},
		{"groups: [7]\n", "1:10: group must be a mapping with name, labels, rules"},
		{"groups:\n- rules: []\n", "2:3: name is missing"},
		{"groups:\n- name: g\n", "2:3: rules is missing"},
		{"groups:\n- name: g\n  rules: [x]\n", "3:11: rule must be a mapping with alert, expr, for, keep_firing_for, labels, annotations"},
		{"groups:\n- {name: g, rules: []}\n- {name: h, rules: []}\n- {name: g, rules: []}\n", `4:10: group "g" stands twice`},
		{ruleWith(plain, "labels: {"+strings.Repeat("a: b, ", 65)+"}"), "6:13: more than 64 labels"},
		{ruleWith(plain, "annotations: {a: "+strings.Repeat("b", 16<<10)+"}"), "6:18: annotations have 16385 bytes; at most 16384 are allowed"},
		{"groups:\n- name: g\n  interval: 5s\n", `3:3: group: "interval" is not supported: -alerting stream needs none, and -alert-interval is that of poll`},
		{"groups:\n- name: g\n  limit: 5\n", `3:3: group: "limit" is not supported: leave it out`},
		{"groups:\n- name: g\n  rules:\n  - record: a\n", `4:5: rule: "record" is not supported: recording rules are not known here`},
		{"groups:\n- name: g\n  rules:\n  - " + plain + "\n", "4:5: alert is missing"},
		{"groups:\n- name: g\n  rules:\n  - alert: ' '\n    " + plain + "\n", "4:12: alert has no name"},
		{"groups:\n- name: g\n  rules:\n  - alert: " + strings.Repeat("A", 1025) + "\n    " + plain + "\n", "4:12: alert name has 1025 bytes; at most 1024 are allowed"},
		{"groups:\n- name: g\n  rules:\n  - alert: A\n", "4:5: expr is missing"},
		{"groups: []\n---\ngroups: []\n", "2:1: only one YAML document is allowed"},
		{ruleWith(plain, "<<: {for: 1s}"), `6:5: rule: unknown field "<<"; known are alert, expr, for, keep_firing_for, labels, annotations`},
		{ruleWith(plain, "severity: page"), `6:5: rule: unknown field "severity"; known are alert, expr, for, keep_firing_for, labels, annotations`},
		{ruleWith(plain, "keep_firing_for: 5"), `6:22: keep_firing_for: duration "5" is not of the form 60s, 5m or 1h30m`},
		{"groups:\n- name: g\n  labels: {alertname: a}\n  rules: []\n", "3:11: label alertname is set by alert:"},
		{ruleWith(plain, "for: 5"), `6:10: for: duration "5" is not of the form 60s, 5m or 1h30m`},
		{ruleWith(plain, "for: -5m"), `6:10: for: duration "-5m" is not of the form 60s, 5m or 1h30m`},
		{ruleWith(plain, "for: 101y"), `6:10: for: duration "101y" is too long`},
		{ruleWith(plain, "for: 99999999999999999999s"), `6:10: for: duration "99999999999999999999s" is too long`},
		{ruleWith(plain, "for: [1m]"), "6:10: for must be a text"},
		{ruleWith(plain, "labels: page"), "6:13: labels must be a mapping"},
		{ruleWith(plain, "labels: {alertname: B}"), "6:13: label alertname is set by alert:"},
		{ruleWith(plain, "labels: {a-b: c}"), `6:14: label name "a-b" may hold letters, digits and _ only`},
		{ruleWith(plain, "labels: {a: b, a: c}"), "6:20: label a stands twice"},
		{ruleWith(plain, "annotations: {a: [b]}"), "6:22: annotation a must be a text"},
		{ruleWith(plain, "annotations: {a: '{{ .Value }}'}"), `6:22: annotation a: template "{{ .Value }}" is not supported; supported are {{ $value }} and {{ $labels.NAME }}`},
		{ruleWith(plain, "annotations: {a: '{{ $value'}"), "6:22: annotation a: template {{ is not closed by }}"},
		{ruleWith(plain) + "  - {alert: A, expr: 'avg_over_time(y[1s]) > 2'}\n", `6:5: alert "A" stands twice with the same labels`},
		{strings.Repeat("#", MaxFileBytes) + "\n", "1:1: file has 8388609 bytes; at most 8388608 are allowed"},
	} {
		rules, err := Parse("rules.yml", []byte(tc.text))
		if err == nil || err.Error() != "rules.yml:"+tc.want {
			t.Errorf("%.80q:\n got %v %v\nwant rules.yml:%s", tc.text, rules, err, tc.want)
		}
	}
}

// Everything that is wrong is told at once, in the order of the file. What is missing
// because its name is misspelt is not told as well.
func TestParseTellsAllFaults(t *testing.T) {
	_, err := Parse("r", []byte(`groups:
- name: g
  interval: 5s
  rules:
  - alert: A
    labels: {a-b: c, alertname: d}
    expr: avg_over_time(x[60s]) > 2*3
    for: 5
  - alert: B
    expresion: avg_over_time(x[60s]) > 6
    annotations: {a: "{{ .x }}"}
  - alert: C
    expr: avg_over_time(x[60s]) > 6
- name: g
  rules:
  - alert: C
    expr: avg_over_time(y[60s]) > 6
`))
	var faults *Faults
	if !errors.As(err, &faults) || !errors.Is(err, alerting.ErrRules) || faults.More != 0 {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, fault := range faults.First {
		got = append(got, fmt.Sprintf("%d:%d", fault.Line, fault.Column))
	}
	want := []string{"3:3", "6:13", "6:14", "7:35", "8:10", "10:5", "11:22", "14:9", "16:5"}
	if !slices.Equal(got, want) {
		t.Errorf("faults at %v, want %v: %v", got, want, faults.First)
	}
	if !strings.HasPrefix(err.Error(), "r:3:3: ") || !strings.HasSuffix(err.Error(), " (and 8 more; check-rules shows them)") {
		t.Errorf("in short: %v", err)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	_, err := Parse("r", []byte("groups:\n- name: g\n  rules:\n"+strings.Repeat("  - {alert: A, expr: '2*'}\n", MaxRules)))
	var faults *Faults
	if !errors.As(err, &faults) || len(faults.First) != MaxFaults || faults.More != MaxRules-MaxFaults {
		t.Errorf("got %v", err)
	}
}

// Only a regular file is read, and nothing is waited for.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	pipe, good := filepath.Join(dir, "pipe"), filepath.Join(dir, "good")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(good, []byte(full), 0o600), os.Symlink(good, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"pipe": "read rules: " + pipe + " is not a regular file", ".": " is a directory", "gone": "no such file or directory", "/dev/zero": " is not a regular file",
	} {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		if _, err := ReadFile(path); !errors.Is(err, alerting.ErrUnreadable) || errors.Is(err, alerting.ErrRules) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want …%s", name, err, want)
		}
	}
	if rules, err := ReadFile(filepath.Join(dir, "link")); err != nil || len(rules) != 3 {
		t.Errorf("a link to a file: %d rules, %v", len(rules), err)
	}
}

func TestParseRefusesBrokenYAML(t *testing.T) {
	for _, text := range []string{"groups: [\n", "a: b: c", "\t- a", "\x00", "groups: []\n]", "groups: []\n---\na: b: c", "x: *gone", strings.Repeat("[", 20_000)} {
		_, err := Parse("rules.yml", []byte(text))
		wantPosition(t, err)
	}
}

func TestParseExpr(t *testing.T) {
	labels := func(r *Rule, labels string) bool { return r.Matches(sample.Labels(labels)) }
	for _, tc := range []struct {
		expr string
		want Rule
		yes  string // labels that match
		no   string
	}{
		{"80 < avg_over_time(cpu[60s])", Rule{Func: Avg, Op: ">", Threshold: 80}, "", "?"},
		{"0.5 >= max_over_time(cpu[60s])", Rule{Func: Max, Op: "<=", Threshold: 0.5}, "", "?"},
		{"(min_over_time(cpu[60s])) != (80)", Rule{Func: Min, Op: "!=", Threshold: 80}, "", "?"},
		{"((+.5e1) < (max_over_time(cpu[60s])))", Rule{Func: Max, Op: ">", Threshold: 5}, "", "?"},
		{"avg_over_time(cpu[60s]) > - 0.50", Rule{Func: Avg, Op: ">", Threshold: -0.5}, "", "?"},
		{"quantile_over_time((5.e-1), cpu{a!='>2*3,'}[60s]) > 1.", Rule{Func: Quantile, Quantile: 0.5, Op: ">", Threshold: 1}, "", "?"},
		{"sum_over_time(cpu[1m])==-1e3", Rule{Func: Sum, Op: "==", Threshold: -1000}, "", "?"},
		{`count_over_time(cpu{host="a b#c"}[60s]) > 1`, Rule{Func: Count, Op: ">", Threshold: 1}, `{"host":"a b#c"}`, ""},
		{`stddev_over_time(cpu{host!='a',zone!~"e.|us",}[60s]) > 1`, Rule{Func: Stddev, Op: ">", Threshold: 1}, `{"host":"b","zone":"e"}`, `{"host":"b","zone":"eu"}`},
		{"rate(cpu{host=~`a.*`}[60s]) > 1", Rule{Func: Rate, Op: ">", Threshold: 1}, `{"host":"ab"}`, `{"host":"ba"}`},
		{`quantile_over_time(0.99, {__name__="cpu"}[60s]) > 1`, Rule{Func: Quantile, Quantile: 0.99, Op: ">", Threshold: 1}, "", "?"},
		{`absent_over_time(cpu{job="with x"}[60s])`, Rule{Func: Absent, absent: map[string]string{"job": "with x"}}, `{"job":"with x"}`, ""},
	} {
		var r Rule
		if err := r.parseExpr(tc.expr); err != nil {
			t.Errorf("%s: %v", tc.expr, err)
			continue
		}
		if !labels(&r, tc.yes) || tc.no != "?" && labels(&r, tc.no) {
			t.Errorf("%s: matchers are wrong", tc.expr)
		}
		tc.want.Expr, tc.want.Metric, tc.want.Window = tc.expr, "cpu", time.Minute
		if tc.want.absent == nil {
			r.absent = nil
		}
		if r.Matchers = nil; !reflect.DeepEqual(r, tc.want) {
			t.Errorf("%s: got %+v", tc.expr, r)
		}
	}
}

func TestParseExprRefuses(t *testing.T) {
	for _, tc := range []struct{ expr, want string }{
		{"1 < 2", "it compares nothing"},
		{"cpu", "it compares nothing"},
		{"avg_over_time(cpu[60s])", "it compares nothing"},
		{"cpu > 80", "what is compared is no function of a range, such as avg_over_time(NAME[60s])"},
		{"sum(avg_over_time(cpu[60s])) > 80", "what is compared is no function of a range, such as avg_over_time(NAME[60s])"},
		{"last_over_time(cpu[60s]) > 80", `function "last_over_time" is not known here`},
		{"avg_over_time(cpu[60s]) > 1 > 2", "what is compared is no function of a range, such as avg_over_time(NAME[60s])"},
		{"avg_over_time(cpu) > 80", "the range in brackets is missing"},
		{`avg_over_time("cpu"[60s]) > 80`, "the range is not one of a metric"},
		{`avg_over_time({host="a"}[60s]) > 80`, "the metric has no name, or several"},
		{`avg_over_time({host="a" or host="b"}[60s]) > 80`, "the range is not one of a metric"},
		{"avg_over_time({__name__=~'cpu'}[60s]) > 80", "the metric has no exact name"},
		{"avg_over_time(cpu[60s:10s]) > 80", "offset, @ and subqueries are not known here"},
		{"avg_over_time(cpu[60s] offset 1m) > 80", "offset, @ and subqueries are not known here"},
		{"avg_over_time(cpu[60s] @ 5) > 80", "offset, @ and subqueries are not known here"},
		{"avg_over_time(cpu[60s]) > bool 80", "modifiers of a comparison are not known here"},
		{"avg_over_time(cpu[60s]) keep_metric_names > 80", "keep_metric_names is not known here"},
		{"avg_over_time(cpu[60s]) + 80", "operator + is not one of > >= < <= == !="},
		{"avg_over_time(cpu[60s]) > avg_over_time(mem[60s])", "it is not compared with a number"},
		{"avg_over_time(cpu[60s]) > Inf", "it is not compared with a number"},
		{"avg_over_time(cpu[60s]) > 1h", "it is not compared with a number"},
		{"avg_over_time(cpu[60s]) > 80Ki", `number "80Ki" is not a plain decimal number; write 81920`},
		{"avg_over_time(cpu[60s]) > 1_000", `number "1_000" is not a plain decimal number; write 1000`},
		{"avg_over_time(cpu[60s]) > 0x10", `number "0x10" is not a plain decimal number; write 16`},
		{"avg_over_time(cpu[60s]) > -0x10", `number "-0x10" is not a plain decimal number; write -16`},
		{"-80Ki < avg_over_time(cpu[60s])", `number "-80Ki" is not a plain decimal number; write -81920`},
		{"avg_over_time(cpu[60s]) > 2*3", `number "2*3" is not a plain decimal number; write 6`},
		{"avg_over_time(cpu[60s]) > (1 > bool 2)", `number "1 > bool 2" is not a plain decimal number; write 0`},
		{"avg_over_time(cpu[60s]) > 010", `number "010" is not a plain decimal number; write 8`},
		{"avg_over_time(cpu[60s]) > 0b11", `number "0b11" is not a plain decimal number; write 3`},
		{"avg_over_time(cpu[60s]) > --5", `number "--5" is not a plain decimal number; write 5`},
		{"quantile_over_time(1/2, cpu[60s]) > 80", `number "1/2" is not a plain decimal number; write 0.5`},
		{"quantile_over_time(0x1, cpu[60s]) > 80", `number "0x1" is not a plain decimal number; write 1`},
		{"avg_over_time(cpu[0s]) > 80", "the range is empty"},
		{"avg_over_time(cpu[60]) > 80", `duration "60" is not of the form 60s, 5m or 1h30m`},
		{"avg_over_time(cpu[1.5m]) > 80", `duration "1.5m" is not of the form 60s, 5m or 1h30m`},
		{"avg_over_time(cpu[3i]) > 80", `duration "3i" is not of the form 60s, 5m or 1h30m`},
		{"avg_over_time(cpu[200y]) > 80", `duration "200y" is too long`},
		{"avg_over_time(cpu[60s], 1) > 80", "avg_over_time has another number of arguments"},
		{"quantile_over_time(cpu[60s]) > 80", "quantile_over_time has another number of arguments"},
		{"quantile_over_time(1.5, cpu[60s]) > 80", "the quantile is not a number from 0 to 1"},
		{"absent_over_time(cpu[60s]) == 1", "absent_over_time stands alone; it is true when there is no sample"},
		{"WITH (x = cpu) avg_over_time(x[60s]) > 80", "WITH templates are not known here"},
		{"(with\n(x = cpu) x) > 80", "WITH templates are not known here"},
		{"# it's\nWITH (x = cpu) x > 80", "comments are not known here; YAML has them"},
		{`job:request_latency_seconds:mean5m{job="myjob"} > 0.5`, "what is compared is no function of a range, such as avg_over_time(NAME[60s])"},
	} {
		var r Rule
		err := r.parseExpr(tc.expr)
		if want := fmt.Sprintf("expression %q is not supported: %s; %s", tc.expr, tc.want, supported); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// The rule file that Prometheus' documentation shows is read up to an expression that needs
// the newest sample of a series, and loads once that is a range.
func TestPrometheusExample(t *testing.T) {
	const text = `groups:
- name: example
  labels:
    team: myteam
  rules:
  - alert: HighRequestLatency
    expr: EXPR
    for: 10m
    keep_firing_for: 5m
    labels:
      severity: page
    annotations:
      summary: High request latency
`
	_, err := Parse("r", []byte(strings.Replace(text, "EXPR", `job:request_latency_seconds:mean5m{job="myjob"} > 0.5`, 1)))
	if err == nil || !strings.HasPrefix(err.Error(), `r:7:11: expression "job:request_latency_seconds:mean5m{job=\"myjob\"} > 0.5" is not supported: what is compared is no function of a range`) {
		t.Errorf("got %v", err)
	}
	rules, err := Parse("r", []byte(strings.Replace(text, "EXPR", `avg_over_time(job:request_latency_seconds:mean5m{job="myjob"}[5m]) > 0.5`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	r := rules[0]
	if r.Group != "example" || r.For != 10*time.Minute || r.KeepFiringFor != 5*time.Minute || !reflect.DeepEqual(r.Labels, map[string]string{"severity": "page", "team": "myteam"}) {
		t.Errorf("got %+v", r)
	}
}

func TestParseExprPosition(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"expr: avg_over_time(x[60s] >", "rules.yml:5:33: expression "},
		{"expr: ''", `rules.yml:5:12: expression "": `},
		{"expr: " + strings.Repeat("(", maxExprBytes+1), "rules.yml:5:11: expression has 4097 bytes; at most 4096 are allowed"},
		{"expr: " + strings.Repeat("-", maxExprBytes), "rules.yml:5:4107: expression "},
		{"expr: avg_over_time(größe[60s]) > 2 * 3", "rules.yml:5:39: expression "},
		{"expr: 'avg_over_time(x[60s]) ] 1'", "rules.yml:5:34: expression "},
		{`expr: "avg_over_time(x[60s]) > 0x10"`, "rules.yml:5:36: expression "},
		{`expr: "avg_over_time(x{a=\"b\"}[60s]) > 0x10"`, "rules.yml:5:11: expression "}, // not there as it is
		{"expr: |\n        avg_over_time(\n          x[60s]\n        ) > 2*3", "rules.yml:8:13: expression "},
		{"expr: |\n\n        avg_over_time(x[60s]) > # one\n          1", "rules.yml:7:33: expression "},
		{"expr: >\n        avg_over_time(x[60s]) > 2*3", "rules.yml:6:33: expression "},
		{"expr: >\n        avg_over_time(x[60s])\n        > 2*3", "rules.yml:5:11: expression "},
		{"expr: avg_over_time(x[60s])\n      > 2*3", "rules.yml:5:11: expression "},
		{"expr: {a: b}", "rules.yml:5:11: expr must be a text"},
	} {
		_, err := Parse("rules.yml", []byte(ruleWith(tc.line)))
		wantPosition(t, err)
		if err != nil && !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("got %v\nwant %s…", err, tc.want)
		}
	}
}

// A template that doubles forty times would never be read to its end.
func TestTemplatesAreNotExpanded(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("WITH (a0=x")
	for i := range 40 {
		fmt.Fprintf(&bomb, ",a%d=a%d+a%d", i+1, i, i)
	}
	bomb.WriteString(") a40")
	var r Rule
	if err := r.parseExpr(bomb.String()); err == nil {
		t.Error("template was accepted")
	}
	if err := r.parseExpr(`avg_over_time(with{a="with (b)"}[60s]) > 1`); err != nil || r.Metric != "with" {
		t.Errorf("a metric may be named with: %v", err)
	}
}

func TestParseBoundsRules(t *testing.T) {
	var file strings.Builder
	file.WriteString("groups:\n- name: g\n  rules:\n")
	for i := range MaxRules + 1 {
		fmt.Fprintf(&file, "  - {alert: A%d, expr: 'avg_over_time(m%d[9s])>1'}\n", i, i)
	}
	// Line 4 holds the first rule, so all but the last were read.
	if _, err := Parse("r", []byte(file.String())); err == nil || err.Error() != "r:10004:5: more than 10000 rules" {
		t.Errorf("got %v", err)
	}
}

// wantPosition checks what every error of Parse has: a place in the file and one line.
func wantPosition(t *testing.T, err error) {
	t.Helper()
	var at *PositionError
	if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 {
		t.Errorf("%v has no position", err)
	} else if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("error has several lines: %q", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(ruleWith(plain, "for: 1m", "labels: &l {a: b}", "annotations: *l")))
	f.Add([]byte(ruleWith("expr: WITH (a = b) avg_over_time(a[5m] offset 1m) > 80Ki")))
	f.Add([]byte("groups: [{name: g, rules: [{alert: \"\\e\\n\", expr: 'avg_over_time({__name__=\"a b\"}[1h]) < -1e-9'}]}]"))
	f.Add([]byte(ruleWith("expr: quantile_over_time(0.99, x{a=\"b\",c!~'d.*'}[5m]) != 1", "keep_firing_for: 1m")))
	f.Add([]byte(ruleWith("expr: absent_over_time(x{a='b#c'}[5m])")))
	f.Add([]byte("&a [*a, ? *a : *a]\n---\n%TAG ! x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := Parse("rules.yml", text)
		if err != nil {
			wantPosition(t, err)
			return
		}
		for _, r := range rules {
			var again Rule
			if err := again.parseExpr(r.Expr); err != nil {
				t.Fatalf("%+v does not parse again: %v", r, err)
			}
			if again.Metric != r.Metric || again.Window != r.Window || again.Op != r.Op || again.Threshold != r.Threshold || again.Func != r.Func || len(again.Matchers) != len(r.Matchers) {
				t.Fatalf("%+v came back as %+v", r, again)
			}
			series := map[string]string{"host": r.Alert}
			if r.Window <= 0 || r.For < 0 || r.KeepFiringFor < 0 || strings.ContainsAny(Summary(&r, series, 1)+Describe(&r), "\n\r\x1b") {
				t.Fatalf("rule is not sound: %+v", r)
			}
		}
	})
}

// Whatever a series or a rule says, what is inserted is not read as a template again, and
// the text around it stays.
func FuzzExpand(f *testing.F) {
	f.Add("on {{ $labels.host }}: {{ $value }}", "a\n{{ $value }}", 85.5)
	f.Add("{{ $labels.host }}{{$labels.host}}", "$1${host}\x00", -1e300)
	f.Fuzz(func(t *testing.T, text, host string, value float64) {
		if checkTemplates(text) != nil {
			return
		}
		got := expand(text, value, map[string]string{"host": host}, roomy)
		literal := templates.Split(text, -1)
		if !strings.HasPrefix(got, literal[0]) || !strings.HasSuffix(got, literal[len(literal)-1]) {
			t.Fatalf("%q with %q: %q", text, host, got)
		}
		if !strings.Contains(text, "$labels.host") && got != expand(text, value, nil, roomy) {
			t.Fatalf("%q changes with a label that it does not name: %q", text, got)
		}
	})
}
