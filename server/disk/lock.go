package disk

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrLocked is returned by Acquire when another process holds the lock.
var ErrLocked = errors.New("already in use")

// Lock keeps a second server away from a data file. It is a file of its own,
// because the data file may be replaced while the server runs.
type Lock struct{ file *os.File }

// Acquire takes the lock on path+".lock" and writes the process id into it. The
// error wraps ErrLocked, and names the holder, when another process has it.
// The kernel frees the lock when the process ends, however it ends; the file
// stays, since removing it would race with the next server.
func Acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w by process %s", path, ErrLocked, holder(f))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{file: f}, nil
}

func holder(f *os.File) string {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0) // a short read is the normal case
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return pid
	}
	return "unknown"
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.file.Close() }
