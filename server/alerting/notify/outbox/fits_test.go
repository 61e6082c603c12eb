package outbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/sample"
)

// Whatever a series and a rule say, what is told of them fits into a record.
func TestAnyAlertFitsIntoARecord(t *testing.T) {
	for _, hostile := range []string{"\x01", "<", "\u2028", `"`, "ä"} {
		fill := func(bytes int) string { return strings.Repeat(hostile, bytes/len(hostile)) }
		series, labels, annotations := map[string]string{}, map[string]string{}, map[string]string{}
		var bomb strings.Builder
		for i := range sample.MaxLabels {
			name := fmt.Sprintf("a%0*d", sample.MaxLabelNameBytes-1, i)
			series[name] = fill(sample.MaxLabelValueBytes)
			bomb.WriteString("{{ $labels." + name + " }}")
		}
		for i := range 64 {
			labels[fmt.Sprintf("l%0100d", i)] = bomb.String()
			annotations[fmt.Sprintf("n%0100d", i)] = strings.Repeat(bomb.String(), 4)
		}
		r := rule.Rule{
			Alert: fill(sample.MaxLabelValueBytes), Metric: fill(sample.MaxNameBytes), Func: rule.Quantile, Quantile: 0.123456789, Op: ">=", Window: time.Nanosecond,
			Threshold: 0.123456789, Expr: fill(4096), Labels: labels, Annotations: annotations,
		}
		const value = -1.2345678901234567e-300
		a := alerting.Alert{
			State: alerting.Firing, Labels: r.LabelsOf(series, value), Annotations: r.AnnotationsOf(series, value), Value: value,
			Since: time.Unix(1e9, 1), Fingerprint: "0123456789abcdef", Rule: r.Expr, Summary: rule.Summary(&r, series, value),
		}
		n := alerting.NewNotification(alerting.StatusResolved, a, time.Unix(2e9, 1)).Again(a, time.Unix(2e9, 1))
		if payload, err := encode([]alerting.Notification{n}); err != nil {
			t.Errorf("%q: %v of %d bytes", hostile, err, len(payload))
		}
	}
}
