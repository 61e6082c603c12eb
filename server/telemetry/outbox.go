package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"phase0/server/alerting/notify"
)

// outbox adds what is known of an outbox and its receivers.
func (m *Metrics) outbox(s Sources) {
	m.counter("phase0_outbox_recorded_total", "Notifications written to the outbox, by this process and those before it.", func() uint64 { return s.Outbox().Recorded })
	m.gauge("phase0_outbox_queued", "Notifications that are not on disk yet.", func() float64 { return float64(s.Outbox().Queued) })
	m.counter("phase0_outbox_write_errors_total", "Writes to the outbox that failed and were tried again.", func() uint64 { return s.Outbox().WriteErrors })
	m.gauge("phase0_outbox_bytes", "Size of the outbox on disk, with what it remembers as told.", func() float64 { return float64(s.Outbox().Bytes) })
	m.gauge("phase0_outbox_damaged_bytes", "Bytes of the outbox that could not be read at the start.", func() float64 { return float64(s.Outbox().Damaged) })
	m.gauge("phase0_alerts_told", "Alerts remembered as told to be firing.", func() float64 { return float64(s.Outbox().Told) })
	m.registry.MustRegister(deliveries(s.Deliveries), lost(s.Outbox))
}

var (
	pendingDesc = prometheus.NewDesc("phase0_outbox_pending", "Notifications that a receiver does not have yet.", []string{"receiver"}, nil)
	retriesDesc = prometheus.NewDesc("phase0_delivery_retries_total", "Deliveries that failed and were tried again.", []string{"receiver"}, nil)
	lostDesc    = prometheus.NewDesc("phase0_outbox_lost_total", "Notifications that never reached the outbox's disk, by reason: disk_fails, disk_hangs, unfit (larger than a record may be), ended (came after the end).", []string{"reason"}, nil)
	resultDesc  = prometheus.NewDesc("phase0_deliveries_total",
		"Notifications by what became of them: sent, refused for good by the receiver, missed because the outbox was full or damaged.",
		[]string{"receiver", "result"}, nil)
)

// deliveries shows each receiver's counters.
type deliveries func() []notify.Delivery

// Describe implements prometheus.Collector.
func (deliveries) Describe(to chan<- *prometheus.Desc) {
	to <- pendingDesc
	to <- retriesDesc
	to <- resultDesc
}

// Collect implements prometheus.Collector.
func (d deliveries) Collect(to chan<- prometheus.Metric) {
	for _, one := range d() {
		count := func(desc *prometheus.Desc, n uint64, labels ...string) {
			to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), append([]string{one.Receiver}, labels...)...)
		}
		to <- prometheus.MustNewConstMetric(pendingDesc, prometheus.GaugeValue, float64(one.Pending), one.Receiver)
		count(retriesDesc, one.Retries)
		count(resultDesc, one.Sent, "sent")
		count(resultDesc, one.Refused, "refused")
		count(resultDesc, one.Missed, "missed")
	}
}

// lost shows what an outbox could not take.
type lost func() notify.Usage

// Describe implements prometheus.Collector.
func (lost) Describe(to chan<- *prometheus.Desc) { to <- lostDesc }

// Collect implements prometheus.Collector.
func (l lost) Collect(to chan<- prometheus.Metric) {
	for reason, n := range l().Lost {
		to <- prometheus.MustNewConstMetric(lostDesc, prometheus.CounterValue, float64(n), reason)
	}
}
