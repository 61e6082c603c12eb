package storage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"phase0/server/disk"
	"phase0/server/disk/faultfs"
)

const (
	syncRoot = "/d"
	syncPath = syncRoot + "/m.jsonl"
)

// synced is a file that somebody appends to, on a disk that fails.
type synced struct {
	t    *testing.T
	fs   *faultfs.FS
	file *failing
	sync Synced
	text []byte // what was appended
}

// failing is a file whose next Sync fails if it is told so.
type failing struct {
	disk.File
	fs   *faultfs.FS
	next error
}

func (f *failing) Sync() error {
	if f.next != nil {
		f.fs.Inject(faultfs.Fault{At: 1, Err: f.next})
		f.next = nil
		defer f.fs.Inject(faultfs.Fault{})
	}
	return f.File.Sync()
}

func newSynced(t *testing.T) *synced {
	t.Helper()
	s := &synced{t: t, fs: faultfs.New(syncRoot)}
	file, err := s.fs.OpenFile(syncPath, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	s.file = &failing{File: file, fs: s.fs}
	return s
}

// append writes n bytes that are not those of another call.
func (s *synced) append(n int) {
	s.t.Helper()
	text := []byte(strings.Repeat(string(rune('a'+len(s.text)%26)), n))
	if _, err := s.file.Write(text); err != nil {
		s.t.Fatal(err)
	}
	s.text = append(s.text, text...)
}

func (s *synced) run() (disk.Mark, error) { return s.sync.Sync(s.fs, syncPath, s.file) }

// survives checks what a power failure leaves, with all that it may do.
func (s *synced) survives(want []byte) {
	s.t.Helper()
	for seed := range uint64(200) {
		after := s.fs.Crash(rand.New(rand.NewPCG(seed, 0)))
		if got := after.Read(syncPath); !bytes.HasPrefix(got, want) {
			s.t.Fatalf("seed %d: %d bytes are left, which differ from the %d that were synced", seed, len(got), len(want))
		}
	}
}

// What was appended before a Sync survives, the name of the file included, and the mark is
// that of the file then.
func TestSynced(t *testing.T) {
	s := newSynced(t)
	for _, n := range []int{100, 1000, 1, 5000, 0} {
		s.append(n)
		mark, err := s.run()
		if err != nil {
			t.Fatal(err)
		}
		if want, err := disk.MarkOf(s.file, int64(len(s.text))); err != nil || mark != want {
			t.Errorf("mark %+v, want %+v, %v", mark, want, err)
		}
		whole := bytes.Clone(s.text)
		s.append(700) // not synced: may survive or not
		s.survives(whole)
	}
}

// A sync that fails may have dropped what it was to write, and the next one, which does not
// fail, would not bring it back: it is written once more.
func TestSyncedAfterFailure(t *testing.T) {
	for _, failures := range []int{1, 3} {
		s := newSynced(t)
		s.append(3000)
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		safe := bytes.Clone(s.text)
		for range failures {
			s.append(2000)
			s.file.next = syscall.EIO
			if _, err := s.run(); !errors.Is(err, syscall.EIO) {
				t.Fatalf("%v", err)
			}
			s.survives(safe)
		}
		s.append(10)
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		s.survives(s.text)
	}
}

// Whichever of its operations fails, Sync says so, and the next one makes up for it.
func TestSyncedFailsAnywhere(t *testing.T) {
	for _, before := range []bool{false, true} { // a failure that has to be made up for
		for at, more := 1, true; more; at++ {
			s := newSynced(t)
			s.append(600)
			if before {
				if _, err := s.run(); err != nil {
					t.Fatal(err)
				}
				s.append(600)
				s.file.next = syscall.EIO
				if _, err := s.run(); err == nil {
					t.Fatal("no failure")
				}
			}
			s.fs.Inject(faultfs.Fault{At: at, Err: syscall.EIO})
			_, err := s.run()
			came := s.fs.Operations() >= at
			s.fs.Inject(faultfs.Fault{})
			switch {
			case err == nil: // what failed did not matter
				s.survives(s.text)
			case !errors.Is(err, syscall.EIO):
				t.Errorf("operation %d failed, and Sync says %v", at, err)
			}
			if _, err := s.run(); err != nil {
				t.Fatal(err)
			}
			s.survives(s.text)
			if more = came; more && at > 30 {
				t.Fatal("too many operations")
			}
		}
	}
}

// A file that somebody cut meanwhile is synced as it is.
func TestSyncedFileIsCut(t *testing.T) {
	s := newSynced(t)
	s.append(2000)
	if _, err := s.run(); err != nil {
		t.Fatal(err)
	}
	s.append(10)
	s.file.next = syscall.EIO
	if _, err := s.run(); err == nil {
		t.Fatal("no failure")
	}
	if err := s.file.Truncate(500); err != nil {
		t.Fatal(err)
	}
	mark, err := s.run()
	if err != nil || mark.Size != 500 {
		t.Errorf("mark %+v, %v", mark, err)
	}
	s.survives(s.text[:500])
}
