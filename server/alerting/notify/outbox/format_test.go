package outbox

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/alerting"
	"phase0/server/disk"
)

// written returns the file of an outbox that recorded A, B and C, one record each, and
// where each record begins.
func written(t *testing.T) (content []byte, begins []int) {
	t.Helper()
	content = []byte(magic)
	for i, name := range []string{"A", "B", "C"} {
		payload, err := encode(list(fires(name, i)))
		if err != nil {
			t.Fatal(err)
		}
		begins = append(begins, len(content))
		content = appendRecord(content, uint64(i+1), payload)
	}
	return content, append(begins, len(content))
}

// reopen puts content in place of a segment of which nothing was delivered, and returns
// what is delivered of it and of what is recorded afterwards.
func reopen(t *testing.T, content []byte) (got string, r *rig, o *Outbox) {
	t.Helper()
	f := &fake{name: "a"}
	r = newRig(t, f)
	if err := os.WriteFile(name(r.dir, 1, segmentSuffix), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "a"+cursorSuffix), cursorEntry(1), 0o600); err != nil {
		t.Fatal(err)
	}
	o = r.start()
	o.Notify(list(fires("D", 3)))
	synctest.Wait()
	o.Close()
	var names []string
	for _, n := range f.got {
		names = append(names, n.Alert.Labels["alertname"])
	}
	return strings.Join(names, ""), r, o
}

// Wherever a crash cut the file, and whatever it left behind the cut, the records before
// it are delivered, and so is what is recorded afterwards.
func TestTornEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content, begins := written(t)
		for cut := range len(content) + 1 {
			if cut > begins[0]+headBytes && cut < begins[1] && cut%8 != 0 {
				continue // the other records are cut at every byte
			}
			for tail, junk := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 100), "garbage": bytes.Repeat([]byte{0xa5, 7, 0, 0}, 25)} {
				if junk != nil && cut%16 != 0 {
					continue
				}
				if cut < len(magic) && tail == "garbage" {
					continue // that is a foreign file
				}
				var want strings.Builder
				for i, name := range []string{"A", "B", "C"} {
					if cut >= begins[i+1] {
						want.WriteString(name)
					}
				}
				got, r, o := reopen(t, append(bytes.Clone(content[:cut]), junk...))
				if got != want.String()+"D" || o.Stats().Dropped != 0 {
					t.Fatalf("cut at %d, then %s: got %s, want %sD; %s", cut, tail, got, want.String(), &r.log)
				}
				if whole := cut == len(content) || want.String() != "" && cut == begins[len(want.String())]; !whole && cut > len(magic) && !strings.Contains(r.log.String(), "torn end") {
					t.Fatalf("cut at %d, then %s: log %s", cut, tail, &r.log)
				}
			}
		}
	})
}

// A byte that is wrong costs the record that it is in, and is counted.
func TestDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content, begins := written(t)
		for at := len(magic); at < len(content); at++ {
			if at > begins[0]+headBytes && at < begins[1]-1 && at%8 != 0 {
				continue
			}
			bad := bytes.Clone(content)
			bad[at] ^= 1 << (at % 8)
			want := map[bool]string{true: "BCD", false: map[bool]string{true: "ACD", false: "ABD"}[at < begins[2]]}[at < begins[1]]
			got, r, o := reopen(t, bad)
			if got != want {
				t.Fatalf("byte %d: got %s, want %s; %s", at, got, want, &r.log)
			}
			if last := at >= begins[2]; !last && (o.Usage().Damaged == 0 || o.Stats().Dropped != 1 || !strings.Contains(r.log.String(), "damaged")) {
				t.Fatalf("byte %d: %+v, %+v, %s", at, o.Usage(), o.Stats(), &r.log)
			}
		}
	})
}

// A cursor that cannot be read sends everything again rather than nothing.
func TestDamagedCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for content, want := range map[string]string{
			"": "A", "short": "A", strings.Repeat("x", 12): "A",
			string(cursorEntry(2)):                                "",
			string(cursorEntry(2)) + "torn":                       "",
			string(cursorEntry(2)) + strings.Repeat("\x00", 12):   "",
			string(cursorEntry(1)) + string(cursorEntry(2)):       "",
			string(cursorEntry(77)):                               "",
			strings.Repeat(string(cursorEntry(1)), cursorEntries): "A",
		} {
			f := &fake{name: "a"}
			r := newRig(t, f)
			o := r.start()
			o.Notify(list(fires("A", 0)))
			synctest.Wait()
			o.Close()
			f.got = nil
			if err := os.WriteFile(filepath.Join(r.dir, "a"+cursorSuffix), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			o = r.start()
			synctest.Wait()
			o.Close()
			var got strings.Builder
			for _, n := range f.got {
				got.WriteString(n.Alert.Labels["alertname"])
			}
			if got.String() != want {
				t.Errorf("%q: got %q, want %q", content, got.String(), want)
			}
		}
	})
}

// faultyFS fails what it is told to.
type faultyFS struct {
	unsynced
	writes, syncs, renames atomic.Bool
}

func (f *faultyFS) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	file, err := f.unsynced.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f, strings.HasSuffix(name, segmentSuffix)}, nil
}

func (f *faultyFS) Rename(oldName, newName string) error {
	if f.renames.Load() {
		return syscall.EIO
	}
	return f.OS.Rename(oldName, newName)
}

type faultyFile struct {
	disk.File
	fs      *faultyFS
	segment bool
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if f.segment && f.fs.writes.Load() {
		n, err := f.File.Write(p[:len(p)/2])
		return n, errors.Join(err, syscall.ENOSPC)
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error {
	if f.segment && f.fs.syncs.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

// A disk that refuses is tried until it does not; nothing is lost and nothing is sent
// before it is written.
func TestDiskFaults(t *testing.T) {
	for fault, set := range map[string]func(*faultyFS, bool){
		"no space":    func(f *faultyFS, on bool) { f.writes.Store(on) },
		"sync fails":  func(f *faultyFS, on bool) { f.syncs.Store(on) },
		"both fail":   func(f *faultyFS, on bool) { f.writes.Store(on); f.syncs.Store(on) },
		"rename, too": func(f *faultyFS, on bool) { f.renames.Store(on); f.syncs.Store(on) },
	} {
		synctest.Test(t, func(t *testing.T) {
			f, fsys := &fake{name: "a"}, &faultyFS{}
			r := newRig(t, f)
			r.fs = fsys
			o := r.start()
			o.Notify(list(fires("A", 0)))
			synctest.Wait()
			set(fsys, true)
			o.Notify(list(ends("A", 0), fires("B", 1)))
			o.Notify(list(fires("C", 2)))
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if len(f.got) != 1 || o.Usage().WriteErrors == 0 || strings.Count(r.log.String(), "cannot be written; trying again") != 1 {
				t.Errorf("%s: %v, %+v, %s", fault, f.names(), o.Usage(), &r.log)
			}
			set(fsys, false)
			time.Sleep(time.Minute)
			synctest.Wait()
			o.Close()
			if got := strings.Join(f.names(), ","); got != "A firing 0,A resolved 0,B firing 0,C firing 0" {
				t.Errorf("%s: got %s", fault, got)
			}
			again := r.open() // what the failed writes left does not count
			if u := again.Usage(); u.Recorded != 4 || len(again.Told()) != 2 {
				t.Errorf("%s: after a restart %+v, told %v, %s", fault, u, again.Told(), &r.log)
			}
		})
	}
}

// A disk that still refuses at the end costs what was queued, and that is counted.
func TestDiskFaultAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := &faultyFS{}
		r := newRig(t, &fake{name: "a"})
		r.fs = fsys
		o := r.start()
		fsys.writes.Store(true)
		o.Notify(list(fires("A", 0), fires("B", 1)))
		time.Sleep(time.Second)
		o.Close()
		if s := o.Stats(); s != (alerting.Deliveries{Dropped: 2}) || !strings.Contains(r.log.String(), `"reason":"disk_fails"`) {
			t.Errorf("%+v, %s", s, &r.log)
		}
	})
}

// FuzzReader: no file makes the reader fail, and what stands before damage is read.
func FuzzReader(f *testing.F) {
	payload, err := encode([]alerting.Notification{fires("A", 0)})
	if err != nil {
		f.Fatal(err)
	}
	good := appendRecord(nil, 1, payload)
	f.Add([]byte{})
	f.Add(good)
	f.Add(appendRecord(good[:len(good):len(good)], 2, payload))
	f.Add(append(bytes.Repeat([]byte{0}, 40), good...))
	f.Add(appendRecord(nil, 1<<64-1, payload))
	f.Add(appendRecord(nil, 2, []byte(`[{"value":"x"}]`)))
	f.Fuzz(func(t *testing.T, tail []byte) {
		content := append(bytes.Clone(good), tail...)
		scan := scanner{r: bytes.NewReader(content)}
		first, err := scan.next(int64(len(content)))
		if err != nil || first.sequence != 1 || first.batch[0].Key != fires("A", 0).Key {
			t.Fatalf("first: %+v, %v", first, err)
		}
		for least, at := scan.least, scan.at; ; least, at = scan.least, scan.at {
			r, err := scan.next(int64(len(content)))
			if err == io.EOF {
				break
			}
			if err != nil || r.sequence < least || scan.at <= at || len(r.batch) == 0 {
				t.Fatalf("%+v at %d, %v", r, at, err)
			}
		}
		lastEntry(tail)
	})
}
