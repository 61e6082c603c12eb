package enginetest

import (
	"maps"
	"strconv"
	"sync"
	"testing"

	"phase0/loadgen/record"
)

// witness counts what it is told of each request. The zero value is ready to use.
type witness struct {
	mu       sync.Mutex
	calls    map[int64]int
	statuses map[string]int64
	unclear  int64
}

// Answered implements record.Witness.
func (w *witness) Answered(index int64, status int) {
	w.called(index, func() { w.statuses[strconv.Itoa(status)]++ })
}

// Unclear implements record.Witness.
func (w *witness) Unclear(index int64) {
	w.called(index, func() { w.unclear++ })
}

func (w *witness) called(index int64, count func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls, w.statuses = map[int64]int{}, map[string]int64{}
	}
	w.calls[index]++
	count()
}

// check fails the test unless each request that was sent had one call, and the
// calls agree with the accounting.
func (w *witness) check(t *testing.T, a record.Accounting) {
	t.Helper()
	for i, n := range w.calls {
		if n != 1 || i < 0 || i >= a.Scheduled {
			t.Errorf("witness heard %d times of request %d of %d", n, i, a.Scheduled)
		}
	}
	if got := int64(len(w.calls)); got != a.Sent {
		t.Errorf("witness heard of %d requests, %d were sent", got, a.Sent)
	}
	if !maps.Equal(w.statuses, a.StatusCodes) {
		t.Errorf("witness heard of statuses %v, the accounting has %v", w.statuses, a.StatusCodes)
	}
	if want := a.TimedOut + a.Failed + a.Open; w.unclear != want {
		t.Errorf("witness heard of %d unclear requests, want %d", w.unclear, want)
	}
}
