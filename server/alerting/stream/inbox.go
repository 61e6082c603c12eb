package stream

import (
	"context"
	"sync"
	"time"

	"phase0/server/sample"
)

// inbox holds samples until the engine's goroutine takes them, a bounded number.
type inbox struct {
	mu      *sync.Mutex
	samples []sample.Sample
	bell    chan struct{} // has an element when there is something to take
	room    chan struct{} // has an element after something was taken
}

func newInbox() inbox {
	return inbox{mu: &sync.Mutex{}, bell: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func (b *inbox) ring() {
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

// put takes the samples that some rule reads, rings if there are any, and reports
// whether there was room for all, for which it waits a bounded time.
func (b *inbox) put(ctx context.Context, samples []sample.Sample, sieve *sieve) bool {
	samples = b.tryPut(samples, sieve)
	if len(samples) == 0 {
		return true
	}
	deadline := time.NewTimer(maxWait)
	defer deadline.Stop()
	for {
		b.ring()
		select {
		case <-b.room:
			if samples = b.tryPut(samples, sieve); len(samples) == 0 {
				return true
			}
		case <-deadline.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// tryPut returns those for which there was no room.
func (b *inbox) tryPut(samples []sample.Sample, sieve *sieve) []sample.Sample {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.samples)
	for i := range samples {
		if !sieve.reads(&samples[i]) {
			continue
		}
		if len(b.samples) >= maxPending {
			return samples[i:]
		}
		b.samples = append(b.samples, samples[i])
	}
	if len(b.samples) > before { // nobody is woken for what no rule reads
		b.ring()
	}
	return nil
}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.samples)
}

// take returns what is there and leaves the memory of empty for what comes.
func (b *inbox) take(empty []sample.Sample) []sample.Sample {
	b.mu.Lock()
	taken := b.samples
	b.samples = empty
	b.mu.Unlock()
	select {
	case b.room <- struct{}{}:
	default:
	}
	return taken
}
