package stream

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"phase0/server/alerting/notify"
	"phase0/server/output"
	"phase0/server/sample"
)

// FuzzLabelValue: whatever a label of a sample holds, its alert has it as it is, in the
// labels and annotations that the rule copies it to as well, and is one line on the console.
func FuzzLabelValue(f *testing.F) {
	f.Add("a", 85.5)
	f.Add("\x00\n\r\u2028\x1b[2J</script>\"\\{{ $value }}", 1e308)
	f.Add("\xff\xfe", -1e-300)
	rules := parse(f, `  - alert: A
    expr: max_over_time(cpu{host!="quiet"}[60s]) > -1e300
    labels: {copy: "{{ $labels.host }}"}
    annotations: {text: "<{{ $labels.host }}>"}
`)
	f.Fuzz(func(t *testing.T, value string, number float64) {
		labels, err := sample.NewLabels(map[string]string{"host": value})
		if err != nil || value == "quiet" || math.IsNaN(number) || math.IsInf(number, 0) || number <= -1e300 {
			return
		}
		now := int64(1e18)
		c := newCore(rules, limits, 0)
		c.add(&sample.Sample{Name: "cpu", Labels: labels, Value: number, Timestamp: milliseconds(now)}, now)
		c.step(now)
		if len(c.out) != 1 {
			t.Fatalf("%d notifications", len(c.out))
		}
		want := strings.ToValidUTF8(value, "�")
		a := c.out[0].Alert
		if a.Labels["host"] != want || a.Labels["copy"] != want || a.Annotations["text"] != "<"+want+">" {
			t.Fatalf("%q came back as %+v", value, a)
		}
		var console bytes.Buffer
		out := output.New(&console)
		notify.NewConsole(out.Source(), true).Notify(c.out)
		out.Close()
		if text := console.String(); strings.Count(text, "\n") != 1 || strings.ContainsAny(strings.TrimSuffix(text, "\n"), "\r\x1b\u2028\x00") {
			t.Fatalf("%q is printed as %q", value, text)
		}
		// It is over when the window is empty, by the same name.
		c.step(now + time.Minute.Nanoseconds())
		if last := c.out[len(c.out)-1]; len(c.out) != 2 || last.Alert.Fingerprint != a.Fingerprint || last.Status != "resolved" {
			t.Fatalf("at the end: %+v", c.out)
		}
	})
}
