// Package jsonl is the seed's storage: for every sample it opens the file,
// appends one line and closes the file. Three system calls a sample are the
// bottleneck that it is here to show.
package jsonl

import (
	"context"
	"fmt"
	"os"

	"phase0/server/disk"
	"phase0/server/sample"
	"phase0/server/storage"
)

// Store implements storage.Store. Create it with New.
type Store struct {
	fs   disk.FS
	path string
	line []byte

	ending storage.Ending
	synced storage.Synced
}

// New prepares the file at path, creating it where it is missing.
func New(fsys disk.FS, path string) (*Store, error) {
	torn, err := storage.Prepare(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("prepare storage file: %w", err)
	}
	return &Store{fs: fsys, path: path, ending: storage.Ending{Torn: torn}}, nil
}

// Append stores one sample after the other.
func (s *Store) Append(ctx context.Context, samples []sample.Sample) (int, error) {
	for i, sm := range samples {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		if err := s.append(sm, i == 0); err != nil {
			return i, fmt.Errorf("append to storage file: %w", err)
		}
	}
	return len(samples), nil
}

// append stores a sample. The first of several looks at the file before.
func (s *Store) append(sm sample.Sample, first bool) error {
	f, err := s.fs.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|storage.NoWait, 0o644)
	if err != nil {
		return err
	}
	if first {
		if err := s.resume(f); err != nil {
			f.Close()
			return err
		}
	}
	s.line = s.line[:0]
	if s.ending.Torn {
		s.line = append(s.line, '\n')
	}
	s.line = sample.AppendLine(s.line, sm)
	if err := s.ending.WriteLines(f, s.line); err != nil {
		f.Close()
		return err
	}
	// The line is in the file by now; an error of Close cannot take it back, and
	// appending it again would store it twice.
	f.Close()
	return nil
}

func (s *Store) resume(f disk.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return s.ending.Resume(s.fs, s.path, f, info.Size())
}

// Sync implements storage.Store.
func (s *Store) Sync() (disk.Mark, error) {
	f, err := s.fs.OpenFile(s.path, os.O_RDWR|os.O_CREATE|storage.NoWait, 0o644)
	if err != nil {
		return disk.Mark{}, fmt.Errorf("sync storage file: %w", err)
	}
	defer f.Close()
	if err := s.ending.Mend(f); err != nil {
		return disk.Mark{}, fmt.Errorf("sync storage file: %w", err)
	}
	mark, err := s.synced.Sync(s.fs, s.path, f)
	if err != nil {
		return disk.Mark{}, fmt.Errorf("sync storage file: %w", err)
	}
	return mark, nil
}

// Open implements storage.Store.
func (s *Store) Open() (storage.View, error) { return storage.OpenView(s.fs, s.path) }

// Close implements storage.Store. There is nothing to release.
func (s *Store) Close() error { return nil }
