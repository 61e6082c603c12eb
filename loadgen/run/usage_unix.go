//go:build unix

package run

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is the process's user and system time.
func processCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
