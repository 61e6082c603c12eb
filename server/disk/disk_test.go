package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A file's life through the interface: written beside, synced, put in place, listed,
// read, removed.
func TestOS(t *testing.T) {
	dir := t.TempDir()
	var fsys FS = OS{}
	write := func(name, text string) {
		t.Helper()
		f, err := fsys.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	list := func() (names []string) {
		entries, err := fsys.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write("b", "old")
	write("a", "ne")
	write("a", "w")
	if got := fmt.Sprint(list()); got != "[a b]" {
		t.Errorf("listed %s", got)
	}
	if err := fsys.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(b); err != nil || string(text) != "new" {
		t.Errorf("renamed: %q, %v", text, err)
	}
	if info, err := fsys.Stat(b); err != nil || info.Size() != 3 {
		t.Errorf("Stat: %v, %v", info, err)
	}
	if err := fsys.Remove(b); err != nil || len(list()) != 0 {
		t.Errorf("removed: %v, %v left", err, list())
	}
	for _, err := range []error{fsys.Remove(b), fsys.Rename(a, b), func() error { _, err := fsys.OpenFile(a, os.O_RDONLY, 0); return err }()} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("on a missing file: %v", err)
		}
	}
}
