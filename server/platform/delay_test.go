package platform

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/sample"
	"phase0/server/storage"
)

// sizes notes how much each append had.
type sizes struct {
	storage.Store
	each  []int
	takes time.Duration
}

func (s *sizes) Append(_ context.Context, samples []sample.Sample) (int, error) {
	s.each = append(s.each, len(samples))
	time.Sleep(s.takes)
	return len(samples), nil
}

// Whatever is appended at once, and however long the store itself takes, the capacity is
// ten samples a delay.
func TestDelayedStoreHasACapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, takes := range []time.Duration{0, time.Millisecond} {
			inner := &sizes{takes: takes}
			s := &delayedStore{Store: inner, delay: 2 * time.Millisecond}
			time.Sleep(time.Minute) // a rest earns nothing
			begin := time.Now()
			for _, n := range []int{1, 10, 25, 100} {
				if got, err := s.Append(t.Context(), make([]sample.Sample, n)); got != n || err != nil {
					t.Fatalf("Append of %d = %d, %v", n, got, err)
				}
			}
			if took, want := time.Since(begin), 15*s.delay; took != want || len(inner.each) != 15 {
				t.Errorf("%v for appends of %v, want %v", took, inner.each, want)
			}
		}
	})
}

func TestDelayedStoreEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &delayedStore{Store: &sizes{}, delay: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		if n, err := s.Append(ctx, make([]sample.Sample, 100)); n != 20 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append = %d, %v", n, err)
		}
	})
}
