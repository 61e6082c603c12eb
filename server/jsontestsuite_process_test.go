package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJSONTestSuite posts the files of github.com/nst/JSONTestSuite, from a folder that
// PHASE0_JSONTESTSUITE names (its test_parsing), as they are: what is no JSON is called bad_json,
// what is JSON is called anything but that, and where parsers may differ there is an answer.
func TestJSONTestSuite(t *testing.T) {
	folder := os.Getenv("PHASE0_JSONTESTSUITE")
	if folder == "" {
		t.Skip("PHASE0_JSONTESTSUITE names no folder")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		kinds := map[string]int{}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			kind, _, _ := strings.Cut(filepath.Base(file), "_")
			kinds[kind]++
			a := p.one(post(string(body)))
			bad := a.status == 400 && a.code == "bad_json"
			if a.status < 200 || a.status >= 500 || kind == "y" && bad || kind == "n" && !bad {
				t.Errorf("%s: %d %s", filepath.Base(file), a.status, a.body)
			}
		}
		if kinds["y"] == 0 || kinds["n"] == 0 {
			t.Errorf("files by kind: %v", kinds)
		}
		t.Logf("files by kind: %v", kinds)
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}
