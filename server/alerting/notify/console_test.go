package notify

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/output"
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

// printed returns what a console writes to out of these notifications, and what it counts.
func printed(out io.Writer, ends bool, notifications ...alerting.Notification) alerting.Deliveries {
	w := output.New(out)
	c := NewConsole(w.Source(), ends)
	c.Notify(notifications)
	c.Close()
	w.Close()
	return c.Stats()
}

func TestConsolePrintsTheLinesOfTheSeed(t *testing.T) {
	var out writes
	stats := printed(&out, false,
		notification("A", "cpu_usage", alerting.StatusFiring),
		notification("B", "gone", alerting.StatusResolved),
		notification("C", "a\n\x1b[2Jb", alerting.StatusFiring),
	)
	want := []string{
		"🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)\n",
		"🚨 [ALERT] a\\n\\x1b[2Jb avg(60s) > 80.0 (current: 85.0)\n",
	}
	if strings.Join(out.lines, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", out.lines, want)
	}
	if stats != (alerting.Deliveries{Sent: 2}) {
		t.Errorf("stats %+v", stats)
	}
}

func TestConsoleCountsWhatIsNotWritten(t *testing.T) {
	if s := printed(&writes{err: errors.New("broken pipe")}, false, notification("A", "cpu_usage", alerting.StatusFiring)); s != (alerting.Deliveries{Failed: 1}) {
		t.Errorf("refused: stats %+v", s)
	}
	var out writes
	w := output.New(&out)
	c := NewConsole(w.Source(), true)
	w.Close()
	c.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring), notification("A", "cpu_usage", alerting.StatusResolved)})
	if s := c.Stats(); s != (alerting.Deliveries{Dropped: 2}) || len(out.lines) != 0 {
		t.Errorf("left out: stats %+v, written %q", s, out.lines)
	}
}

func TestMultiTellsAllAndAddsUp(t *testing.T) {
	var m Multi
	var ends []*output.Writer
	outs := []*writes{{}, {}, {err: errors.New("full")}}
	for _, out := range outs {
		w := output.New(out)
		m, ends = append(m, NewConsole(w.Source(), false)), append(ends, w)
	}
	m.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring)})
	m.Close()
	for _, w := range ends {
		w.Close()
	}
	if len(outs[0].lines) != 1 || len(outs[1].lines) != 1 {
		t.Errorf("got %q and %q", outs[0].lines, outs[1].lines)
	}
	if s := m.Stats(); s != (alerting.Deliveries{Sent: 2, Failed: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// The end of an alert is one line, if it is asked for, without the value that it had.
func TestConsolePrintsEnds(t *testing.T) {
	var out writes
	hostile := notification("C", "m", alerting.StatusResolved)
	hostile.Alert.Summary = `m{host=" (current: 1)"} absent(60s)`
	printed(&out, true, notification("A", "cpu_usage", alerting.StatusFiring), notification("A", "cpu_usage", alerting.StatusResolved), hostile)
	want := "🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)\n" +
		"✅ [RESOLVED] cpu_usage avg(60s) > 80.0 (after 1m0s)\n" +
		"✅ [RESOLVED] m{host=\" (current: 1)\"} absent(60s) (after 1m0s)\n"
	if got := strings.Join(out.lines, ""); got != want {
		t.Errorf("got %s", got)
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
		printed(out, true, n)
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
