package parallel

import (
	"sync"
	"sync/atomic"
)

// inOrder calls work for 0 … n−1 on several goroutines and hands what they made to
// take in that order, on the caller's. Every call of work has a slot to itself until
// take has seen it; there are two slots a worker, so memory does not grow with n. It
// ends early when take returns false or with the first error of work, in order, and
// never leaves a goroutine behind.
func inOrder[T any](workers, n int, slots []T, work func(slot T, i int) error, take func(slot T) bool) error {
	type result struct {
		i    int
		slot T
		err  error
	}
	free := make(chan T, len(slots))
	for _, slot := range slots {
		free <- slot
	}
	done := make(chan result, len(slots)) // never full: there are as many slots
	var started atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for slot := range free {
				// Numbers are given out to whoever has a slot already: the one that is
				// waited for is always under way.
				i := int(started.Add(1) - 1)
				if i >= n {
					return
				}
				done <- result{i, slot, work(slot, i)}
			}
		})
	}
	defer group.Wait()
	defer close(free)
	defer started.Store(int64(n))         // nothing more is begun
	waiting := make([]result, len(slots)) // by number modulo their count
	for i := range waiting {
		waiting[i].i = -1
	}
	for i := range n {
		for waiting[i%len(slots)].i != i {
			r := <-done
			waiting[r.i%len(slots)] = r
		}
		r := waiting[i%len(slots)]
		if r.err != nil {
			return r.err
		}
		if !take(r.slot) {
			return nil
		}
		free <- r.slot
	}
	return nil
}
