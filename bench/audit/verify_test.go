package audit

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"phase0/bench/report"
)

func mustVerify(t *testing.T, dir string) Findings {
	t.Helper()
	f, err := Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestVerifyAgreesWithWhatBenchWrites(t *testing.T) {
	dir := writeRun(t)
	f := mustVerify(t, dir)
	if !f.OK() || f.Files < 5 || f.Values < 500 {
		t.Errorf("%d files, %d values:\n%s", f.Files, f.Values, f)
	}
	if !strings.Contains(f.String(), "nothing differs") {
		t.Errorf("prints %q", f)
	}
}

// Any digit anywhere: whatever file it is in, verify fails and names the file.
func TestVerifyNoticesAnyDigit(t *testing.T) {
	t.Parallel()
	dir := writeRun(t)
	rng := rand.New(rand.NewPCG(26, 11))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, text := entry.Name(), read(t, dir, entry.Name())
		digits := regexp.MustCompile(`\d`).FindAllStringIndex(text, -1)
		for range 8 {
			at := digits[rng.IntN(len(digits))][0]
			changed := text[:at] + string('0'+(text[at]-'0'+1)%10) + text[at+1:]
			write(t, dir, name, changed)
			f, err := Verify(dir)
			switch {
			case err != nil && name == RunFile: // no longer a run at all; that is noticed too
			case err != nil:
				t.Errorf("%s, byte %d: %v", name, at, err)
			case f.OK():
				t.Errorf("%s, byte %d changed to %q: nothing noticed", name, at, changed[max(0, at-20):at+1])
			case name != report.SumsFile && !strings.Contains(f.String(), name):
				t.Errorf("%s, byte %d: the file is not named:\n%s", name, at, f)
			}
		}
		write(t, dir, name, text)
	}
	if f := mustVerify(t, dir); !f.OK() {
		t.Errorf("after all was put back:\n%s", f)
	}
}

// With checksums made to match, what follows from the trials still gives it away, and
// the place and both values are named.
func TestVerifyNamesTheFigure(t *testing.T) {
	tests := []struct {
		name     string
		from, to string
		want     []string
	}{
		{"a ratio", `"ratio": 4,`, `"ratio": 5,`, []string{"findings.comparisons[0].effect.ratio", "5", "4"}},
		{"a verdict", `"verdict": "faster"`, `"verdict": "equivalent"`, []string{".verdict", `"equivalent"`, `"faster"`}},
		{"a trial", `"rps": 10020`, `"rps": 11020`, []string{"findings.comparisons[0].effect.low", "report.md"}},
		{"a delay", `250000000,`, `260000000,`, []string{"values.detect-ns", "the mean of delays_ns"}},
		{"an arrival", `251000000,`, `261000000,`, []string{"values.webhook-ns", "the mean of arrivals_ns"}},
		{"an unknown field", `"schema": 3,`, `"schema": 3, "extra": 1,`, []string{"extra", "nothing"}},
		{"a missing field", ` "interrupted": false,` + "\n", ``, []string{"interrupted", "nothing", "false"}},
		{"a space", `"seed": 5,`, `"seed":  5,`, []string{"run.json", "line "}},
	}
	for _, tt := range tests {
		dir := writeRun(t)
		text := read(t, dir, RunFile)
		if !strings.Contains(text, tt.from) {
			t.Fatalf("%s: run.json has no %q", tt.name, tt.from)
		}
		write(t, dir, RunFile, strings.Replace(text, tt.from, tt.to, 1))
		resum(t, dir)
		said := mustVerify(t, dir).String()
		for _, want := range tt.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: lacks %q:\n%s", tt.name, want, said)
			}
		}
		if strings.Contains(said, "checksum") {
			t.Errorf("%s: the checksums were made to match:\n%s", tt.name, said)
		}
	}
}

// resum writes the checksums anew, as somebody would who hides a change.
func resum(t *testing.T, dir string) {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		files[entry.Name()] = []byte(read(t, dir, entry.Name()))
	}
	write(t, dir, report.SumsFile, string(report.Sums(files)))
}

func TestVerifyFiles(t *testing.T) {
	tests := []struct {
		name   string
		change func(dir string) error
		want   string
	}{
		{"page changed", func(dir string) error { return appendTo(filepath.Join(dir, "report.md"), "faster!\n") }, "report.md"},
		{"page missing", func(dir string) error { return os.Remove(filepath.Join(dir, "report.md")) }, "report.md"},
		{"file added", func(dir string) error { return appendTo(filepath.Join(dir, "notes.txt"), "x") }, "notes.txt"},
		{"sums missing", func(dir string) error { return os.Remove(filepath.Join(dir, report.SumsFile)) }, report.SumsFile},
		{"sums torn", func(dir string) error { return os.Truncate(filepath.Join(dir, report.SumsFile), 30) }, "line 1"},
		{"link", func(dir string) error { return os.Symlink("report.md", filepath.Join(dir, "link.md")) }, "not a regular file"},
	}
	for _, tt := range tests {
		dir := writeRun(t)
		if err := tt.change(dir); err != nil {
			t.Fatal(err)
		}
		if f := mustVerify(t, dir); f.OK() || !strings.Contains(f.String(), tt.want) {
			t.Errorf("%s: lacks %q:\n%s", tt.name, tt.want, f)
		}
	}
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func TestVerifyRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
		words      string
	}{
		{"empty", "", ErrForeign, "ends in the middle"},
		{"truncated", `{"schema": 3, "trials": [{"arm": "sin`, ErrForeign, "ends in the middle, after 37 bytes"},
		{"no JSON", "<html>", ErrForeign, "line 1"},
		{"foreign", `{"requests": 5}`, ErrForeign, "schema or trials are missing"},
		{"a list", `[1]`, ErrForeign, "line 1"},
		{"null", `null`, ErrForeign, "schema or trials"},
		{"older schema", `{"schema": 1, "trials": []}`, ErrSchema, "it is 1"},
		{"wrong type", `{"schema": 3,` + "\n" + `"trials": [{"block": "one"}]}`, ErrForeign, "line 2: trials.block is a string"},
		{"no profile", `{"schema": 3, "trials": []}`, ErrForeign, "profile"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		write(t, dir, RunFile, tt.text)
		if _, err := Verify(dir); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v, want %v with %q", tt.name, err, tt.want, tt.words)
		}
	}
	if _, err := Verify(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}

func TestDifferencesAreBounded(t *testing.T) {
	dir := writeRun(t)
	write(t, dir, RunFile, regexp.MustCompile(`"p": [^,]+`).ReplaceAllString(strings.NewReplacer(`"median"`, `"middle"`, `"mad"`, `"m"`, `"min"`, `"least"`).Replace(read(t, dir, RunFile)), `"p": 2`))
	f := mustVerify(t, dir)
	if len(f.Differences) != maxDifferences || f.Omitted == 0 || !strings.Contains(f.String(), "more") {
		t.Errorf("%d differences, %d omitted", len(f.Differences), f.Omitted)
	}
}

// No run.json, however made, ends in a panic.
func FuzzRecompute(f *testing.F) {
	for _, seed := range []string{
		`{"schema":2,"trials":[]}`,
		`{"schema":2,"profile":{"pairs":6,"experiments":["ingest"],"window_ns":2000000000,"warmup_ns":400000000,"connections":[64],"rates":[0]},"arms":[{"name":"single"},{"name":"concurrent"}],"trials":[{"experiment":"ingest","case":"connections=64","arm":"single","block":1,"values":{"rps":5}}]}`,
		`{"schema":2,"profile":{"pairs":6,"experiments":["alert","query","response"],"window_ns":2000000000,"warmup_ns":400000000,"connections":[],"rates":[0,-1],"point_counts":[0]},"arms":null,"trials":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decode(text)
		if err != nil {
			return
		}
		if _, err := recompute(r); err != nil && !errors.Is(err, ErrForeign) {
			t.Logf("not recomputed: %v", err) // refusing is fine
		}
	})
}

func FuzzParseSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  report.md\nnonsense\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sums, bad := parseSums(text)
		if lines := strings.Count(string(text), "\n") + 1; len(sums)+len(bad) > lines {
			t.Errorf("%d sums and %d bad lines out of %d", len(sums), len(bad), lines)
		}
	})
}
