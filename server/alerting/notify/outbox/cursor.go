package outbox

import (
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"phase0/server/disk"
)

const (
	cursorBytes = 12
	// cursorEntries is how long a cursor file grows before it is written anew.
	cursorEntries = 4096
)

// cursor remembers on disk how far a receiver is. One goroutine uses it at a time.
type cursor struct {
	fs      disk.FS
	path    string
	file    disk.File // nil: to be written anew
	entries int
}

// openCursor returns the cursor of a receiver and what it says; known is false when the
// receiver has none yet, and next is 0 when it has one that cannot be read.
func openCursor(fsys disk.FS, dir, receiver string) (c *cursor, next uint64, known bool, err error) {
	c = &cursor{fs: fsys, path: filepath.Join(dir, receiver+cursorSuffix)}
	file, err := fsys.OpenFile(c.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return c, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, false, err
	}
	content := make([]byte, min(info.Size(), 2*cursorEntries*cursorBytes))
	if err := readFull(file, content, 0); err != nil {
		return nil, 0, false, err
	}
	return c, lastEntry(content), true, nil
}

// lastEntry returns what the last intact entry says, 0 when there is none.
func lastEntry(content []byte) (next uint64) {
	for ; len(content) >= cursorBytes; content = content[cursorBytes:] {
		if little.Uint32(content[8:]) == crc32.Checksum(content[:8], castagnoli) {
			next = little.Uint64(content)
		}
	}
	return next
}

// save appends an entry. It is not synced, because to repeat a delivery is allowed, and
// a sync per delivery would take longer than most deliveries.
func (c *cursor) save(next uint64) error {
	if c.file == nil || c.entries >= cursorEntries {
		return c.rewrite(next)
	}
	if _, err := c.file.Write(cursorEntry(next)); err != nil {
		// Half an entry would put all that follow out of step.
		return errors.Join(err, c.close())
	}
	c.entries++
	return nil
}

func cursorEntry(next uint64) []byte {
	entry := little.AppendUint64(nil, next)
	return little.AppendUint32(entry, crc32.Checksum(entry, castagnoli))
}

// rewrite replaces the file by one entry, synced.
func (c *cursor) rewrite(next uint64) error {
	if err := c.close(); err != nil {
		return err
	}
	if err := replace(c.fs, c.path, cursorEntry(next)); err != nil {
		return err
	}
	file, err := c.fs.OpenFile(c.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	c.file, c.entries = file, 1
	return nil
}

func (c *cursor) close() error {
	if c.file == nil {
		return nil
	}
	file := c.file
	c.file = nil
	return errors.Join(file.Sync(), file.Close())
}
