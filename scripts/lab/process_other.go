//go:build !linux

package lab

import (
	"errors"
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return nil }

// ProcessCPU is not known here.
func ProcessCPU(int) (time.Duration, error) {
	return 0, errors.New("the CPU time of another process is read on Linux only")
}

// Monotonic is not known here.
func Monotonic() (now time.Time, ns int64, known bool) { return time.Time{}, 0, false }
