package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/loadgen/record"
)

// What stands at the path keeps its nature: a link is written through, a device is
// written to, and neither is replaced by a file.
func TestSaveKeepsWhatThePathIs(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "run.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("run.json", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, os.DevNull} {
		if err := probe(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := save(path, record.Result{RunID: "abc"}); err != nil {
			t.Fatal(err)
		}
		after, err := os.Lstat(path)
		if err != nil || after.Mode().Type() != before.Mode().Type() {
			t.Errorf("%s became %v, %v", path, after.Mode(), err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), `"abc"`) {
		t.Errorf("through the link: %s, %v", text, err)
	}
}
