package query

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"phase0/server/sample"
)

// sliceEngine is an engine over samples in memory.
type sliceEngine []sample.Sample

func (e sliceEngine) Select(_ context.Context, sel Selector, yield func(sample.Sample) bool) (Stats, error) {
	var stats Stats
	for _, s := range e {
		stats.Samples++
		if sel.Matches(s) && !yield(s) {
			break
		}
	}
	return stats, nil
}

func (e sliceEngine) Fold(ctx context.Context, sel Selector, f *Fold) (Stats, error) {
	return e.Select(ctx, sel, f.Add)
}

// Exec against sorting everything, over random files and questions.
func TestExecAgainstSortingEverything(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var file sliceEngine
		for i := range rng.IntN(60) {
			file = append(file, sample.Sample{Name: string(rune('a' + rng.IntN(2))), Value: float64(i), Timestamp: rng.Int64N(20)})
		}
		start := rng.Int64N(20)
		r := Request{Selector: Selector{Name: "a", Start: start, End: start + rng.Int64N(20)}, Limit: rng.IntN(8), MaxSamples: 8}
		var want []sample.Sample
		for _, s := range file {
			if s.Name == r.Name && s.Timestamp >= r.Start && s.Timestamp <= r.End {
				want = append(want, s)
			}
		}
		slices.SortStableFunc(want, func(a, b sample.Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
		got, _, err := Exec(t.Context(), file, r)
		if r.Limit == 0 && len(want) > r.MaxSamples {
			if !errors.Is(err, ErrTooManySamples) {
				t.Fatalf("seed %d: %d of at most %d samples: %v", seed, len(want), r.MaxSamples, err)
			}
			continue
		}
		if r.Limit > 0 {
			want = want[:min(r.Limit, len(want))]
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d, %+v:\ngot  %v, %v\nwant %v", seed, r, got, err, want)
		}
	}
}

// A limit keeps memory small however much matches.
func TestLimitBoundsMemory(t *testing.T) {
	c := collector{request: Request{Limit: 10, MaxSamples: 1000}}
	for i := range 100_000 {
		c.add(sample.Sample{Timestamp: int64(100_000 - i)})
		if len(c.samples) > 20 || cap(c.samples) > 64 {
			t.Fatalf("%d samples held, room for %d", len(c.samples), cap(c.samples))
		}
	}
	if got := c.result(); len(got) != 10 || got[0].Timestamp != 1 || got[9].Timestamp != 10 {
		t.Errorf("got %v", got)
	}
}
