package telemetry

import (
	"bytes"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"phase0/server/alerting"
	"phase0/server/queue"
)

func TestText(t *testing.T) {
	m := New()
	m.Register(Sources{
		Accepted:     func() uint64 { return 7 },
		Stored:       func() uint64 { return 5 },
		AppendErrors: func() uint64 { return 0 },
		Queue:        func() queue.Stats { return queue.Stats{Depth: 2, Peak: 3} },
		Conns:        func() int { return 1 },
		ConnsRefused: func() uint64 { return 0 },
		Alerting:     func() alerting.Stats { return alerting.Stats{Evaluations: 9} },
	})
	m.Reject("bad_json")
	m.Reject("bad_json")
	var text bytes.Buffer
	if err := m.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&text)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"phase0_samples_accepted_total":  7,
		"phase0_samples_stored_total":    5,
		"phase0_queue_depth":             2,
		"phase0_queue_peak":              3,
		"phase0_connections":             1,
		"phase0_alert_evaluations_total": 9,
		"phase0_requests_rejected_total": 2,
	} {
		f := families[name]
		if f == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		metric := f.GetMetric()[0]
		if got := metric.GetCounter().GetValue() + metric.GetGauge().GetValue(); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	for name, f := range families {
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
	}
}
