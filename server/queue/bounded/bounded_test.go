package bounded

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/queue"
	"phase0/server/queue/queuetest"
	"phase0/server/sample"
)

func open(t *testing.T, samples int) *Queue {
	t.Helper()
	q, err := New(Limit{Samples: samples, Bytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func upTo(samples int) queue.Want { return queue.Want{Samples: samples, Bytes: math.MaxInt} }

func TestContract(t *testing.T) {
	queuetest.Run(t, func() queue.Queue { return open(t, 20_000) })
}

func TestLimit(t *testing.T) {
	q := open(t, sample.MaxBatch)
	batch := make([]sample.Sample, sample.MaxBatch)
	if err := q.Push(t.Context(), batch); err != nil {
		t.Fatalf("a full batch into an empty queue: %v", err)
	}
	if err := q.Push(t.Context(), batch[:1]); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("one more: %v, want ErrFull", err)
	}
	if _, err := q.Pop(t.Context(), upTo(10)); err != nil {
		t.Fatal(err)
	}
	if err := q.Push(t.Context(), batch[:1]); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("popped but not acknowledged: %v, want ErrFull", err)
	}
	q.Ack()
	if err := q.Push(t.Context(), batch[:10]); err != nil {
		t.Fatalf("after ack: %v", err)
	}
	if err := q.Push(t.Context(), batch[:1]); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("full again: %v", err)
	}
}

func TestLimitBelowOneBatchIsRefused(t *testing.T) {
	for _, limit := range []Limit{
		{sample.MaxBatch - 1, 64 << 20}, {maxSamples + 1, 64 << 20}, {20_000, batchBytes(sample.MaxBatch) - 1}, {20_000, bytesMask + 1},
	} {
		if _, err := New(limit); err == nil {
			t.Errorf("%+v was allowed", limit)
		}
	}
}

// Long names and labels fill a queue before their number does.
func TestLimitInBytes(t *testing.T) {
	q, err := New(Limit{Samples: 100_000, Bytes: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s := []sample.Sample{{Name: strings.Repeat("n", 1000), Labels: `{"host":"a"}`}}
	each := batchBytes(1) + 1000 + 12
	n := 0
	for q.Push(t.Context(), s) == nil {
		n++
	}
	if n != (2<<20)/each || q.Stats().Bytes != n*each {
		t.Errorf("%d samples of %d bytes, %d bytes held", n, each, q.Stats().Bytes)
	}
}

// Whatever was pushed and popped, a drained queue holds nothing.
func TestBytesComeBack(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	q := open(t, 20_000)
	for range 500 {
		for range rng.IntN(20) {
			batch := make([]sample.Sample, 1+rng.IntN(300))
			for i := range batch {
				batch[i].Name = strings.Repeat("n", rng.IntN(50))
			}
			if err := q.Push(t.Context(), batch); err != nil && !errors.Is(err, queue.ErrFull) {
				t.Fatal(err)
			}
		}
		for q.Stats().Depth > 0 {
			got, err := q.Pop(t.Context(), queue.Want{Samples: 1 + rng.IntN(500), Bytes: rng.IntN(30_000)})
			size := 0
			for i := range got {
				size += got[i].Size()
			}
			if err != nil || size != q.PoppedSize() {
				t.Fatalf("seed %d: %d samples of %d bytes, and PoppedSize is %d; %v", seed, len(got), size, q.PoppedSize(), err)
			}
			q.Ack()
		}
		if q.Stats().Bytes != 0 {
			t.Fatalf("seed %d: %d bytes held by nothing", seed, q.Stats().Bytes)
		}
	}
}

// Pop gathers until enough is there, the time is over, or a push was refused.
func TestGather(t *testing.T) {
	for _, tc := range []struct {
		name  string
		push  func(q *Queue)
		after time.Duration
		got   int
	}{
		{"time is over", func(*Queue) {}, 100 * time.Millisecond, 1},
		{"enough", func(q *Queue) {
			for range 9 {
				_ = q.Push(context.Background(), make([]sample.Sample, 1))
			}
		}, 10 * time.Millisecond, 10},
		{"not enough", func(q *Queue) { _ = q.Push(context.Background(), make([]sample.Sample, 8)) }, 100 * time.Millisecond, 9},
		{"full", func(q *Queue) {
			for q.Push(context.Background(), make([]sample.Sample, 1)) == nil && q.Stats().Depth < 5 {
			}
			_ = q.Push(context.Background(), make([]sample.Sample, 50_000))
		}, 10 * time.Millisecond, 5},
		{"closed", func(q *Queue) { q.Close() }, 10 * time.Millisecond, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := open(t, 20_000)
				if err := q.Push(t.Context(), make([]sample.Sample, 1)); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				go func() {
					time.Sleep(10 * time.Millisecond)
					tc.push(q)
				}()
				got, err := q.Pop(t.Context(), queue.Want{Samples: 10, Bytes: math.MaxInt, Until: begin.Add(100 * time.Millisecond)})
				if took := time.Since(begin); err != nil || len(got) != tc.got || took != tc.after {
					t.Errorf("%d samples after %v, %v; want %d after %v", len(got), took, err, tc.got, tc.after)
				}
			})
		})
	}
}
