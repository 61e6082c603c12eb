package engine

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestSleepUntilIsNeverEarly(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := StartClock()
	for i := range int64(20) {
		due := i * int64(300*time.Microsecond)
		if !c.SleepUntil(t.Context(), due, 20*time.Microsecond) {
			t.Fatal("interrupted")
		}
		if now := c.Now(); now < due {
			t.Errorf("woke at %d, before %d", now, due)
		}
	}
}

func TestSleepUntilNoticesTheEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	c := StartClock()
	if c.SleepUntil(ctx, int64(time.Hour), 0) {
		t.Error("slept to the end")
	}
	if c.Now() > int64(10*time.Second) {
		t.Error("noticed the end late")
	}
	if c.SleepUntil(ctx, 0, 0) {
		t.Error("goes on after the end")
	}
}
