// Package faultfs is a file system in memory for tests. It fails on demand at the k-th
// operation, and it can lose its power: then what was not synced is kept, lost or torn at
// random, page by page and name by name, as a seed says.
//
// It is as unkind as a disk may be: a sync that fails drops what it was to write, so that a
// later one succeeds without it, and a name is there after a crash only if its directory
// was synced, or by luck.
package faultfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"phase0/server/disk"
)

// pageBytes is what is written or lost as one.
const pageBytes = 512

// ErrOff is what every operation returns once the power is off.
var ErrOff = errors.New("power is off")

// Fault is what goes wrong. The zero value is nothing.
type Fault struct {
	At      int   // the operation, counted from 1; 0 is none
	Err     error // ENOSPC, EIO; ErrOff ends everything
	Short   bool  // a write does half of its work first
	Forever bool  // everything that changes the disk fails from then on
}

// FS implements disk.FS. Create it with New; it is safe for concurrent use.
type FS struct {
	mu    sync.Mutex
	seen  names // what the process sees
	disk  names // what is on the disk
	ops   int
	fault Fault
	off   bool
	since time.Time // the power is off
}

// names are files by path; a directory is a file too.
type names map[string]*node

// node is a file's contents.
type node struct {
	dir   bool
	data  []byte       // what the process sees
	disk  []byte       // what is on the disk
	dirty map[int]bool // pages that the next sync writes
}

// New returns a file system that holds one directory, on the disk.
func New(root string) *FS {
	d := &node{dir: true}
	return &FS{seen: names{root: d}, disk: names{root: d}}
}

// Inject plans a fault, in place of the last one. Operations are counted from now on.
func (f *FS) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.ops = fault, 0
}

// Operations returns how many there were since Inject.
func (f *FS) Operations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Off tells whether the power is off.
func (f *FS) Off() bool { return !f.OffSince().IsZero() }

// OffSince tells since when the power is off; the zero time if it is on.
func (f *FS) OffSince() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
}

// step counts an operation and says what goes wrong with it.
func (f *FS) step(op, path string, changes bool) error {
	if f.off {
		return &fs.PathError{Op: op, Path: path, Err: ErrOff}
	}
	f.ops++
	hit := f.fault.At > 0 && (f.ops == f.fault.At || f.fault.Forever && f.ops > f.fault.At && changes)
	if !hit {
		return nil
	}
	if f.fault.Err == ErrOff {
		f.off, f.since = true, time.Now()
	}
	return &fs.PathError{Op: op, Path: path, Err: f.fault.Err}
}

// Crash returns what is found when the power is back.
func (f *FS) Crash(rng *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	keep := []float64{0, 0.5, 1}[rng.IntN(3)] // of what was not synced
	after := &FS{seen: names{}, disk: names{}}
	made := map[*node]*node{}
	for _, path := range f.paths() {
		n := f.disk[path]
		if f.seen[path] != n && rng.Float64() < keep {
			n = f.seen[path]
		}
		if n == nil || filepath.Dir(path) != path && after.seen[filepath.Dir(path)] == nil && f.seen[filepath.Dir(path)] != nil {
			continue
		}
		if made[n] == nil {
			made[n] = n.crash(rng, keep)
		}
		after.seen[path], after.disk[path] = made[n], made[n]
	}
	return after
}

// Restart returns what a process finds after the last one was killed: the system is still
// there, and so is all that was written.
func (f *FS) Restart() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off, f.since, f.fault = false, time.Time{}, Fault{}
	return f
}

// paths lists every name, parents first.
func (f *FS) paths() []string {
	all := map[string]bool{}
	for _, names := range []names{f.seen, f.disk} {
		for path := range names {
			all[path] = true
		}
	}
	paths := make([]string, 0, len(all))
	for path := range all {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return paths
}

func (n *node) crash(rng *rand.Rand, keep float64) *node {
	if n.dir {
		return &node{dir: true}
	}
	size := len(n.disk)
	if rng.Float64() < keep {
		size = len(n.data)
	}
	data := make([]byte, size)
	copy(data, n.disk)
	for at := 0; at*pageBytes < len(n.data); at++ {
		if !n.dirty[at] || rng.Float64() >= keep {
			continue
		}
		from, to := at*pageBytes, min((at+1)*pageBytes, len(n.data), size)
		if rng.IntN(4) == 0 && from < to { // torn
			to = from + rng.IntN(to-from)
		}
		if from < to {
			copy(data[from:to], n.data[from:to])
		}
	}
	return &node{data: data, disk: append([]byte(nil), data...)}
}

// OpenFile implements disk.FS.
func (f *FS) OpenFile(name string, flag int, _ fs.FileMode) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("open", name, flag&os.O_CREATE != 0 && f.seen[name] == nil); err != nil {
		return nil, err
	}
	n := f.seen[name]
	switch {
	case n == nil && (flag&os.O_CREATE == 0 || f.seen[filepath.Dir(name)] == nil):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n == nil:
		n = &node{dirty: map[int]bool{}}
		f.seen[name] = n
	case flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n.dir && flag&(os.O_WRONLY|os.O_RDWR) != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	if flag&os.O_TRUNC != 0 {
		n.resize(0)
	}
	return &file{fs: f, node: n, name: name, flag: flag}, nil
}

// Stat implements disk.FS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("stat", name, false); err != nil {
		return nil, err
	}
	n := f.seen[name]
	if n == nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info{node: n, name: filepath.Base(name), size: int64(len(n.data))}, nil
}

// Rename implements disk.FS.
func (f *FS) Rename(oldName, newName string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("rename", oldName, true); err != nil {
		return err
	}
	n := f.seen[oldName]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: oldName, Err: fs.ErrNotExist}
	}
	delete(f.seen, oldName)
	f.seen[newName] = n
	return nil
}

// Remove implements disk.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("remove", name, true); err != nil {
		return err
	}
	if f.seen[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(f.seen, name)
	return nil
}

// Mkdir implements disk.FS.
func (f *FS) Mkdir(name string, _ fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("mkdir", name, true); err != nil {
		return err
	}
	if f.seen[name] != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	f.seen[name] = &node{dir: true}
	return nil
}

// ReadDir implements disk.FS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("readdir", name, false); err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for _, path := range f.paths() {
		if n := f.seen[path]; n != nil && path != name && filepath.Dir(path) == name {
			entries = append(entries, fs.FileInfoToDirEntry(info{node: n, name: filepath.Base(path), size: int64(len(n.data))}))
		}
	}
	return entries, nil
}

// SyncDir implements disk.FS.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("syncdir", name, true); err != nil {
		return err
	}
	for _, path := range f.paths() {
		if filepath.Dir(path) != name {
			continue
		}
		if n := f.seen[path]; n != nil {
			f.disk[path] = n
		} else {
			delete(f.disk, path)
		}
	}
	return nil
}

// Edit replaces the contents of a file, as if it were another disk; for damage.
func (f *FS) Edit(name string, change func(data []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.seen[name]
	if n == nil {
		n = &node{}
		f.seen[name], f.disk[name] = n, n
	}
	n.data = change(append([]byte(nil), n.data...))
	n.disk, n.dirty = append([]byte(nil), n.data...), map[int]bool{}
}

// Read returns the contents of a file, without counting as an operation.
func (f *FS) Read(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.seen[name]; n != nil {
		return append([]byte(nil), n.data...)
	}
	return nil
}

// Files lists the names of the files below a directory, in order.
func (f *FS) Files(dir string) (files []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.paths() {
		if n := f.seen[path]; n != nil && !n.dir && strings.HasPrefix(path, dir+"/") {
			files = append(files, path)
		}
	}
	return files
}

// Clone returns a file system with the same files, all of them on the disk.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &FS{seen: names{}, disk: names{}}
	for path, n := range f.seen {
		m := &node{dir: n.dir, data: append([]byte(nil), n.data...), disk: append([]byte(nil), n.data...), dirty: map[int]bool{}}
		c.seen[path], c.disk[path] = m, m
	}
	return c
}

type info struct {
	node *node
	name string
	size int64
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.node.dir }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.node.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// SameFile is asked by disk.SameFile.
func (i info) SameFile(other fs.FileInfo) bool {
	o, ok := other.(info)
	return ok && o.node == i.node
}
