package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// allocate takes the blocks; file systems that cannot are content with the size.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
		return f.Truncate(size)
	case err != nil:
		return &fs.PathError{Op: "allocate", Path: f.Name(), Err: err}
	}
	return nil
}
