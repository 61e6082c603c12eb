package query_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/query/parallel"
	"phase0/server/query/scan"
	"phase0/server/sample"
	"phase0/server/storage"
)

type file string

func (f file) Open() (storage.View, error) { return storage.OpenView(disk.OS{}, string(f)) }

// benchFirst is the time of the first point in benchFile, whose points are 10 ms apart.
const benchFirst = 1_700_000_000_000

// benchFile holds points of eight series in order of time. It is in the page cache.
func benchFile(b *testing.B, points int) (stored file, size int64) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "m.jsonl")
	var text []byte
	for i := range points {
		text = sample.AppendLine(text, sample.Sample{Name: fmt.Sprintf("series_%d", i%8), Value: float64(i%10_000) / 8, Timestamp: benchFirst + int64(i)*10})
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return file(path), int64(len(text))
}

// The same question to every engine: one series, all of the time or its last hundredth.
// benchstat -col /query compares the mechanisms; an index was read before.
func BenchmarkEngines(b *testing.B) {
	const points = 200_000
	stored, size := benchFile(b, points)
	for share, start := range map[string]int64{"all": 0, "hundredth": benchFirst + points*10*99/100} {
		for _, name := range []string{"scan", "parallel"} {
			b.Run(fmt.Sprintf("query=%s/range=%s", name, share), func(b *testing.B) {
				var engine query.Engine = scan.New(stored)
				if name == "parallel" {
					indexed := parallel.New(stored)
					if err := indexed.Prepare(b.Context(), nil); err != nil {
						b.Fatal(err)
					}
					engine = indexed
				}
				sel := query.Selector{Name: "series_3", Start: start, End: math.MaxInt64}
				found := 0
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					found = 0
					if _, err := engine.Select(b.Context(), sel, func(sample.Sample) bool { found++; return true }); err != nil {
						b.Fatal(err)
					}
				}
				if want := map[string]int{"all": points / 8, "hundredth": points / 800}[share]; found != want {
					b.Fatalf("found %d points, want %d", found, want)
				}
				b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
			})
		}
	}
}
