package wal

import (
	"bytes"
	"testing"

	"phase0/server/disk"
	"phase0/server/sample"
)

// Whatever a segment holds: a record that is read is one that would be written the same.
func FuzzRecord(f *testing.F) {
	good := appendRecord(nil, 3, []sample.Sample{{Name: "cpu", Value: 1.5, Timestamp: 7, Labels: `{"host":"a"}`}, {Name: "cpu"}})
	sealRecord(good, 9, 32)
	f.Add(good, uint64(9))
	f.Add(good[:len(good)-9], uint64(9))
	f.Add(make([]byte, 100), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, segment uint64) {
		r, err := parseRecord(b, segment)
		if r.size < 0 || r.size > int64(len(b)) {
			t.Fatalf("%d bytes of %d", r.size, len(b))
		}
		if err != nil {
			return
		}
		var d decoder
		samples, err := d.decode(nil, r)
		if err != nil {
			return
		}
		again := appendRecord(nil, r.first, samples)
		sealRecord(again, segment, r.synced)
		// Lengths may stand in more bytes than they need, which nobody writes.
		if end := recordHeaderBytes + len(r.payload); len(again) == int(r.size) && !bytes.Equal(again[:end], b[:end]) {
			t.Fatalf("%x is read and written as %x", b[:end], again[:end])
		}
	})
}

// Whatever a cursor holds: the one that is read is one that would be written the same.
func FuzzCursor(f *testing.F) {
	one := cursor{generation: 4, next: 77, mark: disk.Mark{Size: 1000, CRC: 5}}
	two := cursor{generation: 5, next: 99, mark: disk.Mark{Size: 2000, CRC: 6}}
	both := one.appendTo(nil)
	both = append(both, make([]byte, slotDistance-slotBytes)...)
	both = two.appendTo(both)
	f.Add(both)
	f.Add(both[:slotBytes])
	f.Add(make([]byte, cursorBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, damaged, err := parseCursor(b)
		if damaged < 0 || damaged > 2 {
			t.Fatalf("%d slots are damaged", damaged)
		}
		if err == nil && !bytes.Contains(b, c.appendTo(nil)) {
			t.Fatalf("read %+v, which is not there", c)
		}
	})
}
