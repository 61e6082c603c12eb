package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const seen = `{"engine":"stream","seed":7,"seconds":100,"recorded":29956,"delivered":29956,"missing":0,"keys":30010,"told":30020,
"payloads_again":40,"disorder":0,"abused":0,"kills":10,"posted":160,"posted_again":11,"rules":100,"receiver":{"works":300,"stalls":20}}`

func TestReport(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"good":      {seen, nil},
		"missing":   {strings.Replace(seen, `"missing":0`, `"missing":1`, 1), errBroken},
		"disorder":  {strings.Replace(seen, `"disorder":0`, `"disorder":1`, 1), errBroken},
		"other key": {strings.Replace(seen, `"abused":0`, `"abused":1`, 1), errBroken},
		"nothing":   {"{}", errBroken},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "seen.json")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := start(t.Context(), []string{"-out", dir, file}, io.Discard, io.Discard); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
		text, err := os.ReadFile(filepath.Join(dir, "outbox.md"))
		if err != nil {
			t.Fatal(err)
		}
		if bound := strings.Contains(string(text), "of kills do"); bound != (name == "good" || name == "disorder" || name == "other key") {
			t.Errorf("%s: a bound is given: %v", name, bound)
		}
		// 1 − 0.05^(1/10), and 0 of 29,956, which would show 99.99 % were they independent.
		for _, want := range []string{"Of 29956 notifications recorded 29956 were delivered, 0 are missing;", "none of 10 kills lost any, so with 95 % confidence fewer than 25.9 % of kills do", "if each were a try of its own | 0.0100 %", "stalls (20), works (300)", "-alerting stream"} {
			if name == "good" && !strings.Contains(string(text), want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
	}{{nil, 2}, {[]string{"-x"}, 2}, {[]string{"-out", dir}, 2}, {[]string{"-out", dir, filepath.Join(dir, "no")}, 1}, {[]string{"-out", dir, bad}, 1}} {
		if err := start(t.Context(), tt.args, io.Discard, io.Discard); codes().Of(err) != tt.code {
			t.Errorf("%q: error %v, want code %d", tt.args, err, tt.code)
		}
	}
	if err := start(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
}
