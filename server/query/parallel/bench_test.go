package parallel

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"phase0/server/query"
	"phase0/server/sample"
)

// benchFile returns a file of points in time order over eight names, or the one that
// PHASE0_BENCH_FILE names, which must be of that kind too.
func benchFile(b *testing.B, points int) (store fileStore, size int64) {
	b.Helper()
	path := os.Getenv("PHASE0_BENCH_FILE")
	if path == "" {
		path = filepath.Join(b.TempDir(), "m.jsonl")
		var text []byte
		for i := range points {
			text = sample.AppendLine(text, sample.Sample{Name: fmt.Sprintf("series_%d", i*7%8), Value: float64(i*7919%10_000) / 100, Timestamp: 1_696_789_234_567 + int64(i)*10})
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return fileStore(path), info.Size()
}

// unknown keeps the index from skipping anything: all blocks are read.
func unskipped(e *Engine) {
	for i := range e.index.blocks {
		e.index.blocks[i].anyName = true
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, points := range []int{100_000, 1_000_000} {
		store, size := benchFile(b, points)
		for _, workers := range []int{1, 2} {
			for _, name := range []string{"nobody", "series_3"} {
				b.Run(fmt.Sprintf("points=%d/workers=%d/name=%s", points, workers, name), func(b *testing.B) {
					e := newEngine(store, workers)
					if err := e.Prepare(b.Context(), nil); err != nil {
						b.Fatal(err)
					}
					unskipped(e)
					sel := query.Selector{Name: name, End: math.MaxInt64}
					b.SetBytes(size)
					b.ReportAllocs()
					for b.Loop() {
						if _, err := e.Select(b.Context(), sel, func(sample.Sample) bool { return true }); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// The index of a whole file, as at start.
func BenchmarkIndex(b *testing.B) {
	store, size := benchFile(b, 1_000_000)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if err := newEngine(store, workers).Prepare(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	for _, points := range []int{100_000, 1_000_000} {
		store, size := benchFile(b, points)
		for _, list := range []string{"avg", "p99"} {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("points=%d/workers=%d/agg=%s", points, workers, list), func(b *testing.B) {
					aggregates, err := query.ParseAggregates(list)
					if err != nil {
						b.Fatal(err)
					}
					e := newEngine(store, workers)
					r := query.AggregateRequest{Selector: query.Selector{Name: "series_3", End: math.MaxInt64}, Aggregates: aggregates, MaxValues: math.MaxInt}
					b.SetBytes(size)
					b.ReportAllocs()
					for b.Loop() {
						if _, _, err := r.Run(b.Context(), e); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
