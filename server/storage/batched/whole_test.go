package batched

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/server/disk"
	"phase0/server/sample"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := New(disk.OS{}, path)
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

// More than one write takes: all of them must reach the file, the last and shorter one,
// too.
func TestAppendOfManyWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	s := open(t, path)
	var all []sample.Sample
	var want []byte
	name := strings.Repeat("n", 200)
	for len(want) < 2*WriteBytes+WriteBytes/3 {
		sm := sample.Sample{Name: name, Value: float64(len(all)), Timestamp: 1}
		all, want = append(all, sm), sample.AppendLine(want, sm)
	}
	if n, err := s.Append(t.Context(), all); err != nil || n != len(all) {
		t.Fatalf("%d of %d appended, %v", n, len(all), err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("file has %d bytes, want %d; %v", len(got), len(want), err)
	}
}

// A file that somebody put in the place of ours must get what comes next: the old one
// is still open and would swallow it.
func TestReplacedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	s := open(t, path)
	push := func(value float64) {
		t.Helper()
		if n, err := s.Append(t.Context(), []sample.Sample{{Name: "a", Value: value, Timestamp: 1}}); err != nil || n != 1 {
			t.Fatalf("%d appended, %v", n, err)
		}
	}
	push(1)
	other := path + ".other"
	if err := errors.Join(os.WriteFile(other, []byte("theirs"), 0o600), os.Rename(other, path)); err != nil {
		t.Fatal(err)
	}
	push(2)
	want := fmt.Sprintf("theirs\n%s", sample.AppendLine(nil, sample.Sample{Name: "a", Value: 2, Timestamp: 1}))
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("file holds %q, want %q; %v", got, want, err)
	}
}

// brokenFS lets a write stop in the middle, and what it left there cannot be cut off.
type brokenFS struct {
	disk.OS
	broken bool
}

type brokenFile struct {
	disk.File
	fs *brokenFS
}

func (f *brokenFS) OpenFile(name string, flag int, perm os.FileMode) (disk.File, error) {
	file, err := f.OS.OpenFile(name, flag, perm)
	return brokenFile{file, f}, err
}

func (f brokenFile) Write(b []byte) (int, error) {
	if !f.fs.broken {
		return f.File.Write(b)
	}
	n, err := f.File.Write(b[:len(b)/2])
	return n, errors.Join(err, errors.New("no more room"))
}

func (f brokenFile) Truncate(size int64) error {
	if f.fs.broken {
		return errors.New("cannot be cut")
	}
	return f.File.Truncate(size)
}

// A part of a line that could not be cut off at once is cut off before the next line begins.
func TestPartThatStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	fsys := &brokenFS{}
	s, err := New(fsys, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	push := func() (int, error) {
		return s.Append(t.Context(), []sample.Sample{{Name: "a", Value: 1, Timestamp: 1}})
	}
	if _, err := push(); err != nil {
		t.Fatal(err)
	}
	fsys.broken = true
	if n, err := push(); err == nil || n != 0 {
		t.Fatalf("%d appended, %v", n, err)
	}
	fsys.broken = false
	if _, err := push(); err != nil {
		t.Fatal(err)
	}
	line := string(sample.AppendLine(nil, sample.Sample{Name: "a", Value: 1, Timestamp: 1}))
	want := line + line
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("file holds %q, want %q; %v", got, want, err)
	}
}
