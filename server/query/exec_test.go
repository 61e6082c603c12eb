package query

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
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
		r := Request{Selector: Selector{Name: "a", Start: start, End: start + rng.Int64N(20)}, Limit: rng.IntN(8), MaxSamples: 8, MaxBytes: 1 << 20}
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
	c := collector{request: Request{Limit: 10, MaxSamples: 1000, MaxBytes: 1 << 20}}
	for i := range 100_000 {
		c.add(sample.Sample{Timestamp: int64(100_000 - i)})
		if len(c.samples) > 20 || cap(c.samples) > 64 {
			t.Fatalf("%d samples held, room for %d", len(c.samples), cap(c.samples))
		}
	}
	c.shrink()
	if got := c.samples; len(got) != 10 || got[0].Timestamp != 1 || got[9].Timestamp != 10 {
		t.Errorf("got %v", got)
	}
}

// However long labels are, text beyond the limit is not held, with a limit of samples or
// without.
func TestBytesBoundMemory(t *testing.T) {
	const maxBytes = 100_000
	for _, tc := range []struct {
		name        string
		limit, size int
		n, rows     int
		err         error
	}{
		{"few long ones", 0, 10_000, 9, 9, nil},
		{"one too many", 0, 10_000, 10, 0, ErrTooManyBytes},
		{"many short ones", 0, 100, 900, 0, ErrTooManyBytes},
		{"long ones, few of which are wanted", 5, 10_000, 1000, 5, nil},
		{"long ones, many of which are wanted", 50, 10_000, 1000, 0, ErrTooManyBytes},
		{"as many as are wanted, too long", 15, 10_000, 15, 0, ErrTooManyBytes},
	} {
		c := collector{request: Request{Limit: tc.limit, MaxSamples: 1000, MaxBytes: maxBytes}}
		var file sliceEngine
		for i := range tc.n {
			file = append(file, sample.Sample{Name: "a", Timestamp: int64(tc.n - i), Labels: sample.Labels(strings.Repeat("x", tc.size))})
		}
		for _, s := range file {
			more := c.add(s)
			held := 0
			for _, s := range c.samples[:cap(c.samples)] {
				held += len(s.Labels)
			}
			if held > 2*maxBytes+tc.size {
				t.Fatalf("%s: %d bytes are held", tc.name, held)
			}
			if !more {
				break
			}
		}
		r := Request{Selector: Selector{Name: "a", End: 1 << 40}, Limit: tc.limit, MaxSamples: 1000, MaxBytes: maxBytes}
		if got, _, err := Exec(t.Context(), file, r); !errors.Is(err, tc.err) || err == nil && len(got) != tc.rows {
			t.Errorf("%s: %d samples, %v", tc.name, len(got), err)
		}
	}
}
