package lab

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes keep a terminal's Ctrl-C from the children, which are stopped in order,
// and end them when this program is killed and cannot.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// cpuClock tells the kernel that a process' CPU time is asked for, as
// clock_getcpuclockid(3) does: the complement of the process' number, then the kind.
const cpuClock = 2

// ProcessCPU returns the CPU time that a running process has used so far, to the
// nanosecond where /proc would round to hundredths of a second.
func ProcessCPU(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClock), &t); err != nil {
		return 0, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Monotonic reads the kernel's monotonic clock, in ns, and Go's right after it.
func Monotonic() (now time.Time, ns int64, known bool) {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return time.Time{}, 0, false
	}
	return time.Now(), t.Nano(), true
}
