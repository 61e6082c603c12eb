package queue_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/memory"
	"phase0/server/sample"
)

// eachQueue runs a benchmark once per mechanism; benchstat -col /queue compares them.
func eachQueue(b *testing.B, rest string, measure func(b *testing.B, q queue.Queue)) {
	for _, name := range []string{"memory", "bounded"} {
		b.Run("queue="+name+rest, func(b *testing.B) {
			var q queue.Queue = memory.New()
			if name == "bounded" {
				limited, err := bounded.New(bounded.Limit{Samples: 1 << 20, Bytes: 1 << 30})
				if err != nil {
					b.Fatal(err)
				}
				q = limited
			}
			defer q.Close()
			b.ReportAllocs()
			measure(b, q)
		})
	}
}

func samples(n int) []sample.Sample {
	out := make([]sample.Sample, n)
	for i := range out {
		out[i] = sample.Sample{Name: "cpu_usage", Value: float64(i), Timestamp: 1_700_000_000_000 + int64(i)}
	}
	return out
}

// take pops and acknowledges n samples.
func take(b *testing.B, q queue.Queue, n int) {
	for n > 0 {
		got, err := q.Pop(b.Context(), queue.Want{Samples: n, Bytes: math.MaxInt})
		if err != nil {
			b.Fatal(err)
		}
		n -= len(got)
		q.Ack()
	}
}

// A batch goes in and comes out, without anybody beside.
func BenchmarkPushPop(b *testing.B) {
	for _, batch := range []int{1, 100} {
		eachQueue(b, fmt.Sprintf("/batch=%d", batch), func(b *testing.B, q queue.Queue) {
			in := samples(batch)
			for b.Loop() {
				if err := q.Push(b.Context(), in); err != nil {
					b.Fatal(err)
				}
				take(b, q, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/sample")
		})
	}
}

// All cores push single samples; nobody pops meanwhile, so that this is the price of
// pushing beside others. The queue is emptied now and then, off the clock.
func BenchmarkPushContended(b *testing.B) {
	const round = 100_000
	eachQueue(b, "", func(b *testing.B, q queue.Queue) {
		in := samples(1)
		pushers := runtime.GOMAXPROCS(0)
		for b.Loop() {
			done := make(chan error, pushers)
			for range pushers {
				go func() {
					for range round / pushers {
						if err := q.Push(b.Context(), in); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range pushers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			take(b, q, round/pushers*pushers)
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*round), "ns/sample")
	})
}

// What a sample takes while it waits; names are shared, as the decoder shares them.
func BenchmarkHeldMemory(b *testing.B) {
	const held = 200_000
	eachQueue(b, "", func(b *testing.B, q queue.Queue) {
		in := samples(10)
		var taken float64
		for b.Loop() {
			before := heap()
			for range held / len(in) {
				if err := q.Push(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
			taken = float64(heap()-before) / held
			take(b, q, held)
		}
		b.ReportMetric(taken, "B/sample")
	})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
