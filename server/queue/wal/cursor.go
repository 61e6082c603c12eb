package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"phase0/server/disk"
)

// cursorFile writes the cursor. The slots take turns, so that a write that fails or tears
// leaves the last cursor that is known to be there.
type cursorFile struct {
	file disk.File
	last cursor // on the disk
}

// openCursor opens the file of an existing cursor, which was read from it. A process that was
// killed, or whose sync failed, may have left one that can be read and is not on the disk: it
// is put there before segments are removed, or the other slot is written, because of it.
func openCursor(fsys disk.FS, dir string, read cursor) (cursorFile, error) {
	file, err := fsys.OpenFile(cursorPath(dir), os.O_RDWR, 0)
	if err != nil {
		return cursorFile{}, err
	}
	f := cursorFile{file: file}
	if err := f.put(read); err != nil {
		return cursorFile{}, errors.Join(err, f.close())
	}
	return f, nil
}

// createCursor makes the first cursor of a directory. It appears in one step, so that
// there is never one that cannot be read.
func createCursor(fsys disk.FS, dir string, first cursor) error {
	temporary := cursorPath(dir) + ".new"
	f, err := fsys.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if err = f.Allocate(cursorBytes); err == nil {
		c := cursorFile{file: f}
		// Twice, for both slots: one that is damaged is not the only one.
		if err = c.write(first); err == nil {
			err = c.write(first)
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := fsys.Rename(temporary, cursorPath(dir)); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// write puts c, whose generation it sets, on the disk.
func (f *cursorFile) write(c cursor) error {
	c.generation = f.last.generation + 1
	return f.put(c)
}

func (f *cursorFile) put(c cursor) error {
	if _, err := f.file.WriteAt(c.appendTo(nil), int64(c.generation%2)*slotDistance); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	f.last = c
	return nil
}

func (f *cursorFile) close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}

// parent is where the name of a file stands.
func parent(path string) string { return filepath.Dir(path) }
