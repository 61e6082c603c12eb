package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

func TestBrokenPromisesHaveACode(t *testing.T) {
	for want, x := range map[int]trial.Result{exitOK: {}, exitLost: {Duplicated: 1}} {
		if code := codeOf(&experiment.Run{Trials: []trial.Result{x}}, nil); code != want {
			t.Errorf("%+v: exit %d, want %d", x, code, want)
		}
	}
	if code := codeOf(&experiment.Run{Trials: []trial.Result{{Lost: 1}}}, nil); code != exitLost {
		t.Errorf("exit %d", code)
	}
}

// A server that is told to be durable and is not is found out by real crashes.
func TestServerThatOnlySaysItIsDurable(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	bin := buildPrograms(t)
	liar := fmt.Sprintf("#!/bin/sh\nfor a; do shift; case $a in -queue=wal) a=-queue=memory;; -sync=*) continue;; esac; set -- \"$@\" \"$a\"; done\nexec '%s' \"$@\"\n", filepath.Join(bin, "honest"))
	if err := os.Rename(filepath.Join(bin, "server"), filepath.Join(bin, "honest")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "server"), []byte(liar), 0o755); err != nil {
		t.Fatal(err)
	}
	results := t.TempDir()
	var out, errs bytes.Buffer
	args := []string{
		"-bin", bin, "-o", results, "-name", "liar", "-only", "durable", "-pairs", "2", "-arm", "concurrent", "-arm", "single",
		"-window", "100ms", "-warmup", "20ms", "-max-foreign", "1", "-max-steal", "1",
	}
	if code := run(t.Context(), args, &out, &errs); code != exitLost || !strings.HasPrefix(strings.TrimSpace(out.String()), "LOST: servers did not store") || !strings.Contains(out.String(), "PROMISE BROKEN") {
		t.Errorf("exit %d, want %d\n%s\n%s", code, exitLost, out.String(), errs.String())
	}
}
