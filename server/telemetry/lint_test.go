package telemetry_test

import (
	"bytes"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/queue"
	"phase0/server/telemetry"
	"phase0/server/telemetry/timing"
)

// What `promtool check metrics` would say of all that there is: nothing.
func TestMetricsAreLinted(t *testing.T) {
	m := telemetry.New()
	zero := func() uint64 { return 0 }
	m.Register(telemetry.Sources{
		Received: zero, Accepted: zero, Stored: zero, BodyBytes: zero, AppendErrors: zero, ConnsRefused: zero, LinesLeftOut: zero,
		Series: func() int { return 0 }, Conns: func() int { return 0 }, Queue: func() queue.Stats { return queue.Stats{} },
		Stages:   map[string]*timing.Histogram{"stored": new(timing.Histogram)},
		Alerting: func() alerting.Stats { return alerting.Stats{} },
		Outbox:   func() notify.Usage { return notify.Usage{Lost: map[string]uint64{"disk_fails": 1}} }, Deliveries: func() []notify.Delivery { return []notify.Delivery{{Receiver: "webhook"}} },
	})
	m.Reject("queue_full")
	var text bytes.Buffer
	if err := m.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(&text).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
