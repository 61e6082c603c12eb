package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"phase0/bench/trial"
)

// stopped suspends the process.
type stopped struct {
	trial.Calm
	state byte // while it was suspended, as /proc tells it
}

// Strike implements trial.Fault.
func (f *stopped) Strike(_ context.Context, v trial.Victim) error {
	if err := syscall.Kill(v.PID, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop process: %w", err)
	}
	return nil
}

// Heal implements trial.Fault.
func (f *stopped) Heal(_ context.Context, v trial.Victim) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.PID))
	if at := bytes.LastIndexByte(stat, ')'); err == nil && at >= 0 && at+2 < len(stat) {
		f.state = stat[at+2]
	}
	if err := syscall.Kill(v.PID, syscall.SIGCONT); err != nil {
		return fmt.Errorf("continue process: %w", err)
	}
	return nil
}

// Seen implements trial.Fault.
func (f *stopped) Seen(context.Context, trial.Victim) (string, []string, error) {
	if f.state != 'T' {
		return "", nil, fmt.Errorf("the process was in state %q", f.state)
	}
	return "stood still", nil, nil
}

// fullDisk puts the data on a small file system and fills it.
type fullDisk struct {
	trial.Calm
	dir          string // where it is mounted; empty when it is not
	before, held int64  // bytes of the storage file
}

// diskBytes is the size of the small file system: room for the preallocated segments
// of a log, and filled within a tenth of a second.
const diskBytes = 256 << 20

// pageBytes may still be written to the last page of a file on a full tmpfs.
const pageBytes = 4096

// fullDiskPossible says why no file system can be mounted here, or nothing.
func fullDiskPossible() string {
	dir, err := os.MkdirTemp("", "chaos-mount-")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.Remove(dir) }() // an empty directory among temporary files
	if err := mountSmall(dir); err != nil {
		return fmt.Sprintf("a small file system cannot be mounted: %v", err)
	}
	if err := syscall.Unmount(dir, 0); err != nil {
		return err.Error()
	}
	return ""
}

func mountSmall(dir string) error {
	return syscall.Mount("chaos", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, fmt.Sprintf("size=%d,mode=0700", diskBytes))
}

// Prepare implements trial.Fault.
func (f *fullDisk) Prepare(dir string) ([]string, error) {
	if err := mountSmall(dir); err != nil {
		return nil, fmt.Errorf("mount small file system: %w", err)
	}
	f.dir = dir
	return nil, nil
}

func (f *fullDisk) ballast() string { return filepath.Join(f.dir, "ballast") }

// Strike implements trial.Fault.
func (f *fullDisk) Strike(_ context.Context, v trial.Victim) error {
	file, err := os.Create(f.ballast())
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	for _, size := range []int{1 << 20, pageBytes} {
		chunk := make([]byte, size)
		for written := 0; err == nil && written <= diskBytes; written += size {
			_, err = file.Write(chunk)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("fill disk: %w", errors.Join(err, file.Close()))
		}
		err = nil
	}
	f.before = fileSize(v.Data)
	if err := file.Close(); err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	return nil
}

// Heal implements trial.Fault.
func (f *fullDisk) Heal(_ context.Context, v trial.Victim) error {
	f.held = fileSize(v.Data)
	if err := os.Remove(f.ballast()); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	return nil
}

// Seen implements trial.Fault.
func (f *fullDisk) Seen(context.Context, trial.Victim) (string, []string, error) {
	if grown := f.held - f.before; grown > pageBytes {
		return "", nil, fmt.Errorf("the file grew by %d bytes on a full disk", grown)
	}
	return "file stood still", nil, nil
}

// Close implements trial.Fault.
func (f *fullDisk) Close() error {
	if f.dir == "" {
		return nil
	}
	if err := syscall.Unmount(f.dir, 0); err != nil {
		return fmt.Errorf("unmount small file system: %w", err)
	}
	f.dir = ""
	return nil
}

// sizeLimit forbids the process files that are larger than the storage file is.
type sizeLimit struct {
	trial.Calm
	old         unix.Rlimit
	limit, held int64
}

// limitRoom is how much the file may still grow: not a whole number of lines, so that
// one is torn.
const limitRoom = 1001

// Strike implements trial.Fault.
func (f *sizeLimit) Strike(_ context.Context, v trial.Victim) error {
	f.limit = fileSize(v.Data) + limitRoom
	if err := unix.Prlimit(v.PID, unix.RLIMIT_FSIZE, nil, &f.old); err != nil {
		return fmt.Errorf("read limit of file size: %w", err)
	}
	tight := unix.Rlimit{Cur: uint64(f.limit), Max: f.old.Max}
	if err := unix.Prlimit(v.PID, unix.RLIMIT_FSIZE, &tight, nil); err != nil {
		return fmt.Errorf("limit file size: %w", err)
	}
	return nil
}

// Heal implements trial.Fault.
func (f *sizeLimit) Heal(_ context.Context, v trial.Victim) error {
	f.held = fileSize(v.Data)
	if err := unix.Prlimit(v.PID, unix.RLIMIT_FSIZE, &f.old, nil); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("lift limit of file size: %w", err) // a process that is gone has been found out
	}
	return nil
}

// Seen implements trial.Fault. Without the limit the load would have made the file many
// times longer; with a log in front of it, which is longer already, it stays where it was.
func (f *sizeLimit) Seen(context.Context, trial.Victim) (string, []string, error) {
	room := f.limit - f.held
	if room > limitRoom || room < 0 {
		return "", nil, fmt.Errorf("the file ended %d bytes before its limit", room)
	}
	return fmt.Sprintf("file %d bytes below its limit", room), nil, nil
}

// fileSize is 0 for a file that is not there.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
