package platform

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting/notify"
	"phase0/server/alerting/rule"
	"phase0/server/alerting/stream"
	"phase0/server/consumer"
	"phase0/server/disk"
	"phase0/server/output"
	"phase0/server/query"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
	"phase0/server/storage"
)

// nowhere stores nothing and finds nothing.
type nowhere struct{}

func (nowhere) Append(_ context.Context, samples []sample.Sample) (int, error) {
	return len(samples), nil
}
func (nowhere) Open() (storage.View, error) { return nothing{new(strings.Reader)}, nil }
func (nowhere) Sync() (disk.Mark, error)    { return disk.Mark{}, nil }
func (nowhere) Close() error                { return nil }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Select(context.Context, query.Selector, func(sample.Sample) bool) (query.Stats, error) {
	return query.Stats{}, nil
}
func (nowhere) Fold(context.Context, query.Selector, *query.Fold) (query.Stats, error) {
	return query.Stats{}, nil
}

// nothing is a view of a file that does not exist.
type nothing struct{ *strings.Reader }

func (nothing) Stat() (fs.FileInfo, error) { return nil, fs.ErrNotExist }
func (nothing) Close() error               { return nil }

// BenchmarkTap is what stream alerting costs a sample on its way from the queue to storage:
// the difference to "without". Of "unread" no rule reads the metric, of "other" the series,
// of which there are many; "read" is evaluated. With -cpu 1 all of it is in the figure.
func BenchmarkTap(b *testing.B) {
	const selective = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'avg_over_time(cpu_usage{host=\"a\"}[60s]) > 80'}\n"
	rules, err := rule.Parse("rules.yml", []byte(selective))
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name, metric string
		rules        []rule.Rule
		series       int
	}{
		{"without", "loadgen_ab12cd34_", nil, 8},
		{"unread", "loadgen_ab12cd34_", rule.Seed(), 8},
		{"other", "cpu_usage", rules, 8},
		{"other-10000", "cpu_usage", rules, 10_000},
		{"other-100000", "cpu_usage", rules, 100_000},
		{"read", "cpu_usage", rule.Seed(), 8},
	} {
		b.Run(bench.name, func(b *testing.B) {
			batches := batchesOf(b, bench.metric, bench.series)
			var tap consumer.Tap
			if bench.rules != nil {
				e := stream.New(stream.Config{
					Rules: bench.rules, Query: nowhere{}, Store: nowhere{}, Notifier: notify.NewConsole(output.New(nowhere{}).Source(), true), Log: zerolog.Nop(),
					Limits: stream.Limits{Series: 100_000, Samples: 1 << 20, Instances: 100_000, Active: 100_000},
				})
				e.Start()
				defer e.Close()
				defer func() { b.ReportMetric(float64(e.Stats().Refills), "refills") }() // 1 where none fell behind
				tap = e
			}
			benchmarkConsumer(b, tap, batches)
		})
	}
}

// batchesOf returns samples of as many series as asked for, over and over.
func batchesOf(b *testing.B, metric string, series int) (batches [][]sample.Sample) {
	const size = 1000
	names, labels := make([]string, series), make([]sample.Labels, series)
	for i := range series {
		names[i] = metric
		text, err := sample.NewLabels(map[string]string{"host": fmt.Sprint("h", i), "zone": "eu"})
		if err != nil {
			b.Fatal(err)
		}
		if labels[i] = text; metric != "cpu_usage" {
			names[i], labels[i] = fmt.Sprint(metric, i), ""
		}
	}
	now := time.Now().UnixMilli() // of all: repeated, a later one would make the others late
	for at := 0; at < max(series, size); at += size {
		batch := make([]sample.Sample, size)
		for i := range batch {
			batch[i] = sample.Sample{Name: names[(at+i)%series], Labels: labels[(at+i)%series], Value: 50, Timestamp: now}
		}
		batches = append(batches, batch)
	}
	return batches
}

func benchmarkConsumer(b *testing.B, tap consumer.Tap, batches [][]sample.Sample) {
	q, err := bounded.New(bounded.Limit{Samples: 100_000, Bytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	c := consumer.New(consumer.Config{Queue: q, Store: nowhere{}, Tap: tap, Log: zerolog.Nop()})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(b.Context()) }()
	push := func(batch []sample.Sample) {
		for q.Push(b.Context(), batch) != nil { // it is full
			time.Sleep(50 * time.Microsecond)
		}
	}
	for _, batch := range batches {
		push(batch)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		push(batches[i%len(batches)])
		i++
	}
	for q.Stats().Depth > 0 {
		time.Sleep(50 * time.Microsecond)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i*len(batches[0])), "ns/sample")
	q.Close()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
