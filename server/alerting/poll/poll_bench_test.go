package poll

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
)

// windowed answers from memory, so that rules are measured and not a storage.
type windowed struct {
	query.Engine
	samples []sample.Sample
}

func (w windowed) Select(_ context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	for _, s := range w.samples {
		s.Timestamp = sel.End
		if !yield(s) {
			break
		}
	}
	return query.Stats{Samples: int64(len(w.samples))}, nil
}

// nobody is told.
type nobody struct{ alerting.Notifier }

func (nobody) Notify([]alerting.Notification) {}

// One evaluation of all rules over windows of 60 samples: quiet ones, and ones that all
// fire, which are told every time.
func BenchmarkEvaluate(b *testing.B) {
	for _, rules := range []int{3, 100} {
		for state, value := range map[string]float64{"quiet": 10, "firing": 99} {
			b.Run(fmt.Sprintf("alerting=poll/rules=%d/state=%s", rules, state), func(b *testing.B) {
				list := make([]rule.Rule, rules)
				for i := range list {
					list[i] = rule.Seed()[0]
					list[i].Alert = fmt.Sprintf("rule_%d", i)
				}
				window := make([]sample.Sample, 60)
				for i := range window {
					window[i] = sample.Sample{Name: "cpu_usage", Value: value}
				}
				e := New(Config{Rules: list, Query: windowed{samples: window}, Notifier: nobody{}, Interval: time.Hour, Log: zerolog.Nop()})
				defer e.Close()
				now := time.UnixMilli(1_700_000_000_000).UTC()
				b.ReportAllocs()
				for b.Loop() {
					e.evaluate(now)
				}
				if firing := len(e.Alerts()); (firing == rules) != (state == "firing") || (firing == 0) != (state == "quiet") {
					b.Fatalf("%d of %d rules fire", firing, rules)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rules), "ns/rule")
			})
		}
	}
}
