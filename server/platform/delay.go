package platform

import (
	"context"
	"time"

	"phase0/server/sample"
	"phase0/server/storage"
)

// delayedSamples is the most that a delayed store appends at once. A store without this
// bound would get faster the more is waiting, and so have no capacity to overload.
const delayedSamples = 10

// delayedStore is a test aid: a store of a known, low capacity, delayedSamples a delay,
// whatever stands behind it. It is meant for overload experiments.
type delayedStore struct {
	storage.Store
	delay time.Duration
	due   time.Time // when the last append was to end
}

// Append implements storage.Store.
func (s *delayedStore) Append(ctx context.Context, samples []sample.Sample) (int, error) {
	for done := 0; done < len(samples); {
		begin := time.Now()
		chunk := samples[done:min(done+delayedSamples, len(samples))]
		n, err := s.Store.Append(ctx, chunk)
		done += n
		if err != nil {
			return done, err
		}
		// What is in the file is reported as stored even when ctx ends the wait.
		if !s.wait(ctx, begin) && done < len(samples) {
			return done, ctx.Err()
		}
	}
	return len(samples), nil
}

// wait lasts until the append that began then is to end. Timers are late; between appends
// that follow each other the next wait makes up for it, so that the capacity holds.
func (s *delayedStore) wait(ctx context.Context, begin time.Time) bool {
	if begin.Sub(s.due) < s.delay {
		s.due = s.due.Add(s.delay)
	} else {
		s.due = begin.Add(s.delay)
	}
	timer := time.NewTimer(time.Until(s.due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
