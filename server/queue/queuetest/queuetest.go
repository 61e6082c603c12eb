// Package queuetest is the suite that every queue mechanism passes.
package queuetest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	t.Run("order across producers", func(t *testing.T) { handOver(t, open()) })
	t.Run("bytes bound a pop", func(t *testing.T) { bytes(t, open()) })
	t.Run("age", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { age(t, open()) }) })
	t.Run("push races close", func(t *testing.T) { pushRacesClose(t, open) })
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

// upTo wants at most max samples, of any size, at once.
func upTo(max int) queue.Want { return queue.Want{Samples: max, Bytes: math.MaxInt} }

func mustPop(t *testing.T, q queue.Queue, max int) []sample.Sample {
	t.Helper()
	s, err := q.Pop(t.Context(), upTo(max))
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
		got.Peak, got.Bytes, got.Age = 0, 0, 0
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
	if _, err := q.Pop(t.Context(), upTo(1)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Pop of a drained queue: %v", err)
	}
}

func popWaits(t *testing.T, q queue.Queue) {
	got := make(chan int)
	go func() {
		s, _ := q.Pop(context.Background(), upTo(10))
		q.Ack()
		got <- len(s)
		_, err := q.Pop(context.Background(), upTo(10))
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
	if _, err := q.Pop(ctx, upTo(1)); !errors.Is(err, context.Canceled) {
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

// A sample that is pushed after another one was, by whomever, comes after it: a client
// that got its 202 may go on over another connection.
func handOver(t *testing.T, q queue.Queue) {
	const workers, total = 4, 4000
	turn := make(chan int, 1)
	turn <- 0
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range turn {
				if i == total {
					close(turn)
					return
				}
				if err := q.Push(t.Context(), numbered(i, 1)); err != nil {
					t.Error(err)
				}
				turn <- i + 1
			}
		})
	}
	for next := 0; next < total; {
		for _, s := range mustPop(t, q, 1+next%7) {
			if s.Value != float64(next) {
				t.Fatalf("got %v, want %d", s.Value, next)
			}
			next++
		}
		q.Ack()
	}
	wg.Wait()
}

// However samples were pushed, a pop keeps within the bytes, or is one sample.
func bytes(t *testing.T, q queue.Queue) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	pushed, popped := 0, 0
	for popped < 2000 {
		batch := numbered(pushed, 1+rng.IntN(8))
		for i := range batch {
			batch[i].Name = strings.Repeat("n", rng.IntN(1000))
		}
		mustPush(t, q, batch)
		pushed += len(batch)
		if rng.IntN(3) > 0 {
			continue
		}
		for popped < pushed && rng.IntN(10) > 0 {
			want := queue.Want{Samples: 1 + rng.IntN(40), Bytes: rng.IntN(6000)}
			got, err := q.Pop(t.Context(), want)
			size := 0
			for _, s := range got {
				if s.Value != float64(popped) {
					t.Fatalf("seed %d: got %v, want %d", seed, s.Value, popped)
				}
				size += s.Size()
				popped++
			}
			if err != nil || len(got) == 0 || len(got) > want.Samples || len(got) > 1 && size > want.Bytes {
				t.Fatalf("seed %d: %+v got %d samples of %d bytes, %v", seed, want, len(got), size, err)
			}
			q.Ack()
		}
	}
}

// The age is that of the oldest sample that is not stored.
func age(t *testing.T, q queue.Queue) {
	expect := func(want time.Duration) {
		t.Helper()
		if got := q.Stats().Age; got != want {
			t.Errorf("age %v, want %v", got, want)
		}
	}
	expect(0)
	mustPush(t, q, numbered(0, 2))
	time.Sleep(3 * time.Second)
	mustPush(t, q, numbered(2, 2))
	time.Sleep(time.Second)
	mustPop(t, q, 1)
	expect(4 * time.Second)
	q.Ack()
	expect(4 * time.Second)
	mustPop(t, q, 1)
	q.Ack()
	expect(time.Second)
	mustPop(t, q, 2)
	expect(time.Second)
	q.Ack()
	expect(0)
}

// A push beside Close is either refused or popped.
func pushRacesClose(t *testing.T, open func() queue.Queue) {
	for range 200 {
		q := open()
		var accepted [4]int
		var wg sync.WaitGroup
		for w := range accepted {
			wg.Go(func() {
				for q.Push(t.Context(), numbered(0, 1)) == nil && accepted[w] < 1000 {
					accepted[w]++
				}
			})
		}
		for range 2 {
			wg.Go(q.Close)
		}
		popped := 0
		for {
			s, err := q.Pop(t.Context(), upTo(64))
			if err != nil {
				break
			}
			popped += len(s)
			q.Ack()
		}
		wg.Wait()
		want := 0
		for _, n := range accepted {
			want += n
		}
		// A worker that stopped by itself pushed one more than it counted.
		if st := q.Stats(); popped < want || popped > want+len(accepted) || st.Pushed != uint64(popped) || st.Depth != 0 {
			t.Fatalf("%d accepted, %d popped, %+v", want, popped, st)
		}
	}
}
