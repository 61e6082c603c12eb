package parallel

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"syscall"
	"testing"

	"phase0/server/disk/faultfs"
	"phase0/server/query"
	"phase0/server/query/scan"
	"phase0/server/storage"
)

// faultyStore opens a file in memory whose disk can fail.
type faultyStore struct {
	fs   *faultfs.FS
	path string
}

func newFaultyStore(text []byte) faultyStore {
	s := faultyStore{fs: faultfs.New("/d"), path: filepath.Join("/d", "m.jsonl")}
	s.append(text)
	return s
}

func (s faultyStore) Open() (storage.View, error) { return storage.OpenView(s.fs, s.path) }

func (s faultyStore) append(text []byte) {
	s.fs.Edit(s.path, func(data []byte) []byte { return append(data, text...) })
}

// leave asks for the index and is gone after so many blocks.
func leave(t *testing.T, e *Engine, blocks int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := e.Prepare(ctx, func(int64, int64) {
		if blocks--; blocks == 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("left, with %v", err)
	}
}

// An asker who leaves takes nothing from the others: what was known stays known, what was
// read until then is known too, and the next one goes on behind it.
func TestLeavingKeepsTheIndex(t *testing.T) {
	store := newFaultyStore(lines("a", 0, 40*BlockBytes))
	e := newEngine(store, 2)
	leave(t, e, 10)
	begun := len(e.index.blocks)
	if begun < 10 || begun == 40 {
		t.Fatalf("%d blocks are known after 10 were read", begun)
	}
	check := func(when string, atLeast, atMost int) {
		t.Helper()
		if n := len(e.index.blocks); n < atLeast || n > atMost {
			t.Errorf("%s: %d blocks are known, want %d to %d", when, n, atLeast, atMost)
		}
		sel := query.Selector{Name: "a", End: math.MaxInt64}
		want, _ := rows(t, scan.New(store), sel)
		if got, _ := rows(t, e, sel); len(got) != len(want) {
			t.Errorf("%s: %d samples, want %d", when, len(got), len(want))
		}
	}
	read := 0
	if err := e.Prepare(t.Context(), func(int64, int64) { read++ }); err != nil || read != 40-begun {
		t.Errorf("%d blocks were read after %d of 40: %v", read, begun, err)
	}
	check("read to the end", 40, 40)
	store.append(lines("b", 0, 40*BlockBytes))
	leave(t, e, 5)
	check("left after five more", 45, 79) // the query reads the rest
	if n := len(e.index.blocks); n != 80 {
		t.Errorf("%d blocks in the end", n)
	}
	store.append(lines("a", 1_000_000, 2*BlockBytes))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Select(gone, query.Selector{Name: "a"}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	check("gone before the first block", 80, 80)
}

// Nor does a disk that cannot be read for a moment.
func TestReadErrorKeepsTheIndex(t *testing.T) {
	store := newFaultyStore(lines("a", 0, 10*BlockBytes))
	e := newEngine(store, 1)
	if err := e.Prepare(t.Context(), nil); err != nil || len(e.index.blocks) != 10 {
		t.Fatalf("%d blocks, %v", len(e.index.blocks), err)
	}
	store.append(lines("a", 1_000_000, 10*BlockBytes))
	// Every place in turn: the fingerprints, and the blocks between them.
	failed := 0
	for at := 1; ; at++ {
		before := len(e.index.blocks)
		store.fs.Inject(faultfs.Fault{At: at, Err: syscall.EIO})
		err := e.Prepare(t.Context(), nil)
		store.fs.Inject(faultfs.Fault{})
		if n := len(e.index.blocks); n < before {
			t.Fatalf("operation %d failed: %d blocks are known of %d (%v)", at, n, before, err)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		failed++
	}
	if n := len(e.index.blocks); n != 20 || failed < 10 {
		t.Errorf("%d blocks in the end, after %d failures", n, failed)
	}
}

// Whether a file is the same is for its disk to say.
func TestIndexOnAnotherDisk(t *testing.T) {
	store := newFaultyStore(lines("a", 0, 5*BlockBytes))
	e := newEngine(store, 1)
	for i := range 2 {
		read := 0
		if err := e.Prepare(t.Context(), func(int64, int64) { read++ }); err != nil || read != 5*(1-i) {
			t.Errorf("look %d: %d blocks were read, %v", i+1, read, err)
		}
	}
}
