package storage

import (
	"os"
	"path/filepath"

	"phase0/server/disk"
)

// Synced knows how much of a storage file is on the disk. The zero value knows nothing.
type Synced struct {
	size   int64
	failed bool // a sync failed: what stands behind size has to be written again
	named  bool // the directory was synced since the file was opened
}

// Sync brings the file, which is open as f, to the disk.
func (s *Synced) Sync(fsys disk.FS, path string, f disk.File) (disk.Mark, error) {
	info, err := f.Stat()
	if err != nil {
		return disk.Mark{}, err
	}
	size := info.Size()
	if s.failed {
		if err := rewrite(fsys, path, s.size, size); err != nil {
			return disk.Mark{}, err
		}
	}
	if err := f.Sync(); err != nil {
		s.failed = true
		return disk.Mark{}, err
	}
	if !s.named {
		if err := fsys.SyncDir(filepath.Dir(path)); err != nil {
			return disk.Mark{}, err
		}
	}
	s.size, s.failed, s.named = size, false, true
	return disk.MarkOf(f, size)
}

// rewrite writes a stretch of the file over itself, which cannot be done with a file that
// is open for appending.
func rewrite(fsys disk.FS, path string, from, to int64) error {
	f, err := fsys.OpenFile(path, os.O_RDWR|NoWait, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return disk.Rewrite(f, min(from, to), to)
}
