package pulse

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadCPU is the CPU time of the thread that calls it.
func threadCPU() (used time.Duration, known bool) {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
