package scan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
	"phase0/server/storage/batched"
)

// fileStore opens one path.
type fileStore string

func (f fileStore) Open() (storage.View, error) { return storage.OpenView(disk.OS{}, string(f)) }

func write(t *testing.T, text string) fileStore {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return fileStore(path)
}

func all(name string) query.Selector { return query.Selector{Name: name, End: math.MaxInt64} }

func collect(t *testing.T, store Opener, sel query.Selector) ([]sample.Sample, query.Stats) {
	t.Helper()
	var got []sample.Sample
	stats, err := New(store).Select(t.Context(), sel, func(s sample.Sample) bool {
		got = append(got, s)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, stats
}

// Random files of good lines, foreign lines and garbage, against encoding/json.
func TestAgainstStandardLibrary(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		var file strings.Builder
		var want []sample.Sample
		var samples int64
		for i := range rng.IntN(200) {
			line := randomLine(rng, i)
			file.WriteString(line + "\n")
			s, ok := parseWithStandardLibrary(line)
			if ok {
				samples++
			}
			if ok && s.Name == "a" && s.Timestamp >= 5 && s.Timestamp <= 15 {
				want = append(want, s)
			}
		}
		got, stats := collect(t, write(t, file.String()), query.Selector{Name: "a", Start: 5, End: 15})
		if !slices.Equal(got, want) || stats.Samples != samples || stats.Bytes != int64(file.Len()) {
			t.Fatalf("seed %d: got %d samples of %d, want %d of %d; %d of %d bytes", seed, len(got), stats.Samples, len(want), samples, stats.Bytes, file.Len())
		}
	}
}

func randomLine(rng *rand.Rand, i int) string {
	name, value, ts := string(rune('a'+rng.IntN(2))), rng.NormFloat64(), rng.IntN(20)
	switch rng.IntN(8) {
	case 0:
		return fmt.Sprintf(`{ "timestamp": %d, "value": %v, "name": %q }`, ts, value, name)
	case 1:
		return fmt.Sprintf(`{"name":%q,"value":%v}`, name, value)
	case 2:
		line := fmt.Sprintf(`{"name":%q,"value":%v,"timestamp":%d}`, name, value, ts)
		return line[:rng.IntN(len(line))]
	case 3:
		return strings.Repeat("x", rng.IntN(5000))
	default:
		return fmt.Sprintf(`{"name":%q,"value":%v,"timestamp":%d}`, name, float64(i), ts)
	}
}

func parseWithStandardLibrary(line string) (sample.Sample, bool) {
	var w struct {
		Name      *string
		Value     *float64
		Timestamp *int64
	}
	if json.Unmarshal([]byte(line), &w) != nil || w.Name == nil || w.Value == nil || w.Timestamp == nil {
		return sample.Sample{}, false
	}
	return sample.Sample{Name: *w.Name, Value: *w.Value, Timestamp: *w.Timestamp}, true
}

// Lines around the size of the read buffer, at every alignment that matters.
func TestLongLines(t *testing.T) {
	good := `{"name":"a","value":1,"timestamp":2}` + "\n"
	for _, n := range []int{readBytes - 1, readBytes, readBytes + 1, 2 * readBytes, 2*readBytes + 1} {
		got, stats := collect(t, write(t, good+strings.Repeat("x", n)+"\n"+good), all("a"))
		if len(got) != 2 || stats.Skipped != 1 {
			t.Errorf("long line of %d: %d samples, %d skipped", n, len(got), stats.Skipped)
		}
		if got, stats = collect(t, write(t, good+strings.Repeat("x", n)), all("a")); len(got) != 1 || stats.Skipped != 1 {
			t.Errorf("long line of %d at the end: %d samples, %d skipped", n, len(got), stats.Skipped)
		}
	}
}

func TestMissingAndEmptyFile(t *testing.T) {
	for _, store := range []fileStore{fileStore(filepath.Join(t.TempDir(), "none")), write(t, "")} {
		if got, stats := collect(t, store, all("a")); len(got) != 0 || stats != (query.Stats{}) {
			t.Errorf("%v, %+v", got, stats)
		}
	}
}

func TestStops(t *testing.T) {
	store := write(t, strings.Repeat(`{"name":"a","value":1,"timestamp":2}`+"\n", 10*contextEvery))
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := New(store).Select(ctx, all("a"), func(sample.Sample) bool {
		if n++; n == 5 {
			cancel()
		}
		return true
	})
	if !errors.Is(err, context.Canceled) || n > 2*contextEvery {
		t.Errorf("ended context: %v after %d samples", err, n)
	}
	n = 0
	if _, err := New(store).Select(t.Context(), all("a"), func(sample.Sample) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("yield said stop: %v after %d samples", err, n)
	}
}

// A reader beside a writer sees whole lines only, and never fewer than before.
func TestReadWhileAppending(t *testing.T) {
	store, err := batched.New(disk.OS{}, filepath.Join(t.TempDir(), "m.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	const batches, size = 100, 200
	var writer sync.WaitGroup
	writer.Go(func() {
		samples := make([]sample.Sample, size)
		for b := range batches {
			for i := range samples {
				samples[i] = sample.Sample{Name: "a", Value: float64(b*size + i), Timestamp: 1}
			}
			if _, err := store.Append(t.Context(), samples); err != nil {
				t.Error(err)
			}
		}
	})
	seen := 0
	for seen < batches*size && !t.Failed() {
		got, _ := collect(t, store, all("a"))
		for i, s := range got {
			if s.Value != float64(i) {
				t.Fatalf("sample %d has value %v", i, s.Value)
			}
		}
		if len(got) < seen {
			t.Fatalf("%d samples after %d were seen", len(got), seen)
		}
		seen = len(got)
	}
	writer.Wait()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkSelect(b *testing.B) {
	path := filepath.Join(b.TempDir(), "m.jsonl")
	var file []byte
	const points = 100_000
	for i := range points {
		file = sample.AppendLine(file, sample.Sample{Name: "cpu_usage", Value: float64(i) / 8, Timestamp: 1_700_000_000_000 + int64(i)})
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := New(fileStore(path)).Select(b.Context(), all("memory_usage"), func(sample.Sample) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
