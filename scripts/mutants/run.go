package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Verdicts on a mutant.
const (
	caught    = "caught"
	survived  = "SURVIVED"
	noVerdict = "no verdict"
)

const (
	// testTimeout bounds one run of go test.
	testTimeout = 2 * time.Minute
	killGrace   = 5 * time.Second
	maxFile     = 4 << 20 // bytes of a file of the code
)

// outcome is what became of a mutant.
type outcome struct {
	Name    string  `json:"name"`
	Breaks  string  `json:"breaks"`
	File    string  `json:"file"`
	Verdict string  `json:"verdict"`
	By      string  `json:"by,omitempty"`  // the first test that failed
	Why     string  `json:"why,omitempty"` // there is no verdict
	Seconds float64 `json:"seconds"`
}

// copyCode copies the files that git knows, as they are now, and new ones that it does
// not ignore.
func copyCode(ctx context.Context, to string) error {
	out, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
			continue // deleted and not yet committed, or no code
		}
		if err != nil {
			return fmt.Errorf("copy code: %w", err)
		}
		text, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			return fmt.Errorf("copy code: %w", err)
		}
		path := filepath.Join(to, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, text, info.Mode().Perm()|0o200)); err != nil {
			return fmt.Errorf("copy code: %w", err)
		}
	}
	return nil
}

// apply returns a file's text with the bug in it.
func (m mutant) apply(text string) (string, error) {
	if n := strings.Count(text, m.old); n != 1 {
		return "", fmt.Errorf("its text stands %d times in %s, not once", n, m.file)
	}
	return strings.Replace(text, m.old, m.new, 1), nil
}

// overlay writes the file with the bug into dir, and beside it what makes go build take it.
func (m mutant) overlay(dir string) error {
	text, err := os.ReadFile(filepath.Clean(m.file))
	if err != nil {
		return fmt.Errorf("plant bug: %w", err)
	}
	bugged, err := m.apply(string(text))
	if err != nil {
		return fmt.Errorf("plant bug %s: %w", m.name, err)
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return fmt.Errorf("plant bug: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("plant bug: %w", err)
	}
	path := filepath.Join(dir, filepath.Base(m.file))
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: path}})
	if err != nil {
		return fmt.Errorf("plant bug: %w", err)
	}
	return errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(path, []byte(bugged), 0o600), os.WriteFile(filepath.Join(dir, "overlay.json"), replace, 0o600))
}

// copied is a copy of the code.
type copied struct {
	dir string
	// base holds what the suites do without a bug: nothing when they pass.
	base map[suite]string
}

// try plants the bug, runs the tests and takes it out again. The error is the
// context's, or that of a file.
func (c *copied) try(ctx context.Context, m mutant) (outcome, error) {
	o := outcome{Name: m.name, Breaks: m.breaks, File: m.file}
	began := time.Now()
	path := filepath.Join(c.dir, m.file)
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		o.Verdict, o.Why = noVerdict, err.Error()
		return o, nil
	}
	bugged, err := m.apply(string(text))
	if err != nil {
		o.Verdict, o.Why = noVerdict, err.Error()
		return o, nil
	}
	for _, s := range m.tests {
		if _, known := c.base[s]; !known {
			c.base[s] = c.test(ctx, s).why()
		}
		if why := c.base[s]; why != "" {
			o.Verdict, o.Why = noVerdict, fmt.Sprintf("without the bug, %s: %s", s.pkg, why)
			return o, ctx.Err()
		}
	}
	if err := os.WriteFile(path, []byte(bugged), 0o600); err != nil {
		return o, fmt.Errorf("plant bug: %w", err)
	}
	c.judge(ctx, m, &o)
	o.Seconds = time.Since(began).Seconds()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return o, fmt.Errorf("take out bug: %w", err)
	}
	return o, ctx.Err()
}

// judge runs the tests with the bug in place until one fails.
func (c *copied) judge(ctx context.Context, m mutant, o *outcome) {
	o.Verdict = survived
	for _, s := range m.tests {
		switch r := c.test(ctx, s); {
		case r.err == nil:
		case r.unbuilt:
			o.Verdict, o.Why = noVerdict, "it does not compile: "+r.cause
			return
		default:
			o.Verdict, o.By = caught, strings.TrimPrefix(s.pkg, "./")+": "+r.cause
			return
		}
	}
}

// tested is how a run of go test ended.
type tested struct {
	err     error
	unbuilt bool   // there was nothing to run
	cause   string // the first test that failed, or what else did
}

func (t tested) why() string {
	if t.err == nil {
		return ""
	}
	return t.cause
}

// test runs a suite. All that it starts ends with it.
func (c *copied) test(ctx context.Context, s suite) tested {
	args := []string{"test", "-count=1", "-vet=off", "-timeout", testTimeout.String()}
	if s.run != "" {
		args = append(args, "-run", s.run)
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, goCommand(), append(args, s.pkg)...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a test's own children end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killGrace
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return read(out.String(), err)
}

func goCommand() string {
	if g := os.Getenv("GO"); g != "" {
		return g
	}
	return "go"
}

var (
	failLine  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	panicLine = regexp.MustCompile(`(?m)^(panic: .*|fatal error: .*)$`)
)

// maxCause bounds a cause, in bytes.
const maxCause = 120

// read makes sense of what go test printed.
func read(out string, err error) tested {
	if err == nil {
		return tested{}
	}
	t := tested{err: err, unbuilt: strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]")}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	switch fail, panicked := failLine.FindAllStringSubmatch(out, -1), panicLine.FindString(out); {
	case t.unbuilt:
		at := slices.IndexFunc(lines, func(l string) bool { return l != "" && !strings.HasPrefix(l, "#") })
		t.cause = lines[max(0, at)]
	case len(fail) > 0:
		t.cause = deepest(fail)
	case panicked != "":
		t.cause = panicked
	default:
		t.cause = lines[len(lines)-1]
	}
	if len(t.cause) > maxCause {
		t.cause = t.cause[:maxCause]
	}
	return t
}

// deepest returns the first test that failed, with its subtest if one did.
func deepest(fail [][]string) string {
	first := fail[0][1]
	for _, f := range fail[1:] {
		if strings.HasPrefix(f[1], first+"/") {
			return f[1]
		}
	}
	return first
}
