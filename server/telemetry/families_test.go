package telemetry_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"phase0/server/alerting"
	"phase0/server/queue"
	"phase0/server/telemetry"
	"phase0/server/telemetry/timing"
)

func counting() *telemetry.Metrics {
	m := telemetry.New()
	zero := func() uint64 { return 0 }
	m.Register(telemetry.Sources{
		Received: zero, Accepted: zero, Stored: zero, BodyBytes: zero, AppendErrors: zero, ConnsRefused: zero, LinesLeftOut: func() uint64 { return 23 },
		Series: func() int { return 0 },
		Conns:  func() int { return 0 },
		Queue:  func() queue.Stats { return queue.Stats{} },
		Stages: map[string]*timing.Histogram{"stored": new(timing.Histogram)},
		Alerting: func() alerting.Stats {
			return alerting.Stats{EvaluationErrors: 19, Series: 3, Samples: 4, Instances: 5, Active: 6, AlertsRefused: 16, SamplesRefused: 17, SamplesDropped: 18, Deliveries: alerting.Deliveries{Sent: 20, Failed: 21, Dropped: 22}}
		},
	})
	return m
}

func parse(t *testing.T, m *telemetry.Metrics) (families map[string]*dto.MetricFamily, text string) {
	t.Helper()
	var b bytes.Buffer
	if err := m.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	text = b.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families, text
}

func TestEveryFamilyHasHelpAndTypeOnce(t *testing.T) {
	m := counting()
	m.Reject("queue_full")
	families, text := parse(t, m)
	for name, f := range families {
		for _, line := range []string{"\n# HELP " + name + " ", "\n# TYPE " + name + " "} {
			if n := strings.Count("\n"+text, line); n != 1 {
				t.Errorf("%q stands %d times", line, n)
			}
		}
		if counter := f.GetType() == dto.MetricType_COUNTER; strings.HasPrefix(name, "phase0_") && counter != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %v", name, f.GetType())
		}
	}
	for name, want := range map[string]float64{
		"phase0_alert_active_refused_total": 16, "phase0_alert_samples_refused_total": 17, "phase0_alert_samples_dropped_total": 18,
		"phase0_alert_evaluation_errors_total": 19, "phase0_notifications_sent_total": 20,
		"phase0_notifications_failed_total": 21, "phase0_notifications_dropped_total": 22, "phase0_console_lines_left_out_total": 23,
	} {
		if got := families[name].GetMetric(); len(got) != 1 || got[0].GetCounter().GetValue() != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func TestWindowsOfAlertingAreShown(t *testing.T) {
	families, _ := parse(t, counting())
	for name, want := range map[string]float64{"phase0_alert_series": 3, "phase0_alert_window_samples": 4, "phase0_alert_instances": 5, "phase0_alert_active": 6} {
		if got := families[name].GetMetric(); len(got) != 1 || got[0].GetGauge().GetValue() != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func TestRejectionsAreCountedByCode(t *testing.T) {
	m, other := counting(), counting()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				m.Reject("queue_full")
				m.Reject("draining")
			}
			if err := m.WriteText(io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	families, _ := parse(t, m)
	got := map[string]float64{}
	for _, one := range families["phase0_requests_rejected_total"].GetMetric() {
		got[one.GetLabel()[0].GetValue()] = one.GetCounter().GetValue()
	}
	if len(got) != 2 || got["draining"] != 400 || got["queue_full"] != 400 {
		t.Errorf("rejected %v", got)
	}
	// Two platforms in one process do not meet.
	if families, _ := parse(t, other); families["phase0_requests_rejected_total"] != nil {
		t.Error("a rejection of one is counted by the other")
	}
}
