// Package storagetest is the suite that every storage mechanism passes, and a
// file system that fails on demand.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"phase0/server/disk"
	"phase0/server/sample"
	"phase0/server/storage"
)

// Open returns a store on path.
type Open func(fsys disk.FS, path string) (storage.Store, error)

// Run checks the contract of storage.Store.
func Run(t *testing.T, open Open) {
	t.Run("lines", func(t *testing.T) { lines(t, open) })
	t.Run("torn tail", func(t *testing.T) { tornTail(t, open) })
	t.Run("torn by somebody else", func(t *testing.T) { tornMeanwhile(t, open) })
	t.Run("failed write", func(t *testing.T) { failedWrite(t, open) })
	t.Run("file replaced", func(t *testing.T) { fileReplaced(t, open) })
	t.Run("not a regular file", func(t *testing.T) { notRegular(t, open) })
	t.Run("context", func(t *testing.T) { contextEnds(t, open) })
	t.Run("view", func(t *testing.T) { view(t, open) })
}

func mustOpen(t *testing.T, open Open, fsys disk.FS, path string) storage.Store {
	t.Helper()
	s, err := open(fsys, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustAppend(t *testing.T, s storage.Store, samples ...sample.Sample) {
	t.Helper()
	if n, err := s.Append(t.Context(), samples); n != len(samples) || err != nil {
		t.Fatalf("Append = %d, %v", n, err)
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	a = sample.Sample{Name: "a", Value: 1, Timestamp: 10}
	b = sample.Sample{Name: "b\n", Value: 0.1, Timestamp: 20}
)

const (
	lineA = `{"name":"a","value":1,"timestamp":10}` + "\n"
	lineB = `{"name":"b\u000a","value":0.1,"timestamp":20}` + "\n"
)

func lines(t *testing.T, open Open) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	mustAppend(t, mustOpen(t, open, disk.OS{}, path), a, b)
	mustAppend(t, mustOpen(t, open, disk.OS{}, path), a)
	if got := contents(t, path); got != lineA+lineB+lineA {
		t.Errorf("file:\n%s", got)
	}
}

// Whatever prefix of a line a crash leaves, the next append starts a fresh one.
func tornTail(t *testing.T, open Open) {
	for cut := range len(lineA) + 1 {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		if err := os.WriteFile(path, []byte(lineB+lineA[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, mustOpen(t, open, disk.OS{}, path), a, a)
		want := lineB + lineA[:cut]
		if !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got := contents(t, path); got != want+lineA+lineA {
			t.Fatalf("cut at %d:\n%s", cut, got)
		}
	}
}

// What somebody else appends to the open file, whole lines or the beginning of one, is not
// continued and gets no empty line behind it.
func tornMeanwhile(t *testing.T, open Open) {
	for cut := range len(lineB) + 1 {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		s := mustOpen(t, open, disk.OS{}, path)
		mustAppend(t, s, a)
		theirs := lineB + lineB[:cut]
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(theirs); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, a, a)
		mustAppend(t, s, a)
		if !strings.HasSuffix(theirs, "\n") {
			theirs += "\n"
		}
		if got := contents(t, path); got != lineA+theirs+lineA+lineA+lineA {
			t.Fatalf("cut at %d:\n%s", cut, got)
		}
	}
}

// A write that stops at any byte is undone, and appending the rest again stores
// every sample exactly once.
func failedWrite(t *testing.T, open Open) {
	for limit := range len(lineA + lineB) {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		full := &FullFS{}
		s := mustOpen(t, open, full, path)
		full.Free.Store(int64(limit))
		full.On.Store(true)
		n, err := s.Append(t.Context(), []sample.Sample{a, b})
		if !errors.Is(err, syscall.ENOSPC) || n == 2 {
			t.Fatalf("limit %d: Append = %d, %v", limit, n, err)
		}
		if got := contents(t, path); got != (lineA + lineB)[:n*len(lineA)] {
			t.Fatalf("limit %d: %d stored, file %q", limit, n, got)
		}
		full.On.Store(false)
		mustAppend(t, s, []sample.Sample{a, b}[n:]...)
		if got := contents(t, path); got != lineA+lineB {
			t.Fatalf("limit %d, after recovery: %q", limit, got)
		}
	}
}

func fileReplaced(t *testing.T, open Open) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	s := mustOpen(t, open, disk.OS{}, path)
	mustAppend(t, s, a)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, b)
	if got := contents(t, path); got != lineB {
		t.Errorf("after the file was removed: %q", got)
	}
}

func notRegular(t *testing.T, open Open) {
	if _, err := open(disk.OS{}, t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory as storage file: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "no", "m.jsonl")
	if _, err := open(disk.OS{}, missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

func contextEnds(t *testing.T, open Open) {
	s := mustOpen(t, open, disk.OS{}, filepath.Join(t.TempDir(), "m.jsonl"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := s.Append(ctx, []sample.Sample{a, b}); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Append with an ended context = %d, %v", n, err)
	}
}

func view(t *testing.T, open Open) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	s := mustOpen(t, open, disk.OS{}, path)
	mustAppend(t, s, a)
	v, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	mustAppend(t, s, b)
	got := make([]byte, v.Size())
	if _, err := v.ReadAt(got, 0); err != nil || !bytes.Equal(got, []byte(lineA)) {
		t.Errorf("view reads %q, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	empty, err := s.Open()
	if err != nil || empty.Size() != 0 {
		t.Errorf("view of a missing file: %v", err)
	}
}

// FullFS is the real file system until On is set; from then on it takes Free more
// bytes and fails every write with ENOSPC, writing the part that fits.
type FullFS struct {
	disk.OS
	On   atomic.Bool
	Free atomic.Int64
}

// OpenFile implements disk.FS.
func (f *FullFS) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &fullFile{File: file, fs: f}, nil
}

type fullFile struct {
	disk.File
	fs *FullFS
}

func (f *fullFile) Write(p []byte) (int, error) {
	if !f.fs.On.Load() {
		return f.File.Write(p)
	}
	fits := min(int64(len(p)), f.fs.Free.Load())
	n, err := f.File.Write(p[:fits])
	f.fs.Free.Add(int64(-n))
	if err == nil && n < len(p) {
		err = &fs.PathError{Op: "write", Path: "full", Err: syscall.ENOSPC}
	}
	return n, err
}
