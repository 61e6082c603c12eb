// Package batched is a storage that keeps its file open and writes all samples of
// one Append with one system call, up to WriteBytes at a time.
package batched

import (
	"context"
	"fmt"
	"os"

	"phase0/server/disk"
	"phase0/server/sample"
	"phase0/server/storage"
)

// WriteBytes is the size at which lines are handed to the kernel. Larger writes
// no longer save time, and they would make a failed one cost more.
const WriteBytes = 256 << 10

// beginBytes is how much is appended before the system is asked to write it to the disk.
// Those who sync what else is on that disk wait for as much, at most.
const beginBytes = 8 << 20

// Store implements storage.Store. Create it with New.
type Store struct {
	fs    disk.FS
	path  string
	file  disk.File // nil when it has to be opened (again)
	lines []byte
	fresh int // bytes appended since BeginSync did something

	ending storage.Ending
	synced storage.Synced
}

// New prepares the file at path, creating it where it is missing.
func New(fsys disk.FS, path string) (*Store, error) {
	torn, err := storage.Prepare(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("prepare storage file: %w", err)
	}
	return &Store{fs: fsys, path: path, ending: storage.Ending{Torn: torn}, lines: make([]byte, 0, WriteBytes+sample.MaxLineBytes)}, nil
}

// Append stores samples in as few writes as WriteBytes allows.
func (s *Store) Append(ctx context.Context, samples []sample.Sample) (int, error) {
	if err := s.reopen(); err != nil {
		return 0, fmt.Errorf("append to storage file: %w", err)
	}
	done := 0
	for done < len(samples) {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		n := s.fill(samples[done:])
		if err := s.ending.WriteLines(s.file, s.lines); err != nil {
			return done, fmt.Errorf("append to storage file: %w", err)
		}
		s.fresh += len(s.lines)
		done += n
	}
	return done, nil
}

// fill encodes samples until the buffer is full and returns how many it took.
func (s *Store) fill(samples []sample.Sample) (n int) {
	s.lines = s.lines[:0]
	if s.ending.Torn {
		s.lines = append(s.lines, '\n')
	}
	for n < len(samples) && len(s.lines) < WriteBytes {
		s.lines = sample.AppendLine(s.lines, samples[n])
		n++
	}
	return n
}

// reopen makes sure that s.file is what stands at the path: a file that was
// deleted or replaced by somebody else would swallow everything otherwise. Somebody who
// appended to it may have left a torn line.
func (s *Store) reopen() error {
	if s.file != nil {
		if size, ok := s.current(); ok {
			return s.ending.Resume(s.fs, s.path, s.file, size)
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	torn, err := storage.Prepare(s.fs, s.path)
	if err != nil {
		return err
	}
	f, err := s.fs.OpenFile(s.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|storage.NoWait, 0o644)
	if err != nil {
		return err
	}
	s.file, s.ending.Torn, s.synced = f, torn, storage.Synced{}
	return nil
}

// current returns the size of s.file if it is what stands at the path.
func (s *Store) current() (size int64, ok bool) {
	mine, err := s.file.Stat()
	if err != nil {
		return 0, false
	}
	there, err := s.fs.Stat(s.path)
	return mine.Size(), err == nil && disk.SameFile(mine, there)
}

// Sync implements storage.Store.
func (s *Store) Sync() (disk.Mark, error) {
	if err := s.reopen(); err != nil {
		return disk.Mark{}, fmt.Errorf("sync storage file: %w", err)
	}
	if err := s.ending.Mend(s.file); err != nil {
		return disk.Mark{}, fmt.Errorf("sync storage file: %w", err)
	}
	mark, err := s.synced.Sync(s.fs, s.path, s.file)
	if err != nil {
		return disk.Mark{}, fmt.Errorf("sync storage file: %w", err)
	}
	return mark, nil
}

// BeginSync makes the next Sync shorter, when enough was appended for that: what it finds
// is under way to the disk already. It belongs to the goroutine of Append.
func (s *Store) BeginSync() {
	if s.file == nil || s.fresh < beginBytes {
		return
	}
	disk.BeginSync(s.file)
	s.fresh = 0
}

// Open implements storage.Store.
func (s *Store) Open() (storage.View, error) { return storage.OpenView(s.fs, s.path) }

// Close implements storage.Store. A later Append opens the file again.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}
