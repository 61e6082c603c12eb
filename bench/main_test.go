package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/bench/experiment"
)

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"-nonsense"}, "-nonsense"},
		{[]string{"extra"}, `unexpected argument "extra"`},
		{[]string{"run", "run"}, "unexpected argument"},
		{[]string{"-profile", "huge"}, "known are quick, standard and full"},
		{[]string{"-pairs", "0"}, "pairs must be 1 to 50"},
		{[]string{"-pairs", "51"}, "pairs must be 1 to 50"},
		{[]string{"-only", "ingest,everything"}, `unknown experiment "everything"`},
		{[]string{"-max-foreign", "2"}, "-max-foreign must be 0 to 1"},
		{[]string{"-seed", "-1"}, "-seed"},
		{[]string{"-window", "1ms"}, "window must be 100ms to 5m0s"},
		{[]string{"-connections", "1,many"}, `"many" is not a whole number`},
		{[]string{"-connections", "0"}, "connections must be 1 to 10000"},
		{[]string{"-progress", "loud"}, "known are text, json and none"},
		{[]string{"-arm", "single,query=index"}, "known: parallel, scan"},
		{[]string{"-arm", "single", "-arm", "single"}, `two arms are named "single"`},
		{[]string{"-arm-cmd", "nginx=nginx"}, "has no {port}"},
		{[]string{"-arm-cmd", "nginx"}, "want NAME=…"},
		{[]string{"-arm-cmd", "nginx=nginx -g 'x {port}"}, "arm nginx: split command: the quote ' is not closed"},
		{[]string{"-arm-cmd", "nginx=nginx {port} \\"}, "nothing follows the last backslash"},
		{[]string{"-arm-url", "mine=localhost:80"}, "is not of the form http://host:port/path"},
		{[]string{"-arm-url", "mine=https://localhost:80"}, "is not of the form http://host:port/path"},
		{[]string{"-arm-url", "mine=http://%zz"}, "arm mine: "},
		{[]string{"-version", "extra"}, "-version"},
		{[]string{"verify"}, "verify wants one directory"},
		{[]string{"verify", "-x", "a"}, "-x"},
		{[]string{"compare", "a"}, "compare wants two directories"},
		{[]string{"report"}, "report wants files"},
	}
	for _, tt := range tests {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), tt.want) || out.Len() > 0 {
			t.Errorf("%v: exit %d, %q; want 2 and %q", tt.args, code, errs.String(), tt.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"run", "-h"}, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Errorf("exit %d, stderr %q", code, errs.String())
	}
	for _, want := range []string{"usage:", "-profile", "-seed", "-pairs", "-only", "-name", "-bin", "exit codes"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %q", want)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"-version"}, {"--version"}, {"run", "-version"}, {"verify", "-version"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != exitOK || errs.Len() > 0 || !strings.HasPrefix(out.String(), "bench ") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v: exit %d, %q, stderr %q", args, code, out.String(), errs.String())
		}
	}
}

func TestHelpOfEveryJob(t *testing.T) {
	for name := range commands() {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{name, "-h"}, &out, &errs); code != exitOK || errs.Len() > 0 || !strings.Contains(out.String(), "usage: bench") {
			t.Errorf("%s -h: exit %d, %q, stderr %q", name, code, out.String(), errs.String())
		}
	}
}

func TestReportsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "run.json")
	if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", dir}, {"verify", filepath.Join(dir, "missing")}, {"compare", dir, dir},
		{"report", file}, {"report", filepath.Join(dir, "missing.json")},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != exitFailed || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", args, code, out.String(), errs.String())
		}
	}
}

func TestCouldNotRun(t *testing.T) {
	bin := fakePrograms(t)
	taken := t.TempDir()
	if err := os.Mkdir(filepath.Join(taken, "reference"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"programs missing", []string{"-bin", t.TempDir(), "-o", t.TempDir()}, "build it with"},
		{"name taken", []string{"-bin", bin, "-o", taken, "-name", "reference"}, "choose another with -name"},
		{"name with a slash", []string{"-bin", bin, "-o", taken, "-name", "../x"}, "name must be"},
		{"results is a file", []string{"-bin", bin, "-o", file}, "not a directory"},
		{"server does not start", []string{"-bin", bin, "-o", t.TempDir()}, "bench: arm single: server did not start"},
		{"other server does not start", []string{"-bin", bin, "-o", t.TempDir(), "-arm-cmd", "mine=false {port}", "-only", "ingest"}, "bench: arm mine: server did not start: it ended before"},
	}
	for _, tt := range tests {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%s: exit %d, %q; want 1 and %q", tt.name, code, errs.String(), tt.want)
		}
	}
}

// fakePrograms returns a directory with programs that start and end at once.
func fakePrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"server", "loadgen"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInterruptedBeforeTheFirstTrial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results := t.TempDir()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"-bin", fakePrograms(t), "-o", results}, &out, &errs); code != exitInterrupted {
		t.Errorf("exit %d, want %d; %q", code, exitInterrupted, errs.String())
	}
	if said := errs.String(); !strings.Contains(said, "bench: interrupted before the first trial") || strings.Contains(said, "context") {
		t.Errorf("said %q", said)
	}
	expectNoReport(t, results)
}

func expectNoReport(t *testing.T, results string) {
	t.Helper()
	entries, err := os.ReadDir(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".lock" {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// TestRunOfRealPrograms measures the cheapest experiment once with the real server.
func TestRunOfRealPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	results := t.TempDir()
	var out, errs bytes.Buffer
	args := []string{"-bin", buildPrograms(t), "-o", results, "-name", "e2e", "-only", "query", "-pairs", "1", "-max-foreign", "1", "-max-steal", "1"}
	if code := run(t.Context(), args, &out, &errs); code != exitOK {
		t.Fatalf("exit %d\n%s\n%s", code, out.String(), errs.String())
	}
	for _, name := range []string{"report.md", "run.json", "bench.txt", "query.svg", "effects.svg"} {
		if info, err := os.Stat(filepath.Join(results, "e2e", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(results, "e2e", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r experiment.Run
	if err := json.Unmarshal(text, &r); err != nil || len(r.Trials) != 7 || r.Interrupted {
		t.Errorf("run %+v, %v", r, err)
	}
	if !strings.Contains(out.String(), "query, 1.25 % of 100,000 points") || !strings.Contains(errs.String(), "[1/7]") {
		t.Errorf("stdout %q\nstderr %q", out.String(), errs.String())
	}
	expectJobsOn(t, filepath.Join(results, "e2e"))
}

// expectJobsOn checks what the other jobs make of a run's directory, and that a digit
// that was changed by hand is found.
func expectJobsOn(t *testing.T, dir string) {
	t.Helper()
	again := filepath.Join(t.TempDir(), "again")
	job := func(code int, want string, args ...string) {
		var out, errs bytes.Buffer
		if got := run(t.Context(), args, &out, &errs); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit %d, want %d and %q\nstdout %s\nstderr %s", args, got, code, want, out.String(), errs.String())
		}
	}
	job(exitOK, "nothing differs", "verify", dir)
	job(exitOK, "query/points=100000", "compare", dir, dir)
	job(exitOK, "report.html", "report", "-o", again, dir)
	job(exitOK, "nothing differs", "verify", again)
	job(exitFailed, "", "report", "-o", again, dir) // never over what is there
	path := filepath.Join(again, "run.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte(`"stored": 1000,`), []byte(`"stored": 1001,`), 1)
	if bytes.Equal(changed, text) {
		t.Fatal("no such figure in run.json")
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	job(exitLost, "run.json", "verify", again)
}
