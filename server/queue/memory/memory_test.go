package memory

import (
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/queue"
	"phase0/server/queue/queuetest"
	"phase0/server/sample"
)

func TestContract(t *testing.T) {
	queuetest.Run(t, func() queue.Queue { return New() })
}

// The seed's consumer sleeps 100 ms when it finds nothing: what comes in the
// meantime waits for the next look.
func TestEmptyQueueIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		start := time.Now()
		go func() {
			time.Sleep(PollInterval / 10)
			if err := q.Push(t.Context(), []sample.Sample{{Name: "a"}}); err != nil {
				t.Error(err)
			}
		}()
		if _, err := q.Pop(t.Context(), queue.Want{Samples: 1}); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != PollInterval {
			t.Errorf("sample was popped after %v, want %v", waited, PollInterval)
		}
	})
}
