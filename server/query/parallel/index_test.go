package parallel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phase0/server/query"
	"phase0/server/query/scan"
	"phase0/server/sample"
)

// lines returns about size bytes of lines of one name, whose times count up from first.
func lines(name string, first, size int) []byte {
	var text []byte
	for i := first; len(text) < size; i++ {
		text = sample.AppendLine(text, sample.Sample{Name: name, Value: float64(i), Timestamp: int64(i)})
	}
	return text
}

// What is done to a file under a live index, and how many of its blocks are known
// afterwards. The answers must be those of scan each time.
func TestFileChangesUnderIndex(t *testing.T) {
	const size = 5 * BlockBytes
	write := func(t *testing.T, path string, text []byte, flag int) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, path string)
		blocks int
	}{
		{"nothing", func(*testing.T, string) {}, 5},
		{"appended to", func(t *testing.T, path string) { write(t, path, lines("b", 0, 2*BlockBytes), os.O_APPEND) }, 7},
		{"torn line appended", func(t *testing.T, path string) { write(t, path, []byte(`{"name":"a","val`), os.O_APPEND) }, 5},
		{"deleted", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"emptied", func(t *testing.T, path string) { write(t, path, nil, os.O_TRUNC) }, 0},
		{"cut short", func(t *testing.T, path string) {
			if err := os.Truncate(path, 3*BlockBytes+100); err != nil {
				t.Fatal(err)
			}
		}, 3},
		{"written anew, shorter", func(t *testing.T, path string) { write(t, path, lines("b", 7, 2*BlockBytes), os.O_TRUNC) }, 2},
		{"written anew, longer", func(t *testing.T, path string) { write(t, path, lines("b", 7, 8*BlockBytes), os.O_TRUNC) }, 8},
		{"written anew, same length", func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, []byte(strings.ReplaceAll(string(text), `"a"`, `"b"`)), os.O_TRUNC)
		}, 5},
		{"changed in the middle", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(lines("b", 1_000_000, 1000), 2*BlockBytes+500); err != nil {
				t.Fatal(err)
			}
		}, 5},
		{"replaced", func(t *testing.T, path string) {
			write(t, path+".new", lines("b", 7, 6*BlockBytes), 0)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}, 6},
		{"deleted and made again", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, lines("b", 7, size), 0)
		}, 5},
	} {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		write(t, path, lines("a", 0, size), 0)
		e := newEngine(fileStore(path), 2)
		if err := e.Prepare(t.Context(), nil); err != nil || len(e.index.blocks) != 5 {
			t.Fatalf("%d blocks, %v", len(e.index.blocks), err)
		}
		time.Sleep(20 * time.Millisecond) // a clock tick of the file system
		tc.change(t, path)
		for _, name := range []string{"a", "b"} {
			for _, end := range []int64{math.MaxInt64, 100} {
				sel := query.Selector{Name: name, End: end}
				want, _ := rows(t, scan.New(fileStore(path)), sel)
				got, _ := rows(t, e, sel)
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: %s until %d: %d samples, want %d", tc.name, name, end, len(got), len(want))
				}
			}
		}
		if len(e.index.blocks) != tc.blocks {
			t.Errorf("%s: %d blocks known, want %d", tc.name, len(e.index.blocks), tc.blocks)
		}
	}
}

// Blocks are passed over by time and by name.
func TestBlocksSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	text := append(lines("a", 0, 3*BlockBytes), lines("b", 1_000_000, 3*BlockBytes)...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEngine(fileStore(path), 2)
	for _, tc := range []struct {
		sel  query.Selector
		read int64
	}{
		{query.Selector{Name: "a", End: math.MaxInt64}, 3 + 1}, // and the last, which is not final
		{query.Selector{Name: "b", End: math.MaxInt64}, 4},
		{query.Selector{Name: "nobody", End: math.MaxInt64}, 1},
		{query.Selector{Name: "a", Start: 0, End: 10}, 1 + 1},
		{query.Selector{Name: "b", Start: 0, End: 10}, 1},
		{query.Selector{Name: "a", Start: 2_000_000, End: 3_000_000}, 1},
	} {
		_, stats := rows(t, e, tc.sel)
		if got := int64(blocksOf(int64(len(text)))) - stats.BlocksSkipped; got != tc.read || stats.Bytes > tc.read*BlockBytes {
			t.Errorf("%+v: %d blocks read, %+v; want %d", tc.sel, got, stats, tc.read)
		}
	}
}

// Above maxNames a block may hold any name, and is read; below, it is known exactly.
func TestManyNames(t *testing.T) {
	for _, n := range []int{maxNames, maxNames + 1} {
		var text []byte
		for i := 0; len(text) < 2*BlockBytes; i++ {
			text = sample.AppendLine(text, sample.Sample{Name: fmt.Sprint("name", i%n), Value: 1, Timestamp: 1})
		}
		path := filepath.Join(t.TempDir(), "m.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		e := newEngine(fileStore(path), 1)
		_, stats := rows(t, e, query.Selector{Name: "nobody", End: 10})
		if want := map[bool]int64{true: 2, false: 0}[n == maxNames]; stats.BlocksSkipped != want {
			t.Errorf("%d names: %d blocks skipped, want %d", n, stats.BlocksSkipped, want)
		}
		if got, _ := rows(t, e, query.Selector{Name: fmt.Sprint("name", n-1), End: 10}); len(got) == 0 {
			t.Errorf("%d names: the last one is not found", n)
		}
	}
}

// An ended context ends both the index and the scan, and what was read of the index
// does not mislead the next query.
func TestContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(path, lines("a", 0, 20*BlockBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEngine(fileStore(path), 2)
	ctx, cancel := context.WithCancel(t.Context())
	if err := e.Prepare(ctx, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("index: %v", err)
	}
	sel := query.Selector{Name: "a", End: math.MaxInt64}
	want, _ := rows(t, scan.New(fileStore(path)), sel)
	if got, _ := rows(t, e, sel); len(got) != len(want) {
		t.Errorf("%d samples, want %d", len(got), len(want))
	}
	ctx, cancel = context.WithCancel(t.Context())
	n := 0
	_, err := e.Select(ctx, sel, func(sample.Sample) bool { n++; cancel(); return true })
	if !errors.Is(err, context.Canceled) || n == 0 || n == len(want) {
		t.Errorf("select: %v after %d samples", err, n)
	}
	n = 0
	if _, err := e.Select(t.Context(), sel, func(sample.Sample) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("yield said stop: %v after %d samples", err, n)
	}
}

// Two queries that opened the file one after the other, and whose turns come in the other
// order, do not take the index for that of a longer file.
func TestOlderViewComesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	appendTo(t, path, lines("a", 0, 3*BlockBytes))
	e := newEngine(fileStore(path), 2)
	older, err := e.store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer older.Close()
	appendTo(t, path, lines("b", 0, 2*BlockBytes))
	if err := e.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	before := &e.index.blocks[0]
	blocks, size, err := e.index.catchUp(t.Context(), older, nil)
	if err != nil || len(blocks) != 5 || size <= older.Size() || &blocks[0] != before {
		t.Errorf("%d blocks of %d bytes, %v; want those that were there", len(blocks), size, err)
	}
}
