// Package telemetry is what the server tells about itself on GET /metrics, in
// Prometheus' text format. The components keep their own counters; Sources says
// where they are read when somebody asks.
package telemetry

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/queue"
	"phase0/server/telemetry/timing"
)

// Sources are the counters that the components keep. Each function is safe for
// concurrent use.
type Sources struct {
	Received     func() uint64
	Accepted     func() uint64
	Stored       func() uint64
	BodyBytes    func() uint64
	AppendErrors func() uint64
	Queue        func() queue.Stats
	Series       func() int
	Conns        func() int
	ConnsRefused func() uint64
	Alerting     func() alerting.Stats
	LinesLeftOut func() uint64 // on the console
	// Outbox and Deliveries may be nil: there is no outbox.
	Outbox     func() notify.Usage
	Deliveries func() []notify.Delivery
	// Stages are durations by the stage of a sample's life that they belong to.
	Stages map[string]*timing.Histogram
}

// Metrics is a registry of its own: two platforms in one process do not meet. It is
// safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	rejected *prometheus.CounterVec
}

// New returns metrics without sources.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phase0_requests_rejected_total", Help: "Requests refused, by error code.",
		}, []string{"code"}),
	}
	m.registry.MustRegister(m.rejected, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Reject counts a refused request.
func (m *Metrics) Reject(code string) { m.rejected.WithLabelValues(code).Inc() }

// Register adds the components' counters. It is called once.
func (m *Metrics) Register(s Sources) {
	m.counter("phase0_received_bytes_total", "Bytes of bodies of POST /metrics, as they were sent.", s.BodyBytes)
	m.counter("phase0_samples_received_total", "Samples of valid requests, before the queue took or refused them.", s.Received)
	m.counter("phase0_samples_accepted_total", "Samples answered with 202.", s.Accepted)
	m.counter("phase0_samples_stored_total", "Samples appended to the storage file.", s.Stored)
	m.counter("phase0_samples_visible_total", "Samples that every query finds from now on.", func() uint64 { return s.Queue().Acked })
	m.counter("phase0_storage_errors_total", "Appends that failed and were tried again.", s.AppendErrors)
	m.gauge("phase0_queue_depth", "Samples accepted and not yet stored.", func() float64 { return float64(s.Queue().Depth) })
	m.gauge("phase0_queue_peak", "Largest queue depth since the start.", func() float64 { return float64(s.Queue().Peak) })
	m.gauge("phase0_queue_bytes", "Memory of the queue's depth at most; 0 for a queue without a limit.", func() float64 { return float64(s.Queue().Bytes) })
	m.gauge("phase0_queue_oldest_age_seconds", "Time since the oldest sample of the queue's depth was accepted.", func() float64 { return s.Queue().Age.Seconds() })
	m.gauge("phase0_series", "Distinct series since the start; 0 without a limit to them.", func() float64 { return float64(s.Series()) })
	m.gauge("phase0_connections", "Open client connections.", func() float64 { return float64(s.Conns()) })
	m.counter("phase0_connections_refused_total", "Connections above the limit.", s.ConnsRefused)
	m.counter("phase0_alert_evaluations_total", "Rule evaluations.", func() uint64 { return s.Alerting().Evaluations })
	m.counter("phase0_alert_evaluation_errors_total", "Rule evaluations that failed; of stream, attempts to read what is stored.", func() uint64 { return s.Alerting().EvaluationErrors })
	m.gauge("phase0_alert_series", "Series that alerting keeps a window of; 0 without windows.", func() float64 { return float64(s.Alerting().Series) })
	m.gauge("phase0_alert_instances", "Rules about series that alerting keeps; 0 without windows.", func() float64 { return float64(s.Alerting().Instances) })
	m.gauge("phase0_alert_active", "Alerts that are pending or firing.", func() float64 { return float64(s.Alerting().Active) })
	m.gauge("phase0_alert_window_samples", "Samples in the windows of alerting.", func() float64 { return float64(s.Alerting().Samples) })
	m.counter("phase0_alert_samples_refused_total", "Samples that no rule has seen, of series above -alert-max-series or -alert-max-instances.", func() uint64 { return s.Alerting().SamplesRefused })
	m.counter("phase0_alert_samples_dropped_total", "Samples that left their window before their time, above -alert-max-samples.", func() uint64 { return s.Alerting().SamplesDropped })
	m.counter("phase0_alert_active_refused_total", "Times that a rule was true and raised no alert, above -alert-max-active.", func() uint64 { return s.Alerting().AlertsRefused })
	m.gauge("phase0_alert_samples_waiting", "Samples that are not evaluated yet.", func() float64 { return float64(s.Alerting().Waiting) })
	m.counter("phase0_alert_refills_total", "Times that windows were filled from storage: at the start, for other rules, when evaluation was behind.", func() uint64 { return s.Alerting().Refills })
	m.counter("phase0_notifications_sent_total", "Notifications delivered.", func() uint64 { return s.Alerting().Sent })
	m.counter("phase0_notifications_failed_total", "Notifications that a receiver refused for good.", func() uint64 { return s.Alerting().Failed })
	m.counter("phase0_notifications_dropped_total", "Notifications dropped because the outbox was full, could not be written or was damaged, or nobody read the standard output.", func() uint64 { return s.Alerting().Dropped })
	m.counter("phase0_console_lines_left_out_total", "Lines that were not printed because nobody read the standard output.", s.LinesLeftOut)
	m.registry.MustRegister(stages(s.Stages))
	if s.Outbox != nil {
		m.outbox(s)
	}
}

// Counter adds a counter beside those of Register.
func (m *Metrics) Counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

// Gauge adds a gauge beside those of Register.
func (m *Metrics) Gauge(name, help string, read func() float64) { m.gauge(name, help, read) }

func (m *Metrics) counter(name, help string, read func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return float64(read()) }))
}

func (m *Metrics) gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// WriteText writes all metrics in the text format, version 0.0.4.
func (m *Metrics) WriteText(w io.Writer) error {
	families, err := m.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	encoder := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return fmt.Errorf("encode %s: %w", family.GetName(), err)
		}
	}
	return nil
}
