package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// Sharpen lets the kernel wake the calling thread without the 50 µs of slack
// that it uses to bunch timers. The thread must be locked to its goroutine.
func Sharpen() {
	// Without it sleeps are later; the send lag shows that.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}

// nap sleeps in the kernel: Go's own timers wake half a millisecond late.
func nap(d time.Duration) {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		time.Sleep(d)
		return
	}
	until := unix.NsecToTimespec(now.Nano() + int64(d))
	// A signal ends the sleep early; the caller looks at the clock again.
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil)
}
