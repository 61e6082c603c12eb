package trial

import (
	"bytes"
	"os"
	"testing"
	"time"
)

func TestPointsFitIntoTheirBytes(t *testing.T) {
	for _, p := range []Points{{N: 1}, {N: 5000, Seed: 3}} {
		var file bytes.Buffer
		if _, err := p.Write(&file); err != nil {
			t.Fatal(err)
		}
		if got, most := int64(file.Len()), p.Bytes(); got > most || most > got*11/10+2 {
			t.Errorf("%d points take %d bytes, said to be at most %d", p.N, got, most)
		}
	}
}

// TestLoadFitsIntoItsSpace looks at all that a real server left on disk.
func TestLoadFitsIntoItsSpace(t *testing.T) {
	h := realHarness(t)
	load := Load{Rate: 500, Connections: 4, Warmup: 100 * time.Millisecond, Window: 400 * time.Millisecond}
	arm := concurrent()
	var written int64
	with := company{enter: func(*books) { written = treeBytes(t, h.Dir) }}
	r, err := h.runIn(arm, 1, func(r *Result, dir string) error { return h.load(t.Context(), r, dir, arm, load, with) })
	if err != nil || r.Accepted == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if most := load.Space().Bytes; written == 0 || written > most {
		t.Errorf("%d samples took %d bytes, said to be at most %d", r.Accepted, written, most)
	}
}

func treeBytes(t *testing.T, dir string) int64 {
	t.Helper()
	var all int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := dir + "/" + e.Name()
		if e.IsDir() {
			all += treeBytes(t, path)
		} else if info, err := os.Stat(path); err == nil {
			all += info.Size()
		}
	}
	return all
}

func TestSpaces(t *testing.T) {
	tests := []struct {
		name  string
		space Space
		least int64 // samples
	}{
		{"closed loop", Load{Warmup: time.Second, Window: time.Second}.Space(), 2 * fastestSamples},
		{"closed loop of batches", Load{Batch: 10, Window: time.Second}.Space(), fastestBatched * batchedBytes / sampleBytes},
		{"open loop of batches", Load{Rate: 20, Batch: 10, Window: time.Second}.Space(), 200},
		{"open loop", Load{Rate: 200, Warmup: time.Second, Window: 2 * time.Second}.Space(), 600},
		{"freshness", Freshness{Rate: 100, Window: time.Second}.Space(), 100},
		{"loss", Loss{Rate: 100, Window: time.Second}.Space(), 100},
		{"knee", Knee{Limit: time.Second}.Space(), fastestSamples},
		{"overload", Overload{Window: 3 * time.Second}.Space(), 150_000},
		{"alert", Alert{Rules: 1, Probes: 10}.Space(), hosts + 24},
		{"alert, longest of its paces", Alert{Rules: 1, Rate: 100, Probes: 10, Paces: map[string]time.Duration{"a": time.Second, "b": 10 * time.Second}}.Space(), hosts + 24 + 2100},
		{"mixed", Mixed{Rate: 100, Window: time.Second}.Space(), 100},
	}
	for _, tt := range tests {
		if samples := tt.space.Bytes / sampleBytes; samples < tt.least || samples > tt.least*11/10+5 {
			t.Errorf("%s: room for %d samples, want about %d", tt.name, samples, tt.least)
		}
	}
	if s := (Query{Points: Points{N: 100}}).Space(); s.Prepared.N != 100 || s.Bytes != 100*pointBytes {
		t.Errorf("query: %+v", s)
	}
}
