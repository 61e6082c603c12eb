package wal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/disk/faultfs"
	"phase0/server/queue"
	"phase0/server/sample"
)

// What the log can write again is left to the first checkpoint, which is not due at once; until
// then the cursor stays, and every segment behind it. Everything else is on the disk before
// the start is over.
func TestStartDefersTheSync(t *testing.T) {
	const samples = 24 // of the small log
	for _, tt := range []struct {
		name   string
		stored []byte
		moves  bool
	}{
		{"whole lines", lines(5), false},
		{"all lines", lines(samples), false},
		{"a line that was begun", append(lines(5), lines(6)[len(lines(5)):][:10]...), false},
		{"a line that was begun and ended", slices.Concat(lines(5), []byte("{\"name\n"), lines(7)[len(lines(5)):]), false},
		{"zeros", append(lines(5), make([]byte, 10)...), true},
		{"a line, then zeros", append(lines(5), "{\"name\x00\x00"...), true},
		{"a line behind the log's end", append(lines(samples), `{"name":"n","value":1,"timestamp":1}`+"\n"...), true},
		{"a line begun behind the log's end", append(lines(samples), `{"name":`...), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			fsys, _ := smallLog(t)
			fsys.Edit(data, func([]byte) []byte { return tt.stored })
			before, err := listSegments(fsys, Dir(data))
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, 1, Policy{})
			w.fs = fsys
			q, err := Open(w.config())
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			atOnce := q.Due()
			time.Sleep(time.Minute)
			moved := q.cursor.last.next > 0
			if moved != tt.moves || atOnce || q.Due() == moved || q.acked == 0 {
				t.Errorf("%s: cursor at %d, %d in the file, due %t, then %t", tt.name, q.cursor.last.next, q.acked, atOnce, q.Due())
			}
			if !moved && (len(q.segments) != len(before)+1 || q.segments[0].number != before[0].number) {
				t.Errorf("%s: of %d segments and a new one there are %d", tt.name, len(before), len(q.segments))
			}
			acked := q.acked
			consume(t, fsys, q)
			if got, err := Check(fsys, data); err != nil || got.Next < samples || got.Next < acked || got.Beyond > 0 || got.Cut > 0 || got.Damaged() {
				t.Errorf("%s: after a checkpoint %+v, %v", tt.name, got, err)
			}
		})
	}
}

// A checkpoint is due at once when so many samples, or so many bytes of lines, are beyond the
// cursor, those included that earlier processes have put there: what a start compares stays
// bounded, however fast samples come and processes die.
func TestDueAtOnce(t *testing.T) {
	const bytes = 49 // of a sample without labels whose name is a letter
	five := int64(len(lines(5)))
	for _, tt := range []struct {
		stored, consumed int    // samples
		samples          uint64 // 0 is very many
		bytes            int64  // the same
		due              bool
	}{
		{0, 0, 7, 0, false}, {0, 6, 7, 0, false}, {0, 7, 7, 0, true}, {6, 0, 7, 0, false}, {6, 1, 7, 0, true}, {7, 0, 7, 0, true},
		{0, 2, 0, 3 * bytes, false}, {0, 3, 0, 3 * bytes, true},
		{5, 0, 0, five + 1, false}, {5, 0, 0, five, true}, {5, 1, 0, five + bytes, true},
	} {
		synctest.Test(t, func(t *testing.T) { // in which no time passes
			fsys, _ := smallLog(t)
			fsys.Edit(data, func([]byte) []byte { return lines(tt.stored) })
			w := newWorld(t, 1, Policy{})
			w.fs = fsys
			cfg := w.config()
			cfg.checkpointSamples, cfg.checkpointBytes = tt.samples, tt.bytes
			q := open(t, cfg)
			for range tt.consumed {
				if _, err := q.Pop(t.Context(), queue.Want{Samples: 1, Bytes: 1 << 20}); err != nil {
					t.Fatal(err)
				}
				q.Ack()
			}
			if due := q.Due(); due != tt.due {
				t.Errorf("%+v: due %t, %d bytes beyond the cursor", tt, due, q.beyondBytes)
			}
		})
	}
}

// What is pushed now counts as what an earlier process has left does.
func TestDueByBytesOfPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which no time passes
		w := newWorld(t, 1, Policy{})
		cfg := w.config()
		s := numbered(0)
		cfg.checkpointBytes = int64(3 * s.Size())
		q := open(t, cfg)
		if err := q.Push(t.Context(), []sample.Sample{s, s, s}); err != nil {
			t.Fatal(err)
		}
		for _, due := range []bool{false, false, true} {
			if _, err := q.Pop(t.Context(), queue.Want{Samples: 1, Bytes: 1 << 20}); err != nil {
				t.Fatal(err)
			}
			q.Ack()
			if q.Due() != due {
				t.Errorf("%d bytes beyond the cursor: due %t", q.beyondBytes, q.Due())
			}
		}
	})
}

// A sync that failed has dropped what can still be read. The next process writes it again
// before its checkpoint forgets the log, or else the power takes it.
func TestFailedSyncOfAnEarlierProcess(t *testing.T) {
	fsys, _ := smallLog(t)
	f, err := fsys.OpenFile(data, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(lines(24), 0); err != nil {
		t.Fatal(err)
	}
	fsys.Inject(faultfs.Fault{At: 1, Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fsys = fsys.Restart()
	w := newWorld(t, 1, Policy{})
	w.fs = fsys
	q, err := Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	consume(t, fsys, q)
	for seed := range uint64(10) {
		after := fsys.Crash(rand.New(rand.NewPCG(seed, 0)))
		if got := after.Read(data); !bytes.Equal(got, lines(24)) {
			t.Fatalf("seed %d: after a checkpoint and a power failure the file holds\n%q", seed, got)
		}
	}
}

// Processes that are killed, or lose their power, after they have answered pushes and before
// they could make a checkpoint: what the file held beyond the cursor was read by each of them
// and synced by none.
func TestCrashBeforeTheFirstCheckpoint(t *testing.T) {
	for _, policy := range []Policy{{}, {Interval: 100 * time.Millisecond}, {None: true}} {
		t.Run(policy.String(), func(t *testing.T) {
			deferred, seeds := 0, uint64(crashSeeds)
			if !policy.always() {
				seeds /= 4 // as in TestCrash
			}
			for seed := uint64(1); seed <= seeds; seed++ {
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("seed %d", seed)
						}
					}()
					w := newWorld(t, seed, policy)
					w.live()
					for range 1 + w.rng.IntN(3) {
						deferred += w.answerOnly()
					}
					w.settle()
				})
			}
			if deferred < int(seeds/4) {
				t.Errorf("only %d starts had something to defer", deferred)
			}
		})
	}
}

// answerOnly is a process that ends before its consumer has done anything. It returns 1 if
// it left something to the first checkpoint.
func (w *world) answerOnly() (deferred int) {
	w.fs.Inject(faultfs.Fault{})
	q, err := Open(w.config())
	if err != nil {
		w.t.Fatalf("start: %v", err)
	}
	if !w.policy.None && (q.found.Corrupt > 0 || q.found.Lost > 0) {
		w.t.Errorf("life %d: %+v; nothing was damaged", len(w.lives), q.found)
	}
	if q.acked > q.cursor.last.next {
		deferred = 1
	}
	p := &process{queue: q}
	for range w.rng.IntN(4) {
		w.push(p)
	}
	ended := life{ended: time.Now(), power: w.rng.IntN(3) > 0}
	w.fs.Inject(faultfs.Fault{At: 1, Err: faultfs.ErrOff, Forever: true})
	_ = q.Release() // the power is off
	if ended.power {
		w.fs = w.fs.Crash(w.rng)
	} else {
		w.fs = w.fs.Restart()
	}
	w.lives = append(w.lives, ended)
	return deferred
}
