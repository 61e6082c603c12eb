package wal

import (
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
)

// small opens a queue whose segments hold some ten samples, and eight of them are allowed.
func small(t *testing.T) *Queue {
	t.Helper()
	q, err := Open(Config{
		FS: disk.OS{}, Data: filepath.Join(t.TempDir(), "m.jsonl"), Bytes: MinBytes,
		Limit: bounded.Limit{Samples: 100_000, Bytes: 64 << 20}, Sync: Policy{None: true}, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Release(); err != nil {
			t.Error(err)
		}
	})
	q.log.segment = 1 << 10
	q.log.most = q.log.held.Load() + 8*q.log.segment
	q.log.size = q.log.at // the first one is full
	return q
}

func segmentFiles(t *testing.T, q *Queue) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(q.dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

var one = []sample.Sample{{Name: "a", Value: 1, Timestamp: 1}}

// Without a consumer the log refuses at its limit, and what it holds stays below.
func TestLogRefusesAtItsLimit(t *testing.T) {
	q := small(t)
	var err error
	pushed := 0
	for ; err == nil && pushed < 10_000; pushed++ {
		err = q.Push(t.Context(), one)
	}
	if !errors.Is(err, queue.ErrFull) || pushed < 50 || q.log.held.Load() > q.log.most || segmentFiles(t, q) > 9 {
		t.Errorf("%d pushed, %d segments of %d bytes, limit %d, %v", pushed, segmentFiles(t, q), q.log.held.Load(), q.log.most, err)
	}
}

// With one, consumed segments make room again and again.
func TestConsumedSegmentsAreRemoved(t *testing.T) {
	q := small(t)
	for i := range 1000 {
		if err := q.Push(t.Context(), one); err != nil {
			t.Fatalf("push %d: %v", i, err)
		}
		if _, err := q.Pop(t.Context(), queue.Want{Samples: 10, Bytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
		q.Ack()
		if err := q.Checkpoint(disk.Mark{}); err != nil {
			t.Fatal(err)
		}
		if n := segmentFiles(t, q); n > 2 {
			t.Fatalf("%d segments after %d samples", n, i+1)
		}
	}
}

// A file of another version is told from a damaged one: it must not be cut or skipped.
func TestOtherVersionIsRefused(t *testing.T) {
	header := segmentHeader{number: 1, first: 2}.appendTo(nil)
	header[7]++
	le.PutUint32(header[28:], crc32.Checksum(header[:28], castagnoli))
	if _, err := parseSegmentHeader(header); !errors.Is(err, errVersion) {
		t.Errorf("segment: %v", err)
	}
	slot := cursor{generation: 1}.appendTo(nil)
	slot[7]++
	le.PutUint32(slot[60:], crc32.Checksum(slot[:60], castagnoli))
	if _, err := parseSlot(slot); !errors.Is(err, errVersion) {
		t.Errorf("cursor: %v", err)
	}
}

// A storage file that was changed before the cursor is somebody else's.
func TestChangedFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(path, []byte("theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{FS: disk.OS{}, Data: path, Bytes: MinBytes, Limit: bounded.Limit{Samples: 100_000, Bytes: 64 << 20}, Log: zerolog.Nop()}
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.Release(), os.WriteFile(path, []byte("others\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrForeign) {
		t.Errorf("error %v", err)
	}
}

// A record belongs to the segment that it was written for.
func TestRecordOfAnotherSegment(t *testing.T) {
	b := new(encoder).appendRecord(nil, 7, one)
	sealRecord(b, 1, 0)
	if r, err := parseRecord(b, 1); err != nil || r.first != 7 {
		t.Errorf("its own: %+v, %v", r, err)
	}
	if _, err := parseRecord(b, 2); !errors.Is(err, errDamaged) {
		t.Errorf("another: %v", err)
	}
}

// kept pushes samples of value 0, 1, 2 … and closes the log before anybody consumes them.
func kept(t *testing.T, n int) Config {
	t.Helper()
	cfg := Config{
		FS: disk.OS{}, Data: filepath.Join(t.TempDir(), "m.jsonl"), Bytes: MinBytes,
		Limit: bounded.Limit{Samples: 100_000, Bytes: 64 << 20}, Log: zerolog.Nop(),
	}
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := q.Push(t.Context(), []sample.Sample{{Name: "a", Value: float64(i), Timestamp: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Release(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A line that the log did not write is not cut off: it is somebody's.
func TestForeignLineIsRefused(t *testing.T) {
	cfg := kept(t, 2)
	if err := os.WriteFile(cfg.Data, []byte("what is this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrForeign) {
		t.Errorf("error %v", err)
	}
}

// Damage in the middle is counted, and what it took is told.
func TestDamageIsCounted(t *testing.T) {
	cfg := kept(t, 3)
	path := segmentPath(Dir(cfg.Data), 1)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[segmentHeaderBytes+recordHeaderBytes] ^= 1 // of the first payload
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Release()
	if q.found.Corrupt != 1 || q.found.Lost != 1 || q.found.Samples != 2 {
		t.Errorf("found %+v", q.found)
	}
}

// A later segment that begins with the number of an earlier one's record says that the
// record was refused. The record before it is not stored yet, so that its segment is read.
func TestRefusedGroupIsNotStored(t *testing.T) {
	cfg := kept(t, 2)
	text := segmentHeader{number: 2, first: 1}.appendTo(nil)
	record := new(encoder).appendRecord(nil, 1, []sample.Sample{{Name: "b", Value: 5, Timestamp: 1}})
	sealRecord(record, 2, segmentHeaderBytes)
	if err := os.WriteFile(segmentPath(Dir(cfg.Data), 2), append(text, record...), 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Release()
	got, err := q.Pop(t.Context(), queue.Want{Samples: 10, Bytes: 1 << 20})
	if err != nil || len(got) != 2 || got[0].Name != "a" || got[0].Value != 0 || got[1].Name != "b" {
		t.Errorf("%v, %v", got, err)
	}
}
