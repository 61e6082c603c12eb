package wal

import (
	"testing"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/disk/faultfs"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/queuetest"
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
