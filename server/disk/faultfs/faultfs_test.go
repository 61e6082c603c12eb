package faultfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"phase0/server/disk"
)

const root = "/d"

// as is what an error is one of, as far as callers tell errors apart.
func as(err error) string {
	for _, kind := range []error{fs.ErrNotExist, fs.ErrExist, io.EOF, syscall.EISDIR} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	if err != nil {
		return "error"
	}
	return ""
}

// machine does the same to a file system as to another, and tells what came of it.
type machine struct {
	fs    disk.FS
	root  string
	files []disk.File
}

// do is one operation that rng chooses; both machines get the same choices.
func (m *machine) do(rng *rand.Rand) string {
	path := func(names ...string) string { return filepath.Join(m.root, names[rng.IntN(len(names))]) }
	switch rng.IntN(8) {
	case 0:
		from, to := filepath.Join(m.root, "a"), filepath.Join(m.root, "b")
		return "rename " + as(m.fs.Rename(from, to))
	case 1:
		return "remove " + as(m.fs.Remove(path("a", "b", "sub/c")))
	case 2:
		return "mkdir " + as(m.fs.Mkdir(filepath.Join(m.root, "sub"), 0o700))
	case 3:
		info, err := m.fs.Stat(path("a", "b", "sub", "sub/c", "none/d"))
		if err != nil || info.IsDir() {
			return "stat " + as(err)
		}
		return fmt.Sprintf("stat %s %d %v", info.Name(), info.Size(), info.Mode().IsRegular())
	case 4:
		entries, err := m.fs.ReadDir(m.root)
		said := []string{"list", as(err)}
		for _, e := range entries {
			said = append(said, fmt.Sprintf("%s:%t", e.Name(), e.IsDir()))
		}
		return strings.Join(said, " ")
	case 5:
		flags := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_CREATE | os.O_TRUNC, os.O_RDWR | os.O_APPEND | os.O_CREATE}
		f, err := m.fs.OpenFile(path("a", "b", "sub/c", "none/d"), flags[rng.IntN(len(flags))], 0o600)
		if err == nil {
			m.files = append(m.files, f)
		}
		return "open " + as(err)
	default:
		if len(m.files) == 0 {
			return "no file"
		}
		return m.use(m.files[rng.IntN(len(m.files))], rng)
	}
}

// use does something with an open file, whose name may be gone.
func (m *machine) use(f disk.File, rng *rand.Rand) string {
	at, n := int64(rng.IntN(2000)), rng.IntN(1500)
	b := bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, n)
	switch rng.IntN(6) {
	case 0:
		n, err := f.WriteAt(b, at)
		return fmt.Sprintf("write %d %s", n, as(err))
	case 1:
		n, err := f.ReadAt(b, at)
		return fmt.Sprintf("read %d %x %s", n, b[:n], as(err))
	case 2:
		return "truncate " + as(f.Truncate(at))
	case 3:
		return "allocate " + as(f.Allocate(at+1))
	case 4:
		return "sync " + as(f.Sync())
	default:
		info, err := f.Stat()
		if err != nil {
			return "stat " + as(err)
		}
		return fmt.Sprintf("stat %d", info.Size())
	}
}

// Without faults it is a file system like the real one: the same operations have the same
// outcome on both.
func TestLikeTheRealOne(t *testing.T) {
	for seed := range uint64(60) {
		real := &machine{fs: disk.OS{}, root: t.TempDir()}
		ours := &machine{fs: New(root), root: root}
		a, b := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
		for step := range 300 {
			if want, got := real.do(a), ours.do(b); got != want {
				t.Fatalf("seed %d, step %d: %.100s, the real one %.100s", seed, step, got, want)
			}
		}
		for _, f := range real.files {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Write appends to a file that is open for that.
func TestWriteAppends(t *testing.T) {
	f := New(root)
	one, two := open(t, f, "a", os.O_WRONLY|os.O_APPEND|os.O_CREATE), open(t, f, "a", os.O_WRONLY|os.O_APPEND)
	write(t, one, "x")
	write(t, two, "y")
	write(t, one, "z")
	if got := f.Read(root + "/a"); string(got) != "xyz" {
		t.Errorf("holds %q", got)
	}
	if _, err := one.WriteAt([]byte("x"), 0); err == nil {
		t.Error("WriteAt on a file that is open for appending")
	}
	if _, err := open(t, f, "a", os.O_RDONLY).Write([]byte("x")); err == nil {
		t.Error("Write on a file that is open for reading")
	}
}

func open(t *testing.T, f *FS, name string, flag int) disk.File {
	t.Helper()
	file, err := f.OpenFile(filepath.Join(root, name), flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func write(t *testing.T, f disk.File, text string) {
	t.Helper()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// The planned operation fails, and no other; with Forever everything that changes the disk
// fails from then on, and reading goes on.
func TestInject(t *testing.T) {
	for _, forever := range []bool{false, true} {
		for at := 1; at <= 8; at++ {
			f := New(root)
			a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
			f.Inject(Fault{At: at, Err: syscall.EIO, Forever: forever})
			changes := []bool{true, true, false, false, true, true, false, true}
			var failed []int
			for i, err := range []error{
				second(a.WriteAt([]byte("x"), 0)), a.Sync(), second(a.ReadAt(make([]byte, 1), 0)), second(f.Stat(root)),
				a.Truncate(5), f.SyncDir(root), second(a.Stat()), f.Mkdir(root+"/sub", 0o700),
			} {
				if err != nil && errors.Is(err, syscall.EIO) {
					failed = append(failed, i+1)
				}
			}
			want := []int{at}
			for i, changing := range changes {
				if forever && changing && i+1 > at {
					want = append(want, i+1)
				}
			}
			if !slices.Equal(failed, want) || f.Operations() != 8 {
				t.Errorf("at %d, forever %t: %v failed, want %v; %d operations", at, forever, failed, want, f.Operations())
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A short write does half of its work.
func TestShortWrite(t *testing.T) {
	for _, short := range []bool{false, true} {
		f := New(root)
		a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
		f.Inject(Fault{At: 1, Err: syscall.ENOSPC, Short: short})
		n, err := a.WriteAt([]byte("abcdef"), 0)
		if got := f.Read(root + "/a"); !errors.Is(err, syscall.ENOSPC) || n != len(got) || string(got) != "abcdef"[:n] || n != map[bool]int{true: 3}[short] {
			t.Errorf("short %t: wrote %d, %v; holds %q", short, n, err, got)
		}
	}
}

// Once the power is off nothing works; after a kill everything that was written is there.
func TestOffAndRestart(t *testing.T) {
	f := New(root)
	a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
	f.Inject(Fault{At: 2, Err: ErrOff})
	if _, err := a.WriteAt([]byte("x"), 0); err != nil || f.Off() {
		t.Fatalf("before: %v, off %t", err, f.Off())
	}
	for _, err := range []error{a.Sync(), a.Sync(), second(f.Stat(root)), second(f.OpenFile(root+"/a", os.O_RDONLY, 0)), second(a.ReadAt(nil, 0)), a.Close()} {
		if !errors.Is(err, ErrOff) {
			t.Errorf("while the power is off: %v", err)
		}
	}
	if !f.Off() || f.OffSince().IsZero() {
		t.Error("off, and does not say so")
	}
	f = f.Restart()
	if got := f.Read(root + "/a"); string(got) != "x" || f.Off() {
		t.Errorf("after a restart %q, off %t", got, f.Off())
	}
	if err := f.SyncDir(root); err != nil {
		t.Error(err)
	}
}

// outcomes crashes a file system with many seeds and counts what a file holds afterwards;
// "gone" is a file whose name is not there.
func outcomes(f *FS, name string) map[string]int {
	all := map[string]int{}
	for seed := range uint64(400) {
		after := f.Crash(rand.New(rand.NewPCG(seed, 7)))
		if !slices.Contains(after.Files(root), root+"/"+name) {
			all["gone"]++
			continue
		}
		all[string(after.Read(root+"/"+name))]++
	}
	return all
}

// What was synced, name and contents, survives whatever happens; a name whose directory was
// not synced may be lost, and so may contents, as a whole or from somewhere within a page.
func TestCrash(t *testing.T) {
	f := New(root)
	a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
	if _, err := a.WriteAt([]byte("old"), 0); err != nil {
		t.Fatal(err)
	}
	if err := a.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(f, "a"); got["gone"] == 0 || got["old"] == 0 || len(got) != 2 {
		t.Errorf("a name that was not synced: %v", got)
	}
	if err := f.SyncDir(root); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(f, "a"); got["old"] != 400 {
		t.Errorf("everything was synced: %v", got)
	}
	if _, err := a.WriteAt([]byte("NEW"), 0); err != nil {
		t.Fatal(err)
	}
	got := outcomes(f, "a")
	if got["old"] == 0 || got["NEW"] == 0 || got["Nld"]+got["NEd"] == 0 || got["old"]+got["NEW"]+got["Nld"]+got["NEd"] != 400 {
		t.Errorf("contents that were not synced: %v", got)
	}
}

// Pages are kept or lost each for itself.
func TestCrashKeepsPages(t *testing.T) {
	f := New(root)
	a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
	write := func(letter string) {
		if _, err := a.WriteAt(bytes.Repeat([]byte(letter), 2*pageBytes), 0); err != nil {
			t.Fatal(err)
		}
	}
	write("-")
	if err := errors.Join(a.Sync(), f.SyncDir(root)); err != nil {
		t.Fatal(err)
	}
	write("x")
	first := outcomes(f, "a")
	mixed := [2]bool{}
	for text := range first {
		if len(text) != 2*pageBytes || strings.Trim(text, "-x") != "" {
			t.Fatalf("holds what nobody wrote: %d bytes", len(text))
		}
		mixed[0] = mixed[0] || text[0] == 'x' && text[pageBytes] == '-'
		mixed[1] = mixed[1] || text[0] == '-' && text[pageBytes] == 'x'
	}
	if !mixed[0] || !mixed[1] {
		t.Errorf("of two pages never only one survives: %v", mixed)
	}
	if again := outcomes(f, "a"); len(again) != len(first) {
		t.Error("the same seeds have another outcome")
	}
}

// A sync that fails drops what it was to write: a later one succeeds without it.
func TestFailedSyncDrops(t *testing.T) {
	f := New(root)
	a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
	if err := f.SyncDir(root); err != nil {
		t.Fatal(err)
	}
	if _, err := a.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	f.Inject(Fault{At: 1, Err: syscall.EIO})
	if err := a.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := a.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := f.Read(root + "/a"); string(got) != "x" {
		t.Errorf("the process reads %q", got)
	}
	if got := outcomes(f, "a"); got["x"] > 0 || got["\x00"] == 0 {
		t.Errorf("after a crash %v", got)
	}
	if _, err := a.WriteAt([]byte("x"), 0); err != nil { // written again, it is
		t.Fatal(err)
	}
	if err := a.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(f, "a"); got["x"] != 400 {
		t.Errorf("written again and synced: %v", got)
	}
}

// Renames and removals are on the disk when the directory is.
func TestCrashOfNames(t *testing.T) {
	f := New(root)
	a := open(t, f, "a", os.O_RDWR|os.O_CREATE)
	write(t, a, "x")
	if err := errors.Join(a.Sync(), f.SyncDir(root), f.Rename(root+"/a", root+"/b")); err != nil {
		t.Fatal(err)
	}
	if old, renamed := outcomes(f, "a"), outcomes(f, "b"); old["x"] == 0 || old["gone"] == 0 || renamed["x"] == 0 || renamed["gone"] == 0 {
		t.Errorf("a rename that was not synced: %v, %v", old, renamed)
	}
	if err := f.SyncDir(root); err != nil {
		t.Fatal(err)
	}
	if old, renamed := outcomes(f, "a"), outcomes(f, "b"); old["gone"] != 400 || renamed["x"] != 400 {
		t.Errorf("a rename that was synced: %v, %v", old, renamed)
	}
	if err := errors.Join(f.Remove(root+"/b"), f.SyncDir(root)); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(f, "b"); got["gone"] != 400 {
		t.Errorf("a removal that was synced: %v", got)
	}
}

// Edit, Clone and Read are beside the disk: they count as no operation, and a clone is
// another disk.
func TestBesideTheDisk(t *testing.T) {
	f := New(root)
	f.Inject(Fault{At: 1, Err: syscall.EIO})
	f.Edit(root+"/a", func(b []byte) []byte { return append(b, "xyz"...) })
	c := f.Clone()
	f.Edit(root+"/a", func(b []byte) []byte { b[1] = 'Y'; return b })
	if got, other := f.Read(root+"/a"), c.Read(root+"/a"); string(got) != "xYz" || string(other) != "xyz" || f.Operations() != 0 {
		t.Errorf("%q and %q after %d operations", got, other, f.Operations())
	}
	if got := outcomes(f, "a"); got["xYz"] != 400 {
		t.Errorf("after a crash %v", got)
	}
	if got := f.Files(root); !slices.Equal(got, []string{root + "/a"}) {
		t.Errorf("files %v", got)
	}
	if f.Read(root+"/none") != nil {
		t.Error("reads what is not there")
	}
}
