package machine

import (
	"runtime"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// TestWatchSeesAThreadThatEnds: an engine's thread is locked and gone when the
// run is over.
func TestWatchSeesAThreadThatEnds(t *testing.T) {
	var g record.Generator
	var sum float64
	for range 3 { // a machine that itself stands still for a while gives a thread neither
		g = watchBusyThread()
		// The machine may be busy, but the thread was on a core or waited for one.
		if sum = g.BusiestThreadShare + g.BusiestThreadWaitShare; sum >= 0.5 {
			break
		}
	}
	if sum < 0.5 || sum > 1.1 {
		t.Errorf("a thread that is always busy is seen as %+v", g)
	}
}

// watchBusyThread watches while a thread is busy, to its end.
func watchBusyThread() (g record.Generator) {
	w := WatchThreads()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for start := time.Now(); time.Since(start) < 4*samplePeriod; {
		}
	}()
	<-done
	w.Fill(&g)
	w.Stop()
	return g
}

func TestReadSeesTheMachine(t *testing.T) {
	before := Read()
	for start := time.Now(); time.Since(start) < 10*tick; {
	}
	after := Read()
	if after.ours.programs <= before.ours.programs || after.all.total <= before.all.total {
		t.Errorf("CPU time stands still: %+v, then %+v", before, after)
	}
	if m := before.Until(after, 0); m.OtherCPUShare <= 0 || m.RetransmittedSegments < 0 {
		t.Errorf("machine %+v", m)
	}
}
