package wal

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"phase0/server/disk/faultfs"
	"phase0/server/sample"
)

// halfStored is a log of a dozen records, and a storage file that holds some of them behind
// the cursor and the beginning of another.
func halfStored(t *testing.T) *faultfs.FS {
	t.Helper()
	fsys, _ := smallLog(t)
	fsys.Edit(data, func([]byte) []byte { return append(lines(5), `{"name":"n","val`...) })
	return fsys
}

// lines is what the small log's first n samples are stored as.
func lines(n int) (text []byte) {
	for i := range n {
		text = sample.AppendLine(text, sample.Sample{Name: "n", Value: float64(i), Timestamp: int64(i)})
	}
	return text
}

// Wherever a start is ended, the next one finds what it would have found.
func TestStartCanBeEnded(t *testing.T) {
	whole := halfStored(t)
	w := newWorld(t, 1, Policy{})
	open := func(fsys *faultfs.FS, tell Progress) (*Queue, error) {
		w.fs = fsys
		cfg := w.config()
		cfg.Progress = tell
		return Open(cfg)
	}
	var steps []string
	q, err := open(whole.Clone(), func(step string, done, total int64) error {
		steps = append(steps, step)
		if done < 0 || done > total {
			t.Errorf("%s: %d of %d", step, done, total)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := q.found
	want.Took = 0
	if err := q.Release(); err != nil {
		t.Fatal(err)
	}
	if got := slices.Compact(slices.Clone(steps)); !slices.Equal(got, []string{"compare", "rewrite", "log", "sync"}) {
		t.Errorf("steps %v", got)
	}
	stop := errors.New("stop")
	for at := range steps {
		fsys := whole.Clone()
		told := 0
		if _, err := open(fsys, func(string, int64, int64) error {
			if told++; told > at {
				return stop
			}
			return nil
		}); !errors.Is(err, stop) || told != at+1 {
			t.Fatalf("ended at call %d: %v after %d calls", at, err, told)
		}
		q, err := open(fsys, nil)
		if err != nil {
			t.Fatalf("after a start that was ended at %s: %v", steps[at], err)
		}
		if got := q.found; got.Samples != want.Samples || got.Damage != want.Damage {
			t.Errorf("after a start that was ended at %s: %+v, want %+v", steps[at], got, want)
		}
		consume(t, fsys, q)
		if got := fsys.Read(data); !bytes.Equal(got, lines(5+int(want.Samples))) {
			t.Errorf("after a start that was ended at %s the file holds\n%s", steps[at], got)
		}
	}
}
