package wal

import (
	"testing"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/disk/faultfs"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/queuetest"
	"phase0/server/sample"
)

func config(fsys disk.FS, data string) Config {
	return Config{FS: fsys, Data: data, Limit: bounded.Limit{Samples: 20_000, Bytes: 64 << 20}, Bytes: 8 << 20, SegmentBytes: 1 << 20, Log: zerolog.Nop()}
}

func open(t testing.TB, c Config) *Queue {
	t.Helper()
	q, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Release(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func TestContract(t *testing.T) {
	for _, policy := range []string{"always", "interval=100ms", "none"} {
		t.Run(policy, func(t *testing.T) {
			queuetest.Run(t, func() queue.Queue {
				c := config(faultfs.New(root), data)
				var err error
				if c.Sync, err = ParsePolicy(policy); err != nil {
					t.Fatal(err)
				}
				q, err := Open(c) // not released: some of the suite runs in bubbles of its own
				if err != nil {
					t.Fatal(err)
				}
				return q
			})
		})
	}
}

// Between the halves of a push its samples belong to the log, and a log that is closed
// meanwhile has them all the same.
func TestBegin(t *testing.T) {
	for _, closed := range []bool{false, true} {
		q := open(t, config(faultfs.New(root), data))
		batch := []sample.Sample{{Name: "a", Value: 1}, {Name: "b", Value: 2}}
		pending, err := q.Begin(batch)
		if err != nil {
			t.Fatal(err)
		}
		clear(batch)
		if depth := q.mem.Stats().Depth; depth != 2 || q.mem.Stats().Pushed != 0 {
			t.Errorf("begun: depth %d, pushed %d", depth, q.mem.Stats().Pushed)
		}
		if closed {
			q.Close()
		}
		if err := pending.Wait(); err != nil {
			t.Fatal(err)
		}
		got, err := q.Pop(t.Context(), queue.Want{Samples: 5, Bytes: 1 << 20})
		if err != nil || len(got) != 2 || got[0].Name != "a" || got[1].Value != 2 {
			t.Errorf("closed %t: got %+v, %v", closed, got, err)
		}
		q.Ack()
	}
}
