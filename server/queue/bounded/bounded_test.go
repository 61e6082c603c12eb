package bounded

import (
	"errors"
	"testing"

	"phase0/server/queue"
	"phase0/server/queue/queuetest"
	"phase0/server/sample"
)

func open(t *testing.T, limit int) *Queue {
	t.Helper()
	q, err := New(limit)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

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
	if _, err := q.Pop(t.Context(), 10); err != nil {
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
	if _, err := New(sample.MaxBatch - 1); err == nil {
		t.Fatal("a queue that can never take a full batch was allowed")
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	q := open(t, 20_000)
	s := []sample.Sample{{Name: "a"}}
	cycle := func() {
		for range 100 {
			if err := q.Push(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		for q.Stats().Depth > 0 {
			if _, err := q.Pop(t.Context(), 64); err != nil {
				t.Fatal(err)
			}
			q.Ack()
		}
	}
	cycle()
	cycle()
	if n := testing.AllocsPerRun(50, cycle); n > 0 {
		t.Errorf("%v allocations per 100 samples", n)
	}
}
