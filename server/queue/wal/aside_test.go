package wal

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase0/server/disk/faultfs"
	"phase0/server/queue"
	"phase0/server/storage"
	"phase0/server/storage/batched"
)

// consume stores everything that a log gives out, and moves the cursor behind it.
func consume(t *testing.T, fsys *faultfs.FS, q *Queue) {
	t.Helper()
	store, err := batched.New(fsys, data)
	if err != nil {
		t.Fatal(err)
	}
	q.Close()
	for {
		got, err := q.Pop(t.Context(), queue.Want{Samples: 5, Bytes: math.MaxInt})
		if errors.Is(err, queue.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Append(t.Context(), got); err != nil {
			t.Fatal(err)
		}
		q.Ack()
	}
	checkpoint(t, q, store)
	if err := errors.Join(store.Close(), q.Release()); err != nil {
		t.Fatal(err)
	}
}

func checkpoint(t *testing.T, q *Queue, store storage.Store) {
	t.Helper()
	mark, err := store.Sync()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Checkpoint(mark); err != nil {
		t.Fatal(err)
	}
}

func damagedFiles(fsys *faultfs.FS) (files []string) {
	for _, path := range fsys.Files(Dir(data)) {
		if strings.HasSuffix(path, ".damaged") {
			files = append(files, filepath.Base(path))
		}
	}
	return files
}

// A damaged segment is kept, byte for byte, when what could be read of it is stored; intact
// ones are removed. The start after that finds no damage, and fsck still counts the segment.
func TestDamagedSegmentIsSetAside(t *testing.T) {
	fsys, records := smallLog(t)
	hit := records[3]
	fsys.Edit(hit.path, func(b []byte) []byte { b[hit.from+recordHeaderBytes] ^= 1; return b })
	before := fsys.Read(hit.path)
	w := newWorld(t, 1, Policy{})
	w.fs = fsys
	q, err := Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	if q.DamageErr() == nil || q.Counters().Aside != (Aside{}) {
		t.Errorf("before anything is consumed: %v, %+v", q.DamageErr(), q.Counters().Aside)
	}
	consume(t, fsys, q)
	name := filepath.Base(hit.path) + ".damaged"
	if got := damagedFiles(fsys); !slices.Equal(got, []string{name}) {
		t.Fatalf("set aside %v, want %s", got, name)
	}
	if got := fsys.Read(hit.path + ".damaged"); string(got) != string(before) {
		t.Error("what is set aside is not what was there")
	}
	want := Aside{Segments: 1, Bytes: int64(len(before))}
	if got := q.Counters().Aside; got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}

	report, err := Check(fsys, data)
	if err != nil || report.Damaged() || report.Aside != want {
		t.Errorf("fsck: %+v, %v", report, err)
	}
	var text strings.Builder
	if err := report.Print(&text); err != nil || !strings.Contains(text.String(), fmt.Sprintf("1 damaged segments of earlier starts, %d bytes", want.Bytes)) {
		t.Errorf("fsck prints, %v:\n%s", err, &text)
	}
	if q, err = Open(w.config()); err != nil {
		t.Fatal(err)
	}
	if q.DamageErr() != nil || q.Counters().Aside != want {
		t.Errorf("after a restart: %v, %+v", q.DamageErr(), q.Counters().Aside)
	}
	consume(t, fsys, q)
}

// However many segments are damaged, in however many starts: the newest are kept, within
// the bound.
func TestSetAsideIsBounded(t *testing.T) {
	fsys := faultfs.New(root)
	w := newWorld(t, 1, Policy{})
	w.fs = fsys
	cfg := w.config()
	cfg.SegmentBytes = 320
	var damaged []string
	for len(damaged) < 2*mostAside {
		q, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			if err := q.Push(t.Context(), w.batch()); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Release(); err != nil {
			t.Fatal(err)
		}
		all := places(t, fsys)
		seen := map[string]bool{all[len(all)-1].path: true} // its damage would pass for a torn write
		for _, p := range all {
			if !seen[p.path] {
				fsys.Edit(p.path, func(b []byte) []byte { b[p.from+recordHeaderBytes] ^= 1; return b })
				seen[p.path] = true
				damaged = append(damaged, filepath.Base(p.path)+".damaged")
			}
		}
		if q, err = Open(cfg); err != nil {
			t.Fatal(err)
		}
		consume(t, fsys, q)
		kept, newest := damagedFiles(fsys), damaged[max(0, len(damaged)-mostAside):]
		if got := q.Counters().Aside.Segments; !slices.Equal(kept, newest) || got != len(kept) {
			t.Fatalf("%v are set aside and %d counted, want %v", kept, got, newest)
		}
	}
}

// One that is larger than all that may be kept is removed.
func TestTooLargeToSetAside(t *testing.T) {
	fsys, records := smallLog(t)
	w := newWorld(t, 1, Policy{})
	w.fs = fsys
	q, err := Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	large := q.segments[0]
	large.damaged, large.size = true, mostAsideBytes+1
	if err := q.drop(large); err != nil || fsys.Read(records[0].path) != nil || len(damagedFiles(fsys)) > 0 {
		t.Errorf("%v, %v", err, fsys.Files(Dir(data)))
	}
	if err := q.Release(); err != nil {
		t.Fatal(err)
	}
}
