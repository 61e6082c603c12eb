package notify

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
)

var (
	_ alerting.Notifier = (*Console)(nil)
	_ alerting.Notifier = Multi(nil)
	_ Receiver          = (*Webhook)(nil)
	_ Refresher         = (*Alertmanager)(nil)
)

// notification is what poll tells about a rule of the seed's form.
func notification(name, metric string, status alerting.Status) alerting.Notification {
	r := rule.Rule{Alert: name, Metric: metric, Window: time.Minute, Op: ">", Threshold: 80, Labels: map[string]string{"severity": "page"}}
	a := alerting.Alert{
		State: alerting.Firing, Labels: r.LabelsOf(nil, 85), Annotations: r.AnnotationsOf(nil, 85), Value: 85,
		Since: time.UnixMilli(1_700_000_000_000).UTC(), Summary: rule.Summary(&r, nil, 85),
	}
	a.Fingerprint = alerting.Fingerprint(a.Labels)
	return alerting.NewNotification(status, a, a.Since.Add(time.Minute))
}

// writes keeps every Write apart.
type writes struct {
	lines []string
	err   error
}

func (w *writes) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.lines = append(w.lines, string(b))
	return len(b), nil
}

func TestConsolePrintsTheLinesOfTheSeed(t *testing.T) {
	var out writes
	c := NewConsole(&out)
	c.Notify([]alerting.Notification{
		notification("A", "cpu_usage", alerting.StatusFiring),
		notification("B", "gone", alerting.StatusResolved),
		notification("C", "a\n\x1b[2Jb", alerting.StatusFiring),
	})
	c.Close()
	want := []string{
		"🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)\n",
		"🚨 [ALERT] a\\n\\x1b[2Jb avg(60s) > 80.0 (current: 85.0)\n",
	}
	if strings.Join(out.lines, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", out.lines, want)
	}
	if s := c.Stats(); s != (alerting.Deliveries{Sent: 2}) {
		t.Errorf("stats %+v", s)
	}
}

func TestConsoleCountsWhatItCannotWrite(t *testing.T) {
	c := NewConsole(&writes{err: errors.New("broken pipe")})
	c.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring)})
	if s := c.Stats(); s != (alerting.Deliveries{Failed: 1}) {
		t.Errorf("stats %+v", s)
	}
}

func TestMultiTellsAllAndAddsUp(t *testing.T) {
	var a, b writes
	m := Multi{NewConsole(&a), NewConsole(&b), NewConsole(&writes{err: errors.New("full")})}
	m.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring)})
	m.Close()
	if len(a.lines) != 1 || len(b.lines) != 1 {
		t.Errorf("got %q and %q", a.lines, b.lines)
	}
	if s := m.Stats(); s != (alerting.Deliveries{Sent: 2, Failed: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// FuzzConsole: whatever a summary holds, it is one line, and a terminal only shows it.
func FuzzConsole(f *testing.F) {
	f.Add("cpu_usage avg(60s) > 80.0 (current: 85.0)")
	f.Add("a\nb\r\x1b[2J\u0085\u2028\u202e\xff\x00é🚨")
	f.Fuzz(func(t *testing.T, summary string) {
		n := notification("A", "m", alerting.StatusFiring)
		n.Alert.Summary = summary
		out := &writes{}
		NewConsole(out).Notify([]alerting.Notification{n})
		line := out.lines[0]
		text, ended := strings.CutSuffix(line, "\n")
		for _, r := range text {
			if !unicode.IsPrint(r) || !utf8.ValidString(text) {
				t.Fatalf("%q is printed as %q", summary, line)
			}
		}
		if !ended || len(out.lines) != 1 {
			t.Fatalf("%q is printed as %q", summary, out.lines)
		}
		if !strings.ContainsFunc(summary, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) && !strings.HasSuffix(text, summary) {
			t.Fatalf("%q is printed as %q", summary, line)
		}
	})
}
