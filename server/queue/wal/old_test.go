package wal

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"testing"

	"phase0/server/disk"
	"phase0/server/disk/faultfs"
	"phase0/server/sample"
)

// wantSound lets fsck look, at a log that may be in use.
func wantSound(t *testing.T, when string, fsys *faultfs.FS, next uint64) {
	t.Helper()
	if got, err := Check(fsys, data); err != nil || got.Damaged() || got.Next < next {
		t.Errorf("%s: %+v, %v; at least %d are stored", when, got, err, next)
	}
}

// A log that the version before has left, with the cursor in the middle of a record, and in the
// storage file lines behind it and the beginning of one: a start leaves them to the first
// checkpoint, the power fails before that, and the next start makes up for it.
func TestOldSegmentIsLeftToTheFirstCheckpoint(t *testing.T) {
	const marked, stored, old = 5, 15, 20 // samples by the cursor, in the file, in the log
	var all []sample.Sample
	var text []byte
	ends := []int{0} // of the lines
	for i := range old + 1 {
		all = append(all, numbered(i))
		text = sample.AppendLine(text, all[i])
		ends = append(ends, len(text))
	}
	w := newWorld(t, 1, Policy{})
	fsys := w.fs
	q, err := Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Release(); err != nil {
		t.Fatal(err)
	}
	segment := segmentHeader{number: 2}.appendTo(nil)
	segment[7] = 1
	le.PutUint32(segment[28:], crc32.Checksum(segment[:28], castagnoli))
	record := plainRecord(0, all[:old])
	sealRecord(record, 2, segmentHeaderBytes)
	fsys.Edit(segmentPath(Dir(data), 2), func([]byte) []byte { return append(segment, record...) })
	fsys.Edit(data, func([]byte) []byte { return bytes.Clone(text[:ends[marked]]) })
	last, _, err := readCursor(fsys, Dir(data))
	if err != nil {
		t.Fatal(err)
	}
	at, err := openCursor(fsys, Dir(data), last)
	if err != nil {
		t.Fatal(err)
	}
	mark := disk.Mark{Size: int64(ends[marked]), CRC: crc32.Checksum(text[:ends[marked]], castagnoli)}
	if err := errors.Join(at.write(cursor{next: marked, mark: mark}), at.close()); err != nil {
		t.Fatal(err)
	}
	f, err := fsys.OpenFile(data, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(text[ends[marked]:ends[stored]+10], int64(ends[marked])); err != nil {
		t.Fatal(err)
	}
	wantSound(t, "before", fsys, stored)
	if q, err = Open(w.config()); err != nil {
		t.Fatal(err)
	}
	if q.acked != stored || q.cursor.last.next != marked {
		t.Errorf("cursor at %d, %d in the file", q.cursor.last.next, q.acked)
	}
	if err := q.Push(t.Context(), all[old:]); err != nil {
		t.Fatal(err)
	}
	wantSound(t, "after a start", fsys, stored)
	fsys.Inject(faultfs.Fault{At: 1, Err: faultfs.ErrOff, Forever: true})
	_ = q.Release() // the power is off
	for seed := range uint64(100) {
		after := fsys.Crash(rand.New(rand.NewPCG(seed, 0)))
		wantSound(t, "after a power failure", after, marked)
		w.fs = after
		if q, err = Open(w.config()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		wantSound(t, "after the next start", after, marked)
		consume(t, after, q)
		wantSound(t, "at the end", after, old+1)
		if got := after.Read(data); !bytes.Equal(got, text) {
			t.Fatalf("seed %d: the file holds\n%s\nwant\n%s", seed, got, text)
		}
	}
}
