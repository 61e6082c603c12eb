package wal

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/consumer"
	"phase0/server/disk"
	"phase0/server/disk/faultfs"
	"phase0/server/queue"
	"phase0/server/sample"
	"phase0/server/storage/batched"
)

// watched is a disk that tells what is done to the storage file. Its functions may be nil.
type watched struct {
	*faultfs.FS
	syncing func() // before each sync
	closed  func() // nobody has it open any more
	open    int
}

func (w *watched) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := w.FS.OpenFile(name, flag, perm)
	if err != nil || name != data {
		return f, err
	}
	w.open++
	return &watchedFile{File: f, of: w}, nil
}

type watchedFile struct {
	disk.File
	of *watched
}

func (f *watchedFile) Sync() error {
	if f.of.syncing != nil {
		f.of.syncing()
	}
	return f.File.Sync()
}

func (f *watchedFile) Close() error {
	err := f.File.Close()
	if f.of.open--; f.of.open == 0 && f.of.closed != nil {
		f.of.closed()
	}
	return err
}

// failUnseen writes the storage file back, which fails, and there is nobody to be told.
func failUnseen(t *testing.T, fsys *faultfs.FS) {
	t.Helper()
	f, err := fsys.OpenFile(data, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fsys.Inject(faultfs.Fault{At: 1, Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fsys.Inject(faultfs.Fault{})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// unsynced is the small log, and a storage file that nobody has synced and that holds a text.
func unsynced(t *testing.T, text []byte) *faultfs.FS {
	t.Helper()
	fsys, _ := smallLog(t)
	f, err := fsys.OpenFile(data, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(text, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), fsys.SyncDir(root)); err != nil {
		t.Fatal(err)
	}
	return fsys.Restart()
}

// wantOnDisk looks at what is left when the power fails now.
func wantOnDisk(t *testing.T, fsys *faultfs.FS, want []byte) {
	t.Helper()
	for seed := range uint64(10) {
		if got := fsys.Crash(rand.New(rand.NewPCG(seed, 0))).Read(data); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: after a power failure the file holds\n%q, want\n%q", seed, got, want)
		}
	}
}

// While nobody has the storage file open, an error of the disk may be forgotten. From when it
// is written again until it is synced somebody has, whether that is at the start, where the log
// lacks a line, or at the first checkpoint.
func TestErrorThatNobodySees(t *testing.T) {
	const samples = 24 // of the small log
	for name, text := range map[string][]byte{
		"at the first checkpoint": lines(samples),
		"at the start":            append(lines(samples), `{"name":"n","value":1,"timestamp":1}`+"\n"...),
	} {
		t.Run(name, func(t *testing.T) {
			fsys := unsynced(t, text)
			watch := &watched{FS: fsys, closed: func() { failUnseen(t, fsys) }}
			w := newWorld(t, 1, Policy{})
			cfg := w.config()
			cfg.FS = watch
			q, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			store, err := batched.New(watch, data)
			if err != nil {
				t.Fatal(err)
			}
			checkpoint(t, q, store)
			if err := errors.Join(store.Close(), q.Release()); err != nil {
				t.Fatal(err)
			}
			if watch.open != 0 {
				t.Errorf("the file is still open %d times", watch.open)
			}
			wantOnDisk(t, fsys, text)
		})
	}
}

// A sync of what is left that fails has dropped it: the cursor stays, and it is written again.
func TestFailedSyncOfWhatIsLeft(t *testing.T) {
	text := lines(24)
	fsys := unsynced(t, text)
	w := newWorld(t, 1, Policy{})
	w.fs = fsys
	q, err := Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	f, err := fsys.OpenFile(data, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := disk.MarkOf(f, int64(len(text)))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	fsys.Inject(faultfs.Fault{At: 1, Err: syscall.EIO})
	if err := q.Checkpoint(mark); !errors.Is(err, syscall.EIO) || q.cursor.last.next != 0 {
		t.Fatalf("checkpoint %v, cursor at %d", err, q.cursor.last.next)
	}
	if err := q.Checkpoint(mark); err != nil || q.cursor.last.next != 24 {
		t.Fatalf("again %v, cursor at %d", err, q.cursor.last.next)
	}
	wantOnDisk(t, fsys, text)
	if err := q.Release(); err != nil {
		t.Fatal(err)
	}
}

// While a slow disk is busy with what is left, samples are stored as ever.
func TestStoresBeforeTheFirstCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		syncs := 0
		watch := &watched{FS: unsynced(t, lines(5)), syncing: func() {
			syncs++
			time.Sleep(time.Minute)
		}}
		w := newWorld(t, 1, Policy{})
		cfg := w.config()
		cfg.FS = watch
		q, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		store, err := batched.New(watch, data)
		if err != nil {
			t.Fatal(err)
		}
		c := consumer.New(consumer.Config{Queue: q, Store: store, Log: zerolog.Nop()})
		drained := make(chan error, 1)
		go func() { drained <- c.Run(context.Background()) }()
		if err := q.Push(t.Context(), []sample.Sample{{Name: "n", Value: 24, Timestamp: 24}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkpointEvery / 2)
		synctest.Wait()
		if got := watch.Read(data); !bytes.Equal(got, lines(25)) || syncs > 0 {
			t.Errorf("after %d syncs the file holds\n%s", syncs, got)
		}
		q.Close()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if err := errors.Join(store.Close(), q.Release()); err != nil || syncs < 1 {
			t.Errorf("%d syncs, %v", syncs, err)
		}
	})
}

// A log that is full, and all of which the storage file has: nothing can be popped, and
// pushes are taken all the same, as the first checkpoint makes room.
func TestFullOfWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, Policy{})
		q, err := Open(w.config())
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		for err == nil {
			batch := w.batch()
			if err = q.Push(t.Context(), batch); err == nil {
				for _, s := range batch {
					text = sample.AppendLine(text, s)
				}
			}
		}
		if !errors.Is(err, queue.ErrFull) {
			t.Fatal(err)
		}
		if err := q.Release(); err != nil {
			t.Fatal(err)
		}
		w.fs.Edit(data, func([]byte) []byte { return text })
		p, err := w.start()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.queue.Push(t.Context(), w.batch()); err != nil || p.queue.found.Samples > 0 {
			t.Errorf("%v; %d samples were only in the log", err, p.queue.found.Samples)
		}
		p.drain(t)
	})
}
