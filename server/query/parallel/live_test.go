package parallel

import (
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/query/scan"
	"phase0/server/sample"
	"phase0/server/storage/batched"
)

// Readers beside a writer see whole lines only, all that was appended before they asked,
// and never fewer than before, while blocks become final under them.
func TestReadWhileAppending(t *testing.T) {
	store, err := batched.New(disk.OS{}, filepath.Join(t.TempDir(), "m.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	const batches, size = 150, 200
	e := newEngine(store, 2)
	var group sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		group.Go(func() {
			for seen, last := 0, false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				n := 0
				_, err := e.Select(t.Context(), query.Selector{Name: "a", End: math.MaxInt64}, func(s sample.Sample) bool {
					if s.Value != float64(n) {
						t.Errorf("sample %d has value %v", n, s.Value)
						return false
					}
					n++
					return true
				})
				if err != nil || n < seen || last && n != batches*size {
					t.Errorf("%d samples after %d were seen: %v", n, seen, err)
					return
				}
				seen = n
			}
		})
	}
	samples := make([]sample.Sample, size)
	for b := range batches {
		for i := range samples {
			samples[i] = sample.Sample{Name: "a", Value: float64(b*size + i), Timestamp: int64(b)}
		}
		if _, err := store.Append(t.Context(), samples); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	group.Wait()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// A file that others cut and rewrite while it is read gives no error, though a line may
// then be half of one file and half of the other; once it rests the answer is right.
func TestReadWhileFileIsRewritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	e := newEngine(fileStore(path), 2)
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() {
		defer close(done)
		for i := range 20 {
			text := lines("a", 100*i, (1+i%4)*BlockBytes)
			if err := os.WriteFile(path, text, 0o600); err != nil { // empties it first
				t.Error(err)
			}
			if err := os.Truncate(path, int64(len(text)/2)); err != nil {
				t.Error(err)
			}
		}
	})
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		n := 0
		_, err := e.Select(t.Context(), query.Selector{Name: "a", End: math.MaxInt64}, func(sample.Sample) bool {
			n++
			return true
		})
		if err != nil {
			t.Error(err)
		}
		if last {
			group.Wait()
			if want, _ := rows(t, scan.New(fileStore(path)), query.Selector{Name: "a", End: math.MaxInt64}); n != len(want) {
				t.Errorf("%d samples at rest, want %d", n, len(want))
			}
		}
	}
}
