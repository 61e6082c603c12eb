// Package queuetest is the suite that every queue mechanism passes.
package queuetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"phase0/server/queue"
	"phase0/server/sample"
)

// Run checks the contract of queue.Queue. New returns an empty queue that holds at
// least 20,000 samples.
func Run(t *testing.T, open func() queue.Queue) {
	t.Run("first in first out", func(t *testing.T) { orderAgainstModel(t, open()) })
	t.Run("depth falls at ack", func(t *testing.T) { depth(t, open()) })
	t.Run("close drains", func(t *testing.T) { closeDrains(t, open()) })
	t.Run("pop waits", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { popWaits(t, open()) }) })
	t.Run("context ends pop", func(t *testing.T) { contextEndsPop(t, open()) })
	t.Run("push copies", func(t *testing.T) { pushCopies(t, open()) })
	t.Run("many producers", func(t *testing.T) { producers(t, open()) })
}

func numbered(from, n int) []sample.Sample {
	out := make([]sample.Sample, n)
	for i := range out {
		out[i] = sample.Sample{Name: "n", Value: float64(from + i)}
	}
	return out
}

func mustPush(t *testing.T, q queue.Queue, s []sample.Sample) {
	t.Helper()
	if err := q.Push(t.Context(), s); err != nil {
		t.Fatalf("Push of %d: %v", len(s), err)
	}
}

func mustPop(t *testing.T, q queue.Queue, max int) []sample.Sample {
	t.Helper()
	s, err := q.Pop(t.Context(), max)
	if err != nil || len(s) == 0 || len(s) > max {
		t.Fatalf("Pop(%d) = %d samples, %v", max, len(s), err)
	}
	return s
}

func orderAgainstModel(t *testing.T, q queue.Queue) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	pushed, popped := 0, 0
	for step := range 5000 {
		if rng.IntN(2) == 0 && pushed-popped < 10_000 {
			n := 1 + rng.IntN(20)
			mustPush(t, q, numbered(pushed, n))
			pushed += n
		} else if popped < pushed {
			for _, s := range mustPop(t, q, 1+rng.IntN(30)) {
				if s.Value != float64(popped) {
					t.Fatalf("step %d, seed %d: got %v, want %d", step, seed, s.Value, popped)
				}
				popped++
			}
			q.Ack()
		}
		want := queue.Stats{Depth: pushed - popped, Pushed: uint64(pushed), Acked: uint64(popped)}
		got := q.Stats()
		got.Peak = 0
		if got != want {
			t.Fatalf("step %d, seed %d: stats %+v, want %+v", step, seed, got, want)
		}
	}
}

func depth(t *testing.T, q queue.Queue) {
	mustPush(t, q, numbered(0, 3))
	mustPop(t, q, 2)
	if got := q.Stats().Depth; got != 3 {
		t.Errorf("depth after pop = %d, want 3: popped samples are not stored yet", got)
	}
	q.Ack()
	if got := q.Stats(); got.Depth != 1 || got.Peak != 3 {
		t.Errorf("after ack: %+v, want depth 1, peak 3", got)
	}
}

func closeDrains(t *testing.T, q queue.Queue) {
	mustPush(t, q, numbered(0, 5))
	q.Close()
	q.Close() // idempotent
	if err := q.Push(t.Context(), numbered(5, 1)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Push after Close: %v", err)
	}
	for left := 5; left > 0; {
		left -= len(mustPop(t, q, 2))
		q.Ack()
	}
	if _, err := q.Pop(t.Context(), 1); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Pop of a drained queue: %v", err)
	}
}

func popWaits(t *testing.T, q queue.Queue) {
	got := make(chan int)
	go func() {
		s, _ := q.Pop(context.Background(), 10)
		q.Ack()
		got <- len(s)
		_, err := q.Pop(context.Background(), 10)
		if !errors.Is(err, queue.ErrClosed) {
			t.Errorf("waiting Pop at Close: %v", err)
		}
		close(got)
	}()
	synctest.Wait()
	mustPush(t, q, numbered(0, 1))
	if n := <-got; n != 1 {
		t.Errorf("woken Pop returned %d samples", n)
	}
	synctest.Wait()
	q.Close()
	<-got
}

func contextEndsPop(t *testing.T, q queue.Queue) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Pop(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Pop with an ended context: %v", err)
	}
}

func pushCopies(t *testing.T, q queue.Queue) {
	s := numbered(7, 1)
	mustPush(t, q, s)
	s[0].Value = -1
	if got := mustPop(t, q, 1)[0].Value; got != 7 {
		t.Errorf("value %v: Push kept the caller's slice", got)
	}
	q.Ack()
}

func producers(t *testing.T, q queue.Queue) {
	const workers, each = 8, 1000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				for q.Push(t.Context(), []sample.Sample{{Timestamp: int64(w), Value: float64(i)}}) != nil {
					runtime.Gosched()
				}
			}
		})
	}
	var next [workers]float64
	for total := 0; total < workers*each; {
		for _, s := range mustPop(t, q, 64) {
			if s.Value != next[s.Timestamp] {
				t.Fatalf("producer %d: got %v, want %v", s.Timestamp, s.Value, next[s.Timestamp])
			}
			next[s.Timestamp]++
			total++
		}
		q.Ack()
	}
	wg.Wait()
}
