//go:build !linux

package engine

import "time"

// timerError is how late the runtime's timers may wake, about.
const timerError = time.Millisecond

// Sharpen has no effect on this platform.
func Sharpen() {}

// nap sleeps until shortly before the end and spins through the rest.
func nap(d time.Duration) {
	end := time.Now().Add(d)
	if d > timerError {
		time.Sleep(d - timerError)
	}
	for time.Now().Before(end) {
	}
}
