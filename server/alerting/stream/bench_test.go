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
	c := newCore(parse(b, text.String()), Limits{Series: count, Samples: 1 << 24}, 0)
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

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
