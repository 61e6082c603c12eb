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
