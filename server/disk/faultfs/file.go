package faultfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is an open file.
type file struct {
	fs   *FS
	node *node
	name string
	flag int
}

func (f *file) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.write(p, int64(len(f.node.data)))
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if f.flag&os.O_APPEND != 0 {
		return 0, errors.New("WriteAt on a file that is open for appending")
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.write(p, off)
}

// write does half of its work when the fault is a short one, or the power goes off.
func (f *file) write(p []byte, off int64) (int, error) {
	if f.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrPermission}
	}
	wasOff := f.fs.off
	if err := f.fs.step("write", f.name, true); err != nil {
		if wasOff || !f.fs.fault.Short && !f.fs.off {
			return 0, err
		}
		f.node.put(p[:len(p)/2], off)
		return len(p) / 2, err
	}
	f.node.put(p, off)
	return len(p), nil
}

func (n *node) put(p []byte, off int64) {
	if len(p) == 0 {
		return // nor does it make the file longer
	}
	end := int(off) + len(p)
	if end > len(n.data) {
		n.resize(end)
	}
	copy(n.data[off:], p)
	n.mark(int(off), end)
}

// mark notes what a sync has to write.
func (n *node) mark(from, to int) {
	if n.dirty == nil {
		n.dirty = map[int]bool{}
	}
	for at := from / pageBytes; at*pageBytes < to; at++ {
		n.dirty[at] = true
	}
}

func (n *node) resize(size int) {
	if size < len(n.data) {
		n.mark(size, len(n.data))
		n.data = n.data[:size]
		return
	}
	n.data = append(n.data, make([]byte, size-len(n.data))...)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("read", f.name, false); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("stat", f.name, false); err != nil {
		return nil, err
	}
	return info{node: f.node, name: filepath.Base(f.name), size: int64(len(f.node.data))}, nil
}

func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("truncate", f.name, true); err != nil {
		return err
	}
	f.node.resize(int(size))
	return nil
}

func (f *file) Allocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("allocate", f.name, true); err != nil {
		return err
	}
	if int(size) > len(f.node.data) {
		f.node.resize(int(size))
	}
	return nil
}

// Sync writes the pages that changed. If it fails it drops them.
func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n := f.node
	if err := f.fs.step("sync", f.name, true); err != nil {
		if !f.fs.off {
			n.dirty = map[int]bool{}
		}
		return err
	}
	if len(n.disk) > len(n.data) {
		n.disk = n.disk[:len(n.data)]
	}
	n.disk = append(n.disk, make([]byte, len(n.data)-len(n.disk))...)
	for at := range n.dirty {
		if from := at * pageBytes; from < len(n.data) {
			copy(n.disk[from:min(from+pageBytes, len(n.data))], n.data[from:])
		}
	}
	n.dirty = map[int]bool{}
	return nil
}

func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.fs.step("close", f.name, false)
}
