//go:build !race

// The race detector makes sync.Pool drop things at random, so allocations are counted
// without it.

package bounded

import (
	"testing"

	"phase0/server/sample"
)

// One at a time and in batches: what the queue needs it uses again.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	q := open(t, 20_000)
	s := []sample.Sample{{Name: "a"}}
	batch := make([]sample.Sample, 1000)
	cycle := func() {
		for range 100 {
			if err := q.Push(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Push(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for q.Stats().Depth > 0 {
			if _, err := q.Pop(t.Context(), upTo(64)); err != nil {
				t.Fatal(err)
			}
			q.Ack()
		}
	}
	cycle()
	cycle()
	if n := testing.AllocsPerRun(50, cycle); n > 0 {
		t.Errorf("%v allocations per 1,100 samples", n)
	}
}
