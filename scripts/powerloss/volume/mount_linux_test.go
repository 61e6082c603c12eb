package volume

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Real system calls: a file's life on a mounted volume, a cut, and what is left.
func TestMount(t *testing.T) {
	v, dir := New(1), t.TempDir()
	m, err := Mount(v, dir)
	if err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	defer func() {
		if err := m.Unmount(); err != nil {
			t.Error(err)
		}
	}()
	sub := filepath.Join(dir, "d")
	kept, lost := filepath.Join(sub, "kept"), filepath.Join(sub, "lost")
	if err := errors.Join(os.Mkdir(sub, 0o755), syncDir(dir)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(kept+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, 1<<16); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("synced"), 100); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(kept+".new", kept), syncDir(sub)); err != nil {
		t.Fatal(err)
	}
	appended(t, kept, "+")
	if err := os.WriteFile(lost, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := os.OpenFile(lost, os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, os.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	v.Inject(Fault{Op: Sync, Err: syscall.EIO})
	if err := syncDir(sub); !errors.Is(err, syscall.EIO) {
		t.Errorf("a failing sync: %v", err)
	}

	after := cutOf(t, v, func(c Cut) bool { return c.Changes > 0 })
	if err := m.Unmount(); err != nil {
		t.Fatal(err)
	}
	if m, err = Mount(after, dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(kept)
	if err != nil || len(text) < 1<<16 || string(text[100:106]) != "synced" {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if names, err := os.ReadDir(sub); err != nil || len(names) < 1 || names[0].Name() != "kept" {
		t.Errorf("%v, %v", names, err)
	}
}

func cutOf(t *testing.T, v *Volume, want func(Cut) bool) *Volume {
	t.Helper()
	after, cut := v.Cut(uint64(time.Now().UnixNano()))
	if !want(cut) {
		t.Errorf("%+v", cut)
	}
	return after
}

func appended(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if info, statErr := f.Stat(); statErr != nil || info.Size() != 1<<16+1 {
		t.Errorf("appended: %v, %v", info, statErr)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
