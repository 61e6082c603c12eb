package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/scripts/lab"
)

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-only", "no-such"}, {"-only", ""}, {"x"}, {"-nothing"}} {
		if _, err := parse(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: error %v", args, err)
		}
	}
	o, err := parse([]string{"-only", "lock-missing,drain-skipped", "-list"})
	if err != nil || !o.list || len(o.chosen()) != 2 {
		t.Errorf("%+v, error %v", o, err)
	}
}

// The list: names are unique, and every bug changes something and has tests.
func TestList(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mutants() {
		if seen[m.name] || m.old == m.new || m.breaks == "" || len(m.tests) == 0 {
			t.Errorf("%s: seen before or incomplete", m.name)
		}
		seen[m.name] = true
		for _, s := range m.tests {
			if _, err := os.Stat(filepath.Join("..", "..", s.pkg)); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
}

func TestApplyOnce(t *testing.T) {
	m := mutant{file: "x.go", old: "a", new: "b"}
	for text, want := range map[string]string{"": "0 times", "aa": "2 times"} {
		if _, err := m.apply(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
	if got, err := m.apply("xay"); err != nil || got != "xby" {
		t.Errorf("%q, error %v", got, err)
	}
}

func TestRead(t *testing.T) {
	failed := errors.New("exit status 1")
	tests := []struct {
		out     string
		err     error
		unbuilt bool
		cause   string
	}{
		{"ok  \tphase0/x\t0.1s\n", nil, false, ""},
		{"--- FAIL: TestA (0.0s)\n    a_test.go:1: x\n--- FAIL: TestB (0.0s)\nFAIL\n", failed, false, "TestA"},
		{"--- FAIL: TestA (0.0s)\n    --- FAIL: TestA/first_case (0.0s)\n", failed, false, "TestA/first_case"},
		{"# phase0/x\nx.go:3:1: undefined: y\nFAIL\tphase0/x [build failed]\n", failed, true, "x.go:3:1: undefined: y"},
		{"panic: test timed out after 2m0s\nrunning tests:\n", failed, false, "panic: test timed out after 2m0s"},
		{"fatal error: all goroutines are asleep - deadlock!\n", failed, false, "fatal error: all goroutines are asleep - deadlock!"},
		{strings.Repeat("x", 500), failed, false, strings.Repeat("x", maxCause)},
	}
	for _, tt := range tests {
		if got := read(tt.out, tt.err); got.unbuilt != tt.unbuilt || got.cause != tt.cause || got.err != tt.err {
			t.Errorf("%q: %+v", tt.out, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("--- FAIL: TestA (0.0s)\nFAIL\n")
	f.Add("# x\nx.go:1:1: bad\nFAIL x [build failed]\n")
	f.Fuzz(func(t *testing.T, out string) {
		if got := read(out, io.EOF); len(got.cause) > maxCause {
			t.Errorf("%d bytes", len(got.cause))
		}
	})
}

// TestTry plants bugs in a module of its own: one that a test catches, one that none
// does, one that does not compile, one that is not there, and one in code that fails
// without it.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module x\n\ngo 1.26\n",
		"a/a.go":          "package a\n\nfunc One() int { return 1 }\n\nfunc Two() int { return 2 }\n",
		"a/a_test.go":     "package a\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tif One() != 1 {\n\t\tt.Error()\n\t}\n}\n",
		"bad/bad.go":      "package bad\n\nfunc One() int { return 1 }\n",
		"bad/bad_test.go": "package bad\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Error() }\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c := &copied{dir: dir, base: map[suite]string{}}
	r := &report{}
	for _, tt := range []struct {
		m    mutant
		want string
		by   string
	}{
		{mutant{name: "one", file: "a/a.go", old: "return 1", new: "return 7", tests: in("./a")}, caught, "a: TestOne"},
		{mutant{name: "two", file: "a/a.go", old: "return 2", new: "return 7", tests: in("./a")}, survived, ""},
		{mutant{name: "syntax", file: "a/a.go", old: "return 1", new: "return x", tests: in("./a")}, noVerdict, ""},
		{mutant{name: "gone", file: "a/a.go", old: "return 9", new: "return 7", tests: in("./a")}, noVerdict, ""},
		{mutant{name: "nowhere", file: "b/b.go", old: "1", new: "2", tests: in("./a")}, noVerdict, ""},
		{mutant{name: "failing", file: "bad/bad.go", old: "return 1", new: "return 7", tests: in("./bad")}, noVerdict, ""},
	} {
		o, err := c.try(t.Context(), tt.m)
		if err != nil || o.Verdict != tt.want || o.By != tt.by {
			t.Errorf("%s: %+v, error %v", tt.m.name, o, err)
		}
		r.Mutants = append(r.Mutants, o)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a", "a.go")); err != nil || strings.Contains(string(text), "7") {
		t.Errorf("the copy is left as %q, %v", text, err)
	}
	if err := r.verdict(); !errors.Is(err, errSurvived) || r.summary() != "1 of 6 planted bugs caught, 1 SURVIVED, 4 could not be tried" {
		t.Errorf("%s, %v", r.summary(), err)
	}
	if err := r.write(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{0: nil, 1: io.EOF, 2: lab.ErrUsage, 3: errNotTried, 4: errSurvived, 130: lab.ErrInterrupted} {
		if got := codes().Of(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}
