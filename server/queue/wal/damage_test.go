package wal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"phase0/server/disk/faultfs"
	"phase0/server/queue"
	"phase0/server/sample"
)

// place is where a record of the small workload stands.
type place struct {
	path     string
	from, to int // padding left out
	values   []float64
}

// smallLog is a log of a dozen records in several segments, none of which was consumed.
func smallLog(t *testing.T) (*faultfs.FS, []place) {
	t.Helper()
	w := newWorld(t, 1, Policy{})
	c := w.config()
	c.SegmentBytes = 320
	q, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		batch := make([]sample.Sample, 1+i%3)
		for j := range batch {
			batch[j] = sample.Sample{Name: "n", Value: w.sent, Timestamp: int64(w.sent)}
			w.sent++
		}
		if err := q.Push(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Release(); err != nil {
		t.Fatal(err)
	}
	return w.fs, places(t, w.fs)
}

func places(t *testing.T, fsys *faultfs.FS) (all []place) {
	t.Helper()
	segments, err := listSegments(fsys, Dir(data))
	if err != nil || len(segments) < 3 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	var d decoder
	for _, s := range segments {
		path := segmentPath(Dir(data), s.number)
		text := fsys.Read(path)
		for at := segmentHeaderBytes; ; {
			r, err := parseRecord(text[at:], s.number)
			if err != nil {
				break
			}
			samples, err := d.decode(nil, r)
			if err != nil {
				t.Fatal(err)
			}
			p := place{path: path, from: at, to: at + recordHeaderBytes + len(r.payload)}
			for _, sm := range samples {
				p.values = append(p.values, sm.Value)
			}
			all = append(all, p)
			at += int(r.size)
		}
	}
	return all
}

// found opens a damaged log and returns the values that are given out.
func found(t *testing.T, fsys *faultfs.FS) (values map[float64]bool, d Damage, err error) {
	t.Helper()
	w := newWorld(t, 1, Policy{})
	w.fs = fsys
	q, err := Open(w.config())
	if err != nil {
		return nil, Damage{}, err
	}
	q.Close()
	values = map[float64]bool{}
	for {
		got, err := q.Pop(context.Background(), queue.Want{Samples: 5, Bytes: math.MaxInt})
		if errors.Is(err, queue.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range got {
			if values[s.Value] || s.Name != "n" || s.Timestamp != int64(s.Value) {
				t.Fatalf("given out twice, or never pushed: %+v", s)
			}
			values[s.Value] = true
		}
		q.Ack()
	}
	d = q.found.Damage
	return values, d, q.Release()
}

// The log of a small workload, cut off at every byte and with every byte flipped: all that
// is intact and not stored is given out, nothing else is, and the damage is told, also that to
// what the storage file has.
func TestEveryByteIsDamaged(t *testing.T) {
	for _, stored := range []int{0, 13, 24} {
		t.Run(fmt.Sprintf("%d stored", stored), func(t *testing.T) { damageEveryByte(t, stored) })
	}
}

func damageEveryByte(t *testing.T, stored int) {
	fsys, records := smallLog(t)
	fsys.Edit(data, func([]byte) []byte { return lines(stored) })
	for _, path := range fsys.Files(Dir(data)) {
		size := len(fsys.Read(path))
		for at := range size {
			if strings.HasSuffix(path, "cursor") && at%slotDistance >= slotBytes && at%101 > 0 {
				continue // zeros that nobody reads
			}
			for _, how := range []string{"flip", "cut"} {
				after := fsys.Clone()
				after.Edit(path, func(b []byte) []byte {
					if how == "cut" {
						return b[:at]
					}
					b[at] ^= 1 << (at % 8)
					return b
				})
				judgeDamage(t, after, records, stored, path, at, how)
			}
		}
	}
}

func judgeDamage(t *testing.T, fsys *faultfs.FS, records []place, stored int, path string, at int, how string) {
	t.Helper()
	what := fmt.Sprintf("%s at byte %d of %s", how, at, path)
	values, d, err := found(t, fsys)
	if strings.HasSuffix(path, "cursor") && how == "cut" && at < slotBytes {
		if !errors.Is(err, errDamaged) {
			t.Errorf("%s: opened without a cursor: %v", what, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	hit, missing, intact := false, 0, 0
	for _, r := range records {
		hitOne := r.path == path && (how == "flip" && at >= r.from && at < r.to || how == "cut" && at < r.to)
		hit = hit || hitOne
		for _, v := range r.values {
			switch {
			case v < float64(stored):
			case hitOne:
				missing++
			default:
				intact++
				if !values[v] {
					t.Errorf("%s: sample %v of an intact record is missing", what, v)
				}
			}
		}
	}
	if len(values) != intact {
		t.Errorf("%s: %d samples given out, %d are intact and not stored", what, len(values), intact)
	}
	if last := records[len(records)-1]; how == "flip" && (hit && !(path == last.path && at >= last.from) || at < segmentHeaderBytes && !strings.HasSuffix(path, "cursor")) {
		// Of what was on the disk it is known that it was.
		if d.Corrupt != 1 || int(d.Lost) != missing {
			t.Errorf("%s: %+v, %d samples are missing", what, d, missing)
		}
	}
	if hit && d == (Damage{}) && !(how == "cut" && path == records[len(records)-1].path && startsRecord(records, path, at)) {
		t.Errorf("%s: %d samples are missing, and nothing tells", what, missing)
	}
}

// startsRecord: a log that ends between two records looks like one that never had the second.
func startsRecord(records []place, path string, at int) bool {
	for _, r := range records {
		if r.path == path && (at == r.from || at < r.from && r.from-at < alignment) {
			return true
		}
	}
	return at <= segmentHeaderBytes
}
