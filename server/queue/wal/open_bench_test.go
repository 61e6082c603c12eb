package wal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
)

// benchLogBytes is the log of a benchmark; PHASE0_BENCH_LOG=1g asks for a gigabyte.
func benchLogBytes() int64 {
	if os.Getenv("PHASE0_BENCH_LOG") == "1g" {
		return 1 << 30
	}
	return 128 << 20
}

// logOf makes a log of some size that nobody has consumed, of pushes of so many samples.
func logOf(tb testing.TB, bytes int64, batch int) Config {
	tb.Helper()
	cfg := Config{
		FS: disk.OS{}, Data: filepath.Join(tb.TempDir(), "m.jsonl"), Bytes: 2 * max(bytes, MinBytes),
		Limit: bounded.Limit{Samples: 100_000, Bytes: 64 << 20}, Sync: Policy{None: true}, Log: zerolog.Nop(),
	}
	q, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	samples := make([]sample.Sample, batch)
	for n := 0; q.log.held.Load() <= bytes; n++ {
		for i := range samples {
			samples[i] = sample.Sample{Name: fmt.Sprintf("cpu_usage_%d", i%100), Value: float64(n) + float64(i)/8, Timestamp: 1_700_000_000_000 + int64(n)}
		}
		if err := q.Push(context.Background(), samples); err != nil {
			tb.Fatal(err)
		}
		for q.mem.Stats().Depth > 0 { // out of memory, not out of the log
			if _, err := q.mem.Pop(context.Background(), queue.Want{Samples: 1 << 14, Bytes: math.MaxInt}); err != nil {
				tb.Fatal(err)
			}
			q.mem.Ack()
		}
	}
	if err := q.Release(); err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// store writes what a log holds into its storage file, and leaves the cursor where it was.
func store(tb testing.TB, cfg Config) {
	tb.Helper()
	segments, err := listSegments(cfg.FS, Dir(cfg.Data))
	if err != nil {
		tb.Fatal(err)
	}
	file, err := os.Create(cfg.Data)
	if err != nil {
		tb.Fatal(err)
	}
	out := bufio.NewWriterSize(file, 1<<20)
	want := expectation{reader: newReader(cfg.FS, Dir(cfg.Data), segments, 0)}
	for {
		line, known, err := want.line()
		if err != nil || line == nil {
			if err := errors.Join(err, out.Flush(), file.Close()); err != nil {
				tb.Fatal(err)
			}
			return
		}
		if !known {
			tb.Fatal("the log has a gap")
		}
		if _, err := out.Write(line); err != nil {
			tb.Fatal(err)
		}
		want.advance()
	}
}

// lend gives the segments of a log second names, and copies its cursor, which changes.
func lend(tb testing.TB, from, to string) {
	tb.Helper()
	segments, err := filepath.Glob(filepath.Join(from, "*"+suffix))
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range segments {
		if err := os.Link(path, filepath.Join(to, filepath.Base(path))); err != nil {
			tb.Fatal(err)
		}
	}
	text, err := os.ReadFile(cursorPath(from))
	if err := errors.Join(err, os.WriteFile(cursorPath(to), text, 0o600)); err != nil {
		tb.Fatal(err)
	}
}

// A start with a log of which the storage file has nothing, or all of it beyond the cursor;
// pushes of one sample, and of 1,000. Bytes are those of the log.
func BenchmarkOpen(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		for _, stored := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d/stored=%t", batch, stored), func(b *testing.B) {
				cfg := logOf(b, benchLogBytes(), batch)
				if stored {
					store(b, cfg)
				}
				dir := Dir(cfg.Data)
				keep := b.TempDir()
				lend(b, dir, keep)
				b.ReportAllocs()
				for b.Loop() {
					q, err := Open(cfg)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(q.found.Bytes)
					b.StopTimer() // back to where it was
					if err := errors.Join(q.Release(), os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
						b.Fatal(err)
					}
					lend(b, keep, dir)
					b.StartTimer()
				}
			})
		}
	}
}

// What a log gives out after a start, without storage.
func BenchmarkReplay(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			cfg := logOf(b, benchLogBytes(), batch)
			segments, err := listSegments(cfg.FS, Dir(cfg.Data))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p := replay{reader: newReader(cfg.FS, Dir(cfg.Data), segments, 0)}
				_, total := p.reader.bytes()
				b.SetBytes(total)
				for {
					got, _, err := p.pop(b.Context(), queue.Want{Samples: 1024, Bytes: 1 << 20})
					if err != nil && !errors.Is(err, io.EOF) {
						b.Fatal(err)
					}
					if len(got) == 0 {
						break
					}
					p.ack(len(got))
				}
			}
		})
	}
}
