package parallel

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
)

// Whatever the numbers of workers and slots, results come in order, once each, and
// what comes after the end is not begun for long.
func TestInOrder(t *testing.T) {
	type cell struct{ i int }
	for workers := 1; workers <= 4; workers++ {
		for _, n := range []int{0, 1, 2, 5, 100} {
			for _, stop := range []int{-1, 0, 3} {
				for _, fail := range []int{-1, 0, 2} {
					cause := errors.New("input/output error")
					slots := make([]*cell, 2*workers)
					for i := range slots {
						slots[i] = new(cell)
					}
					var begun atomic.Int64
					var got []int
					err := inOrder(workers, n, slots, func(c *cell, i int) error {
						begun.Add(1)
						c.i = i
						if i == fail {
							return cause
						}
						return nil
					}, func(c *cell) bool {
						got = append(got, c.i)
						return c.i != stop
					})
					want := n
					if stop >= 0 {
						want = min(want, stop+1)
					}
					failed := fail >= 0 && fail < want
					if failed {
						want = fail
					}
					if errors.Is(err, cause) != failed || len(got) != want || !slices.IsSorted(got) || begun.Load() > int64(want+1+len(slots)) {
						t.Errorf("%d workers, %d parts, stop %d, fail %d: took %v, begun %d, %v", workers, n, stop, fail, got, begun.Load(), err)
					}
				}
			}
		}
	}
}
