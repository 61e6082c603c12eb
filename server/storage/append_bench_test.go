package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"phase0/server/disk"
	"phase0/server/sample"
	"phase0/server/storage"
	"phase0/server/storage/batched"
	"phase0/server/storage/jsonl"
)

func newStore(b *testing.B, name, path string) storage.Store {
	b.Helper()
	var s storage.Store
	var err error
	switch name {
	case "jsonl":
		s, err = jsonl.New(disk.OS{}, path)
	case "batched":
		s, err = batched.New(disk.OS{}, path)
	}
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// maxBenchFile is the size at which a benchmark's file starts afresh, so that a long one
// fills no disk.
const maxBenchFile = 256 << 20

// Batches of samples to the end of a real file; benchstat -col /storage compares the
// mechanisms.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		for _, name := range []string{"jsonl", "batched"} {
			b.Run(fmt.Sprintf("storage=%s/batch=%d", name, batch), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "m.jsonl")
				store := newStore(b, name, path)
				defer store.Close()
				in := make([]sample.Sample, batch)
				var lines []byte
				for i := range in {
					in[i] = sample.Sample{Name: fmt.Sprintf("cpu_usage_%d", i%8), Value: float64(i) / 8, Timestamp: 1_700_000_000_000 + int64(i)}
					lines = sample.AppendLine(lines, in[i])
				}
				b.SetBytes(int64(len(lines)))
				b.ReportAllocs()
				written := 0
				for b.Loop() {
					if _, err := store.Append(b.Context(), in); err != nil {
						b.Fatal(err)
					}
					if written += len(lines); written > maxBenchFile {
						b.StopTimer()
						if err := os.Truncate(path, 0); err != nil {
							b.Fatal(err)
						}
						written = 0
						b.StartTimer()
					}
				}
				info, err := os.Stat(path)
				if err != nil || info.Size() != int64(written) {
					b.Fatalf("the file has %v bytes, want %d: %v", info, written, err)
				}
				b.ReportMetric(float64(len(lines))/float64(batch), "B/sample")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/sample")
			})
		}
	}
}
