package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMergeOfTwoRuns(t *testing.T) {
	dir := t.TempDir()
	url := target(t, accept)
	var files []string
	for _, name := range []string{"a.json", "b.json"} {
		files = append(files, filepath.Join(dir, name))
		if code, _, errs := loadgen(t.Context(), "-rps", "400", "-n", "40", "-quiet", "-o", files[len(files)-1], url); code != exitOK && code != exitInvalid {
			t.Fatalf("exit code %d: %s", code, errs)
		}
	}
	sum, hdr := filepath.Join(dir, "sum.json"), filepath.Join(dir, "sum.hgrm")
	code, out, errs := loadgen(t.Context(), append([]string{"merge", "-o", sum, "-hdr", hdr}, files...)...)
	// The runs were not at the same time, which the verdict says.
	if code != exitOK && code != exitInvalid || !strings.Contains(out, "scheduled 80 = 80 sent") || !strings.Contains(out, "never all sending at the same time") {
		t.Errorf("exit code %d:\n%s%s", code, out, errs)
	}
	var doc document
	if data, err := os.ReadFile(sum); err != nil || json.Unmarshal(data, &doc) != nil || doc.ResponseTime.Count != 80 {
		t.Errorf("%v, %d observations", err, doc.ResponseTime.Count)
	}
	if text, err := os.ReadFile(hdr); err != nil || !strings.Contains(string(text), "1/(1-Percentile)") {
		t.Errorf("%v in %s", err, text)
	}
	if code, _, errs := loadgen(t.Context(), "merge", files[0], files[0]); code != exitCannotRun || !strings.Contains(errs, "given twice") {
		t.Errorf("the same file twice: exit code %d, %s", code, errs)
	}
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"schema":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := loadgen(t.Context(), "merge", files[0], broken); code != exitCannotRun || !strings.Contains(errs, broken) {
		t.Errorf("a broken file: exit code %d, %s", code, errs)
	}
}

func TestMergeUsage(t *testing.T) {
	for args, want := range map[string]string{
		"merge": "two or more", "merge a.json": "two or more", "merge -x a b": "-x", "merge -format yaml a b": "unknown",
	} {
		if code, _, errs := loadgen(t.Context(), strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, want) || !strings.Contains(errs, "loadgen merge -h") {
			t.Errorf("%s: exit code %d, %s", args, code, errs)
		}
	}
	if code, out, _ := loadgen(t.Context(), "merge", "-h"); code != exitOK || !strings.Contains(out, "never averaged") {
		t.Errorf("merge -h: exit code %d, %s", code, out)
	}
}

func TestFormats(t *testing.T) {
	url := target(t, accept)
	code, out, errs := loadgen(t.Context(), "-rps", "200", "-n", "20", "-format", "bench", url)
	if code != exitOK && code != exitInvalid || !strings.Contains(out, "\nBenchmark") || !strings.Contains(out, " rps") {
		t.Errorf("exit code %d:\n%s%s", code, out, errs)
	}
	code, out, errs = loadgen(t.Context(), "-rps", "200", "-n", "20", "-format", "json", "-slo", "err<1%", url)
	var doc document
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.SLO == nil || doc.Accounting.Sent != 20 {
		t.Errorf("exit code %d, %v:\n%s%s", code, err, out, errs)
	}
}

func TestMissedObjectiveSetsTheExitCode(t *testing.T) {
	url := target(t, accept)
	code, out, _ := loadgen(t.Context(), "-rps", "200", "-n", "40", "-slo", "p50<1ns", url)
	if code != exitMissed && code != exitInvalid || !strings.Contains(out, "p50 < 1ns") || !strings.Contains(out, "missed") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}
