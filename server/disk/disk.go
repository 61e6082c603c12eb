// Package disk is the one door through which the platform touches files. The
// rest of the code sees FS and File; OS is the real one, and tests put a failing
// one in its place.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is an open file. Write appends when the file was opened with O_APPEND, and
// WriteAt fails then.
type File interface {
	io.Writer
	io.WriterAt
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Allocate makes the file size bytes long and takes the room for it, so that a later
	// write within it needs none. What was not written reads as zeros.
	Allocate(size int64) error
	// Sync returns when the contents are on the disk. After it failed it is unknown which
	// of them are, and a Sync that succeeds later does not tell: what was written since
	// the last one that did not fail has to be written again.
	Sync() error
}

// FS opens and names files. Implementations are safe for concurrent use; errors
// are *fs.PathError as in package os.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Stat(name string) (fs.FileInfo, error)
	// Rename replaces what has the new name, in one step.
	Rename(oldName, newName string) error
	Remove(name string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Mkdir makes one directory.
	Mkdir(name string, perm fs.FileMode) error
	// SyncDir returns when it is on the disk what the directory holds under which name.
	SyncDir(name string) error
}

// OS is the operating system's file system.
type OS struct{}

// OpenFile implements FS with os.OpenFile.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File in an interface is not nil
	}
	return osFile{f}, nil
}

type osFile struct{ *os.File }

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }

func (f osFile) Sync() error { return syncData(f.File) }

func (f osFile) beginSync() { beginSync(f.File) }

// BeginSync lets the system begin to write to the disk what f holds, where it can, and does
// not wait for it: a Sync has less to do then. It promises nothing.
func BeginSync(f File) {
	if f, ok := f.(interface{ beginSync() }); ok {
		f.beginSync()
	}
}

// Stat implements FS with os.Stat.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Rename implements FS with os.Rename.
func (OS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

// Remove implements FS with os.Remove.
func (OS) Remove(name string) error { return os.Remove(name) }

// ReadDir implements FS with os.ReadDir.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Mkdir implements FS with os.Mkdir.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// SyncDir implements FS with fsync on the directory.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// SameFile tells whether two descriptions, by Stat of a File or of an FS, are of one file.
func SameFile(a, b fs.FileInfo) bool {
	if own, ok := a.(interface{ SameFile(fs.FileInfo) bool }); ok {
		return own.SameFile(b)
	}
	return os.SameFile(a, b)
}
