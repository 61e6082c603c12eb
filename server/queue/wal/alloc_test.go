//go:build !race

package wal

import (
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/sample"
)

// In steady state a push, and what becomes of it, needs no new memory.
func TestPushDoesNotAllocate(t *testing.T) {
	q := open(t, config(disk.OS{}, filepath.Join(t.TempDir(), "m.jsonl")))
	one, batch := []sample.Sample{{Name: "cpu_usage", Value: 1, Timestamp: 2}}, make([]sample.Sample, 100)
	cycle := func() {
		for _, s := range [][]sample.Sample{one, batch} {
			if err := q.Push(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		for q.Stats().Depth > 0 {
			if _, err := q.Pop(t.Context(), queue.Want{Samples: 64, Bytes: math.MaxInt}); err != nil {
				t.Fatal(err)
			}
			q.Ack()
		}
	}
	cycle()
	if n := testing.AllocsPerRun(50, cycle); n > 0 {
		t.Errorf("%v allocations for two pushes", n)
	}
}

// Pushes and pops under each policy, alone and 64 at a time; syncs/op shows what a group saves.
func BenchmarkPush(b *testing.B) {
	for _, policy := range []string{"always", "interval=10ms", "none"} {
		for _, producers := range []int{1, 64} {
			b.Run("sync="+policy+"/producers="+strconv.Itoa(producers), func(b *testing.B) { benchmarkPush(b, policy, producers) })
		}
	}
}

func benchmarkPush(b *testing.B, policy string, producers int) {
	c := config(disk.OS{}, filepath.Join(b.TempDir(), "m.jsonl"))
	c.Bytes, c.SegmentBytes = 1<<40, 0 // nothing is removed here
	var err error
	if c.Sync, err = ParsePolicy(policy); err != nil {
		b.Fatal(err)
	}
	q := open(b, c)
	one := []sample.Sample{{Name: "cpu_usage", Value: 1, Timestamp: 2}}
	b.ReportAllocs()
	before := q.Counters().Syncs
	pushes := 0
	done := make(chan error, producers)
	for b.Loop() {
		for range producers {
			go func() { done <- q.Push(b.Context(), one) }()
		}
		for range producers {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		pushes += producers
		for q.Stats().Depth > 0 {
			if _, err := q.Pop(b.Context(), queue.Want{Samples: 1024, Bytes: math.MaxInt}); err != nil {
				b.Fatal(err)
			}
			q.Ack()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(pushes), "ns/sample")
	b.ReportMetric(float64(q.Counters().Syncs-before)/float64(pushes), "syncs/sample")
}
