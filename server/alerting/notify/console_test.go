package notify

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
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
	c := NewConsole(&out, false)
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
	c := NewConsole(&writes{err: errors.New("broken pipe")}, false)
	c.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring)})
	c.Close()
	if s := c.Stats(); s != (alerting.Deliveries{Failed: 1}) {
		t.Errorf("stats %+v", s)
	}
}

func TestMultiTellsAllAndAddsUp(t *testing.T) {
	var a, b writes
	m := Multi{NewConsole(&a, false), NewConsole(&b, false), NewConsole(&writes{err: errors.New("full")}, false)}
	m.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring)})
	m.Close()
	if len(a.lines) != 1 || len(b.lines) != 1 {
		t.Errorf("got %q and %q", a.lines, b.lines)
	}
	if s := m.Stats(); s != (alerting.Deliveries{Sent: 2, Failed: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// The end of an alert is one line, if it is asked for, without the value that it had.
func TestConsolePrintsEnds(t *testing.T) {
	var out writes
	c := NewConsole(&out, true)
	hostile := notification("C", "m", alerting.StatusResolved)
	hostile.Alert.Summary = `m{host=" (current: 1)"} absent(60s)`
	c.Notify([]alerting.Notification{notification("A", "cpu_usage", alerting.StatusFiring), notification("A", "cpu_usage", alerting.StatusResolved), hostile})
	c.Close()
	want := "🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)\n" +
		"✅ [RESOLVED] cpu_usage avg(60s) > 80.0 (after 1m0s)\n" +
		"✅ [RESOLVED] m{host=\" (current: 1)\"} absent(60s) (after 1m0s)\n"
	if got := strings.Join(out.lines, ""); got != want {
		t.Errorf("got %s", got)
	}
}

// stuck is an output that takes nothing until it is read.
type stuck struct {
	read chan struct{}
	writes
}

func (s *stuck) Write(b []byte) (int, error) { <-s.read; return s.writes.Write(b) }

// An output that nobody reads holds nobody up. When it is read again there are the lines
// that there was room for, in order, and how many are missing where they are missing.
func TestConsoleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{read: make(chan struct{})}
		c := NewConsole(out, false)
		tell := func(i int) {
			n := notification("A", "m", alerting.StatusFiring)
			n.Alert.Summary = fmt.Sprintf("%01000d", i)
			c.Notify([]alerting.Notification{n})
			synctest.Wait()
		}
		const n = 10_000 // of 1,016 bytes each
		for i := range n {
			tell(i)
		}
		left := c.Stats().Dropped
		if left < 1000 || left > 3000 || left != c.LeftOut() {
			t.Errorf("%d lines left out", left)
		}
		close(out.read)
		synctest.Wait()
		tell(n)
		c.Close()
		if got := uint64(len(out.lines)); got != n+2-left || c.Stats() != (alerting.Deliveries{Sent: n + 1 - left, Dropped: left}) {
			t.Errorf("%d lines, %+v", got, c.Stats())
		}
		for i, line := range out.lines {
			want := fmt.Sprintf("🚨 [ALERT] %01000d\n", i)
			switch i {
			case int(n - left):
				want = fmt.Sprintf("… %d lines left out\n", left)
			case int(n - left + 1):
				want = fmt.Sprintf("🚨 [ALERT] %01000d\n", n)
			}
			if line != want {
				t.Fatalf("line %d is %q, want %q", i, line, want)
			}
		}
	})
}

// Close does not wait for ever for somebody to read, and counts what he will not see.
func TestConsoleCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{read: make(chan struct{})}
		c := NewConsole(out, false)
		for range 3 {
			c.Notify([]alerting.Notification{notification("A", "m", alerting.StatusFiring)})
		}
		synctest.Wait()
		begin := time.Now()
		c.Close()
		c.Close()
		c.Notify([]alerting.Notification{notification("A", "m", alerting.StatusFiring)})
		if took := time.Since(begin); took != consoleFlush || c.LeftOut() != 3 {
			t.Errorf("took %v, %d left out", took, c.LeftOut())
		}
		close(out.read) // the line under way is written after all, and the goroutine ends
		synctest.Wait()
		if len(out.lines) != 1 {
			t.Errorf("written: %q", out.lines)
		}
	})
}

// FuzzConsole: whatever a summary holds, it is one line, and a terminal only shows it.
func FuzzConsole(f *testing.F) {
	f.Add("cpu_usage avg(60s) > 80.0 (current: 85.0)")
	f.Add("a\nb\r\x1b[2J\u0085\u2028\u202e\xff\x00é🚨")
	f.Fuzz(func(t *testing.T, summary string) {
		n := notification("A", "m", alerting.StatusFiring)
		n.Alert.Summary = summary
		out := &writes{}
		c := NewConsole(out, true)
		c.Notify([]alerting.Notification{n})
		c.Close()
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
