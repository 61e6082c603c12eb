package wal

import (
	"bytes"
	"testing"

	"phase0/server/disk"
	"phase0/server/sample"
)

// Whatever a segment holds: the samples of a record that is read, bit by bit, are those of
// the record that would be written of them.
func FuzzRecord(f *testing.F) {
	good := new(encoder).appendRecord(nil, 3, []sample.Sample{
		{Name: "cpu", Value: 1.5, Timestamp: 7, Labels: `{"host":"a"}`}, {Name: "cpu"}, {Name: "cpu", Timestamp: -1, Labels: `{"host":"a"}`},
	})
	sealRecord(good, 9, 32)
	f.Add(good, uint64(9))
	f.Add(good[:len(good)-9], uint64(9))
	f.Add(make([]byte, 100), uint64(0))
	old := plainRecord(3, []sample.Sample{{Name: "cpu", Value: 1.5, Timestamp: 7, Labels: `{"host":"a"}`}, {Name: "cpu"}})
	sealRecord(old, 9, 32)
	f.Add(old, uint64(9))
	f.Fuzz(func(t *testing.T, b []byte, segment uint64) {
		r, err := parseRecord(b, segment)
		if r.size < 0 || r.size > int64(len(b)) {
			t.Fatalf("%d bytes of %d", r.size, len(b))
		}
		if err == nil {
			fuzzPayload(t, r, segment)
		}
	})
}

// Checksums keep a fuzzer out of payloads, so that it also gets there without them.
func FuzzPayload(f *testing.F) {
	good := new(encoder).appendRecord(nil, 3, []sample.Sample{{Name: "cpu", Value: 1.5, Timestamp: 7, Labels: `{"host":"a"}`}, {Name: "m"}, {Name: "cpu", Labels: `{"host":"a"}`}})
	f.Add(good[recordHeaderBytes:recordHeaderBytes+int(le.Uint32(good)&^compactBit)], 3, true)
	old := plainRecord(3, []sample.Sample{{Name: "cpu", Value: 1.5, Timestamp: 7, Labels: `{"host":"a"}`}})
	f.Add(old[recordHeaderBytes:recordHeaderBytes+int(le.Uint32(old))], 1, false)
	f.Fuzz(func(t *testing.T, payload []byte, samples int, compact bool) {
		if samples < 1 || samples > sample.MaxBatch {
			return
		}
		fuzzPayload(t, record{first: 3, samples: samples, payload: payload, compact: compact}, 1)
	})
}

func fuzzPayload(t *testing.T, r record, segment uint64) {
	t.Helper()
	var d decoder
	samples, err := d.decode(nil, r)
	if err != nil {
		return
	}
	if len(samples) != r.samples {
		t.Fatalf("%d samples of %d", len(samples), r.samples)
	}
	again := new(encoder).appendRecord(nil, r.first, samples)
	sealRecord(again, segment, 32)
	second, err := parseRecord(again, segment)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.decode(nil, second)
	if err != nil || !sameSamples(got, samples) {
		t.Fatalf("%+v is read again as %+v, %v", samples, got, err)
	}
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
