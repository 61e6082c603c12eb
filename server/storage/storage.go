// Package storage keeps samples in one JSON Lines file, a sample per line, as
// sample.AppendLine writes it. Its contract is Store; the mechanisms are child
// packages that differ in how they append: jsonl opens and closes the file for
// every sample, batched keeps it open and appends many at once. They write the
// same file, so a server may be restarted with another mechanism on the same data.
// Package storagetest is the suite that both pass.
//
// An appended sample survives the end of the process, but not that of the machine before
// Sync has returned. Only a durable queue asks for that.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"phase0/server/disk"
	"phase0/server/sample"
)

// Store appends samples and shows what was appended. Append belongs to one
// goroutine; Open is safe for concurrent use.
type Store interface {
	// Append writes samples in order and returns how many are in the file. When
	// n < len(samples) the error says why; the rest may be appended again without
	// storing anything twice. A failed append leaves no torn line that a later one
	// would continue. When ctx ends it stops between two writes, with ctx's error.
	Append(ctx context.Context, samples []sample.Sample) (n int, err error)
	// Open returns a view of what is stored now. The caller closes it.
	Open() (View, error)
	// Sync brings everything that was appended to the disk and returns the mark of the file.
	// It belongs to the goroutine of Append. It may be called again after an error.
	Sync() (disk.Mark, error)
	// Close releases the file. It may be called more than once.
	Close() error
}

// View is the storage file as it was when the view was opened. Size is in bytes;
// the last line may be torn when an append was under way.
type View interface {
	io.ReaderAt
	io.Closer
	Size() int64
	// Stat describes the file as it is now. A file that did not exist has nothing to
	// describe and no size.
	Stat() (fs.FileInfo, error)
}

// NoWait goes with every opening of the file: a pipe that somebody put in its place is an
// error then, instead of a wait for its other end. For a regular file it changes nothing.
const NoWait = syscall.O_NONBLOCK

// Check refuses what Prepare is going to refuse, and changes nothing. A file that does not
// exist is fine.
func Check(fsys disk.FS, path string) error {
	info, err := fsys.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return notRegular(path)
	}
	f, err := fsys.OpenFile(path, os.O_RDWR|NoWait, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// Prepare readies path for appending: it refuses what is not a regular file,
// finds out whether a file can be written there, and reports whether the last line
// is torn, so that the first append starts a line of its own.
func Prepare(fsys disk.FS, path string) (torn bool, err error) {
	info, err := fsys.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return false, notRegular(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	f, err := fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|NoWait, 0o644)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return tornTail(f)
}

func notRegular(path string) error {
	return fmt.Errorf("%s is not a regular file; choose another path with -data", path)
}

// tornTail reports whether f ends in the middle of a line.
func tornTail(f disk.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, fmt.Errorf("read the end of the file: %w", err)
	}
	return last[0] != '\n', nil
}

// Ending is how a storage file ends. A store keeps one.
type Ending struct {
	// Torn: in the middle of a line that somebody else began. The next line needs a fresh one.
	Torn bool
	// excess bytes at the end are of a write that failed and could not be undone. The file
	// had end bytes then, or -1 if even that could not be asked.
	excess, end int64
	// at is where the last write ended.
	at int64
}

// Resume looks whether somebody else has written to the file at path, which is open as f
// and has size bytes, since the last write: then its last line may be torn. It costs
// nothing when nobody has.
func (e *Ending) Resume(fsys disk.FS, path string, f disk.File, size int64) error {
	if e.excess > 0 {
		if err := e.Mend(f); err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		size = info.Size()
	}
	if size == e.at {
		return nil
	}
	torn, err := Prepare(fsys, path)
	if err != nil {
		return err
	}
	e.Torn, e.at = torn, size
	return nil
}

// WriteLines writes whole lines at the end of f, which is open for appending. When the
// write stops in the middle, the part that got there is cut off again, at the latest before
// the next write: whole lines among it would be stored twice.
func (e *Ending) WriteLines(f disk.File, lines []byte) error {
	if err := e.Mend(f); err != nil {
		return err
	}
	n, err := f.Write(lines)
	if err == nil {
		e.Torn = false
		e.at += int64(len(lines))
		return nil
	}
	if n > 0 {
		e.excess, e.end = int64(n), -1
		if info, statErr := f.Stat(); statErr == nil {
			e.end = info.Size()
		}
		err = errors.Join(err, e.Mend(f))
	}
	return err
}

// Mend cuts off what a failed write left. In a file of another length it is not there.
func (e *Ending) Mend(f disk.File) error {
	if e.excess == 0 {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() >= e.excess && (e.end < 0 || info.Size() == e.end) {
		if err := f.Truncate(info.Size() - e.excess); err != nil {
			return err
		}
	}
	e.excess = 0
	return nil
}

// OpenView opens path for reading. A file that does not exist is an empty view.
func OpenView(fsys disk.FS, path string) (View, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY|NoWait, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return emptyView{}, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return nil, notRegular(path)
	}
	return fileView{File: f, size: info.Size()}, nil
}

type fileView struct {
	disk.File
	size int64
}

func (v fileView) Size() int64 { return v.size }

type emptyView struct{}

func (emptyView) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (emptyView) Size() int64                       { return 0 }
func (emptyView) Close() error                      { return nil }
func (emptyView) Stat() (fs.FileInfo, error)        { return nil, fs.ErrNotExist }
