package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	stagingPrefix = ".staging-"
	// sweepAfter is how old a directory must be that is taken for left behind: between
	// its creation and its lock nobody holds it.
	sweepAfter = time.Minute
	// spareBytes must be free beside what a plan needs: for a report, its plots and what
	// else the machine writes meanwhile.
	spareBytes = 64 << 20
)

// ErrSpace is returned when the file system has too little room for a plan.
var ErrSpace = errors.New("too little free space")

// staging is a directory in which files are written until they are complete. Its owner
// holds a lock on it, so that others can tell it from one that was left behind.
type staging struct {
	dir  string
	lock *os.File
}

func newStaging(parent string) (*staging, error) {
	dir, err := os.MkdirTemp(parent, stagingPrefix)
	if err != nil {
		return nil, err
	}
	s := &staging{dir: dir}
	if s.lock, err = os.Open(dir); err == nil {
		err = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), s.remove())
	}
	return s, nil
}

// publish writes the files, syncs them and gives the directory its name.
func (s *staging) publish(files map[string][]byte, dir string) error {
	for name, content := range files {
		if err := writeFile(filepath.Join(s.dir, name), content); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return errors.Join(os.Chmod(s.dir, 0o755), os.Rename(s.dir, dir))
}

func writeFile(path string, content []byte) error {
	file, err := os.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// remove removes what was not published.
func (s *staging) remove() error {
	err := os.RemoveAll(s.dir)
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// sweep removes the directories that dead runs left in parent.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagingPrefix) {
			if err := sweepOne(filepath.Join(parent, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func sweepOne(dir string) error {
	held, err := os.Open(filepath.Clean(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil // its owner was faster
	}
	if err != nil {
		return err
	}
	defer held.Close()
	info, err := held.Stat()
	if err != nil {
		return err
	}
	if time.Since(info.ModTime()) < sweepAfter || syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // young, or somebody's
	}
	return os.RemoveAll(dir)
}

// Require returns an error that wraps ErrSpace and says what is needed and what there is,
// unless the file system of the results has that many bytes and some to spare.
func (s *Store) Require(need int64) error {
	free, err := freeBytes(s.root)
	if err != nil {
		return fmt.Errorf("ask for free space: %w", err)
	}
	if need += spareBytes; need > free {
		return fmt.Errorf("%w in %s: this plan needs about %s at once, and %s are free; -o chooses another place, -only measures less", ErrSpace, s.root, byteSize(float64(need)), byteSize(float64(free)))
	}
	return nil
}

// freeBytes is what a user without privileges may still write to dir's file system.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
