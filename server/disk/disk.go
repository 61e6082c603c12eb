// Package disk is the one door through which the platform touches files. The
// rest of the code sees FS and File; OS is the real one, and tests put a failing
// one in its place.
package disk

import (
	"io"
	"io/fs"
	"os"
)

// File is an open file. Write appends when the file was opened with O_APPEND.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
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
}

// OS is the operating system's file system.
type OS struct{}

// OpenFile implements FS with os.OpenFile.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File in an interface is not nil
	}
	return f, nil
}

// Stat implements FS with os.Stat.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Rename implements FS with os.Rename.
func (OS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

// Remove implements FS with os.Remove.
func (OS) Remove(name string) error { return os.Remove(name) }

// ReadDir implements FS with os.ReadDir.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
