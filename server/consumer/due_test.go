package consumer

import (
	"context"
	"errors"
	"testing"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/memory"
)

// leftover is a durable queue of whose earlier process something was not synced.
type leftover struct {
	queue.Queue
	due         bool
	checkpoints int
}

func (q *leftover) Due() bool { return q.due }

func (q *leftover) Checkpoint(disk.Mark) error {
	q.due = false
	q.checkpoints++
	return nil
}

// A checkpoint that is due at the start is made although nothing is pushed: a log that is full of
// what is stored takes nothing before.
func TestCheckpointThatIsDueAtTheStart(t *testing.T) {
	for _, due := range []bool{true, false} {
		q := &leftover{Queue: memory.New(), due: due}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := New(Config{Queue: q, Store: &flakyStore{}, Log: zerolog.Nop()})
		if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if made := q.checkpoints == 1; made != due {
			t.Errorf("due %t: %d checkpoints", due, q.checkpoints)
		}
	}
}
