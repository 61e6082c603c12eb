package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/memory"
	"phase0/server/sample"
	"phase0/server/storage"
)

var errDisk = errors.New("disk is full")

// flakyStore takes budget samples and then fails until it is mended.
type flakyStore struct {
	mu     sync.Mutex
	budget int
	stored []sample.Sample
}

func (s *flakyStore) Append(_ context.Context, samples []sample.Sample) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(s.budget, len(samples))
	s.budget -= n
	s.stored = append(s.stored, samples[:n]...)
	if n < len(samples) {
		return n, errDisk
	}
	return n, nil
}

func (s *flakyStore) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget = 1 << 30
}

func (s *flakyStore) Open() (storage.View, error) { return nil, errDisk }
func (s *flakyStore) Sync() (disk.Mark, error)    { return disk.Mark{}, nil }
func (s *flakyStore) Close() error                { return nil }

func numbered(n int) []sample.Sample {
	samples := make([]sample.Sample, n)
	for i := range samples {
		samples[i] = sample.Sample{Name: "n", Value: float64(i)}
	}
	return samples
}

func mustPush(t *testing.T, q queue.Queue, samples []sample.Sample) {
	t.Helper()
	if err := q.Push(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
}

// Wherever an append fails, every sample is stored once and in order, and the depth
// falls only afterwards.
func TestFailedAppendIsTriedAgain(t *testing.T) {
	for budget := range 10 {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, s := memory.New(), &flakyStore{budget: budget}
				c := New(Config{Queue: q, Store: s, Log: zerolog.Nop()})
				mustPush(t, q, numbered(10))
				q.Close()
				done := make(chan error, 1)
				go func() { done <- c.Run(context.Background()) }()
				synctest.Wait()
				if !errors.Is(c.Err(), errDisk) || q.Stats().Depth != 10 || c.Stored() != uint64(budget) {
					t.Errorf("while it fails: error %v, depth %d, stored %d", c.Err(), q.Stats().Depth, c.Stored())
				}
				time.Sleep(time.Minute)
				if failed := c.Failed(); failed < 30 || failed > 120 {
					t.Errorf("%d tries in a minute; want pauses that grow to a second", failed)
				}
				s.mend()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if c.Err() != nil || q.Stats().Depth != 0 || c.Stored() != 10 {
					t.Errorf("afterwards: error %v, depth %d, stored %d", c.Err(), q.Stats().Depth, c.Stored())
				}
				for i, got := range s.stored {
					if got.Value != float64(i) {
						t.Fatalf("stored %v", s.stored)
					}
				}
			})
		})
	}
}

func TestEndedContextLeavesTheRestInTheDepth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := memory.New(), &flakyStore{budget: 3}
		c := New(Config{Queue: q, Store: s, Log: zerolog.Nop()})
		mustPush(t, q, numbered(10))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if c.Stored() != 3 || q.Stats().Depth != 10 {
			t.Errorf("stored %d, depth %d", c.Stored(), q.Stats().Depth)
		}
	})
}
