package disk

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// syncData leaves out what is not needed to read the contents again, such as the time of
// the last change: for that alone a file system would write its journal.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		runtime.KeepAlive(f) // or else it may be closed meanwhile
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return &fs.PathError{Op: "sync", Path: f.Name(), Err: err}
		default:
			return nil
		}
	}
}

// beginSync is a hint. An error of the disk is not lost with it: the next Sync tells.
func beginSync(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	runtime.KeepAlive(f) // or else it may be closed meanwhile
}
