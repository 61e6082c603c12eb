package stream

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"phase0/server/sample"
)

// BenchmarkEvaluations is 10,000 rules on 10,000 series that have a sample each 500 ms: their
// windows of 60 s are full. A sample costs its own evaluation and that of the moment at which
// it leaves.
func BenchmarkEvaluations(b *testing.B) {
	for _, function := range []string{"avg_over_time(%s[60s])", "stddev_over_time(%s[60s])", "quantile_over_time(0.99, %s[60s])"} {
		name, _, _ := strings.Cut(function, "(")
		b.Run(name, func(b *testing.B) { benchmarkEvaluations(b, function) })
	}
}

func benchmarkEvaluations(b *testing.B, function string) {
	const count = 10_000
	var text strings.Builder
	samples := make([]sample.Sample, count)
	for i := range samples {
		samples[i] = sample.Sample{Name: fmt.Sprint("m", i), Labels: `{"host":"a"}`}
		fmt.Fprintf(&text, "  - {alert: A%d, expr: '%s > 80'}\n", i, fmt.Sprintf(function, samples[i].Name))
	}
	before := heapBytes()
	c := newCore(parse(b, text.String()), Limits{Series: count, Samples: 1 << 24, Instances: count, Active: count}, 0)
	now := int64(1e18)
	turn := func(at int) {
		now += int64(500*time.Millisecond) / count
		s := &samples[at]
		s.Value, s.Timestamp = 70*rand.Float64(), milliseconds(now)
		c.add(s, now)
		c.step(now)
	}
	for i := range 121 * count {
		turn(i % count)
	}
	b.ReportMetric(0, "ns/op")
	evaluations, i := c.evaluations, 0
	perRule := float64(heapBytes()-before) / count
	b.ResetTimer()
	for b.Loop() {
		turn(i % count)
		i++
	}
	done := float64(c.evaluations - evaluations)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/done, "ns/evaluation")
	b.ReportMetric(done/b.Elapsed().Seconds(), "evaluations/s")
	b.ReportMetric(perRule, "bytes/rule")
}

// BenchmarkInstances is what a rule about a series takes, when all rules of a series have the
// same range and when each has its own, and what an alert adds. A window of 60 s holds 120
// samples.
func BenchmarkInstances(b *testing.B) {
	for _, tc := range []struct {
		name     string
		own      int // milliseconds by which ranges differ
		value    float64
		function string
	}{
		{"one range", 0, 0, "avg"}, {"one range, firing", 0, 100, "avg"}, {"own ranges", 1, 0, "avg"}, {"own ranges, quantile", 1, 0, "quantile"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			const rules, series = 100, 20
			var text strings.Builder
			for i := range rules {
				expr := fmt.Sprintf("%s_over_time(%scpu[%dms]) > 80", tc.function, map[string]string{"quantile": "0.99, "}[tc.function], 60_000-tc.own*i)
				fmt.Fprintf(&text, "  - {alert: A%d, expr: '%s', labels: {severity: page}, annotations: {summary: 'cpu of {{ $labels.host }} is {{ $value }}'}}\n", i, expr)
			}
			parsed := parse(b, text.String())
			for b.Loop() {
				before := heapBytes()
				c := newCore(parsed, Limits{Series: series, Samples: 1 << 20, Instances: rules * series, Active: rules * series}, 0)
				now := int64(1e18)
				for range 3 * 120 { // so that samples leave as well
					now += int64(500 * time.Millisecond)
					for i := range series {
						c.add(&sample.Sample{Name: "cpu", Labels: sample.Labels(fmt.Sprintf(`{"host":"h%d"}`, i)), Value: tc.value + rand.Float64(), Timestamp: milliseconds(now)}, now)
					}
					c.step(now)
					c.out = nil
				}
				b.ReportMetric(float64(heapBytes()-before)/(rules*series), "bytes/instance")
				if c.instances != rules*series || (len(c.active) == c.instances) != (tc.value > 80) {
					b.Fatalf("%d instances, %d alerts", c.instances, len(c.active))
				}
			}
		})
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
