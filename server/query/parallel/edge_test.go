package parallel

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage/batched"
)

// Both ends of a range are inclusive, also where they fall on the first or the last
// sample of a block: the index must not skip it.
func TestRangeEndsOnTheEdgeOfABlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(path, lines("a", 0, 4*BlockBytes+BlockBytes/2), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := batched.New(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	e := New(store)
	if err := e.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if len(e.index.blocks) < 4 {
		t.Fatalf("%d blocks are known", len(e.index.blocks))
	}
	for i, b := range e.index.blocks {
		for _, at := range []int64{b.minTime, b.maxTime} {
			if got := timesBetween(t.Context(), t, e, at, at); len(got) != 1 || got[0] != at {
				t.Errorf("block %d: at %d there is %v", i, at, got)
			}
		}
		if got := timesBetween(t.Context(), t, e, b.minTime-1, b.minTime); i > 0 && len(got) != 2 {
			t.Errorf("block %d: on both sides of its beginning there is %v", i, got)
		}
	}
}

func timesBetween(ctx context.Context, t *testing.T, e *Engine, start, end int64) (times []int64) {
	t.Helper()
	_, err := e.Select(ctx, query.Selector{Name: "a", Start: start, End: end}, func(s sample.Sample) bool {
		times = append(times, s.Timestamp)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}
