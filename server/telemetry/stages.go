package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"phase0/server/telemetry/timing"
)

var stageDesc = prometheus.NewDesc("phase0_stage_duration_seconds",
	"Durations in the life of samples: received is decoding one request, and reading what of its body is beyond the first 8 KiB; queued is from the queue's taking the oldest sample "+
		"of an append to its leaving; stored is the append; visible is from the queue's taking the oldest sample to where queries find it.",
	[]string{"stage"}, nil)

// stages shows histograms of package timing as one family.
type stages map[string]*timing.Histogram

// Describe implements prometheus.Collector.
func (stages) Describe(to chan<- *prometheus.Desc) { to <- stageDesc }

// Collect implements prometheus.Collector.
func (s stages) Collect(to chan<- prometheus.Metric) {
	for stage, h := range s {
		at := h.Snapshot()
		to <- prometheus.MustNewConstHistogram(stageDesc, at.Count, at.Sum.Seconds(), at.AtMost, stage)
	}
}
