package telemetry

import (
	"bytes"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"phase0/server/alerting"
	"phase0/server/queue"
	"phase0/server/telemetry/timing"
)

func TestText(t *testing.T) {
	m := New()
	stored := new(timing.Histogram)
	for _, d := range []time.Duration{time.Millisecond, 3 * time.Microsecond, time.Hour} {
		stored.Observe(d)
	}
	m.Register(Sources{
		Received:     func() uint64 { return 8 },
		BodyBytes:    func() uint64 { return 1234 },
		Stages:       map[string]*timing.Histogram{"stored": stored, "visible": new(timing.Histogram)},
		Accepted:     func() uint64 { return 7 },
		Stored:       func() uint64 { return 5 },
		AppendErrors: func() uint64 { return 0 },
		Queue: func() queue.Stats {
			return queue.Stats{Depth: 2, Peak: 3, Acked: 4, Bytes: 99, Age: 1500 * time.Millisecond}
		},
		Series:       func() int { return 6 },
		Conns:        func() int { return 1 },
		ConnsRefused: func() uint64 { return 0 },
		LinesLeftOut: func() uint64 { return 0 },
		Alerting:     func() alerting.Stats { return alerting.Stats{Evaluations: 9, Waiting: 10, Refills: 12} },
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
		"phase0_samples_accepted_total":   7,
		"phase0_samples_stored_total":     5,
		"phase0_samples_received_total":   8,
		"phase0_samples_visible_total":    4,
		"phase0_received_bytes_total":     1234,
		"phase0_queue_bytes":              99,
		"phase0_queue_oldest_age_seconds": 1.5,
		"phase0_queue_depth":              2,
		"phase0_queue_peak":               3,
		"phase0_connections":              1,
		"phase0_alert_evaluations_total":  9,
		"phase0_alert_samples_waiting":    10,
		"phase0_alert_refills_total":      12,
		"phase0_requests_rejected_total":  2,
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
	stages := families["phase0_stage_duration_seconds"].GetMetric()
	if len(stages) != 2 || stages[0].GetLabel()[0].GetValue() != "stored" {
		t.Fatalf("stages %v", stages)
	}
	h := stages[0].GetHistogram()
	if h.GetSampleCount() != 3 || h.GetSampleSum() != 3600.001003 || len(h.GetBucket()) != 27 || h.GetBucket()[2].GetCumulativeCount() != 1 || h.GetBucket()[25].GetCumulativeCount() != 2 {
		t.Errorf("stored: %v", h)
	}
	for name, f := range families {
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
	}
}
