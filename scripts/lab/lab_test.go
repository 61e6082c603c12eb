package lab

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

const procStat = "cpu  100 10 50 1000 20 5 5 30 7 0\ncpu0 1 2 3 4 5 6 7 8\n"

func TestParseCores(t *testing.T) {
	for name, want := range map[string]cores{
		"cpu":  {work: 1700 * time.Millisecond, steal: 300 * time.Millisecond, total: 12200 * time.Millisecond},
		"cpu0": {work: 190 * time.Millisecond, steal: 80 * time.Millisecond, total: 360 * time.Millisecond},
	} {
		if got, err := parseCores(procStat, name); err != nil || got != want {
			t.Errorf("%s: %+v, error %v; want %+v", name, got, err, want)
		}
	}
	for _, text := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if _, err := parseCores(text, "cpu"); !errors.Is(err, errStat) {
			t.Errorf("%q: error %v, want errStat", text, err)
		}
	}
}

func FuzzParseCores(f *testing.F) {
	f.Add(procStat, "cpu")
	f.Add(procStat, "cpu0")
	f.Fuzz(func(t *testing.T, text, name string) {
		c, err := parseCores(text, name)
		if err == nil && (c.work < 0 || c.steal < 0 || c.total < c.work+c.steal) {
			t.Errorf("%q gives %+v", text, c)
		}
	})
}

func TestParseMemory(t *testing.T) {
	status := "Name:\tserver\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n"
	if now, err := parseMemory(status, "VmRSS"); err != nil || now != 1<<20 {
		t.Errorf("%d, error %v", now, err)
	}
	for _, text := range []string{"", "VmRSS: x kB", "VmRSS: -1 kB", "VmRSS: 1", "VmRSS: 9223372036854775807 kB"} {
		if got, err := parseMemory(text, "VmRSS"); !errors.Is(err, errMemory) {
			t.Errorf("%q: %d, error %v, want errMemory", text, got, err)
		}
	}
}

func FuzzParseMemory(f *testing.F) {
	f.Add("VmRSS:\t   1024 kB\n", "VmRSS")
	f.Fuzz(func(t *testing.T, text, key string) {
		if n, err := parseMemory(text, key); err == nil && n < 0 {
			t.Errorf("%q gives %d", text, n)
		}
	})
}

func TestLoad(t *testing.T) {
	before := Reading{known: true, own: time.Second}
	after := Reading{known: true, own: 6 * time.Second, cores: cores{work: 10 * time.Second, steal: time.Second, total: 20 * time.Second}}
	got := after.Since(before)
	if got != (Load{Known: true, Steal: 0.05, Foreign: 0.25}) || !strings.Contains(got.Disturbed(), "hypervisor") {
		t.Errorf("%+v, %q", got, got.Disturbed())
	}
	if reason := (Load{Foreign: 0.2}).Disturbed(); !strings.Contains(reason, "other programs") {
		t.Errorf("said %q", reason)
	}
	if reason := after.Since(Reading{}).Disturbed(); reason != "" {
		t.Errorf("said %q of what is not known", reason)
	}
}

func TestOnCores(t *testing.T) {
	pinned := trial.Placement{Pinned: true}
	path, args := OnCores(pinned, []int{0, 3}, "server", []string{"-x"})
	if got := path + " " + strings.Join(args, " "); got != "taskset -c 0,3 server -x" {
		t.Errorf("%q", got)
	}
	if path, args := OnCores(trial.Placement{}, []int{0}, "server", []string{"-x"}); path != "server" || len(args) != 1 {
		t.Errorf("not pinned, but %s %v", path, args)
	}
}

// TestProcess starts shells: one that gets ready and ends when told, one that says
// something else, one that is not there.
func TestProcess(t *testing.T) {
	ready := regexp.MustCompile(`^on (\d+)`)
	shell := func(script string) Command {
		return Command{Path: "sh", Args: []string{"-c", script}, Ready: ready, Patience: 20 * time.Second}
	}
	p, err := Start(t.Context(), shell(`trap 'echo bye; exit 0' TERM; echo hello; echo on 17; while :; do sleep 0.01; done`))
	if err != nil {
		t.Fatal(err)
	}
	if p.Said != "17" {
		t.Errorf("it said %q", p.Said)
	}
	if now, peak, err := ProcessMemory(p.PID()); err == nil && (now <= 0 || peak < now) {
		t.Errorf("memory %d, peak %d", now, peak)
	}
	output, _, err := p.Stop()
	if err != nil || !strings.HasSuffix(string(output), "on 17\nbye\n") {
		t.Errorf("output %q, error %v", output, err)
	}
	for _, script := range []string{"echo no; echo cause >&2; exit 3", "exit 0"} {
		if _, err := Start(t.Context(), shell(script)); !errors.Is(err, errSilent) || strings.Contains(script, "cause") != strings.Contains(err.Error(), "cause") {
			t.Errorf("%q: error %v", script, err)
		}
	}
	slow := shell("exec sleep 60")
	slow.Patience = time.Millisecond
	if _, err := Start(t.Context(), slow); !errors.Is(err, errSilent) {
		t.Errorf("a silent process gives %v", err)
	}
	if _, err := Start(t.Context(), Command{Path: filepath.Join(t.TempDir(), "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program gives %v", err)
	}
}

// A process without a handler for the signal is ended by it.
func TestStopBySignal(t *testing.T) {
	p, err := Start(t.Context(), Command{Path: "sleep", Args: []string{"60"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	if out, _, err := Run(t.Context(), "sh", []string{"-c", "echo out; exit 3"}, 3); err != nil || string(out) != "out\n" {
		t.Errorf("%q, error %v", out, err)
	}
	if _, _, err := Run(t.Context(), "sh", []string{"-c", "echo cause >&2; exit 4"}, 3); err == nil || !strings.Contains(err.Error(), "cause") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Run(ctx, "sleep", []string{"60"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestTail(t *testing.T) {
	var kept tail
	for range 3 {
		kept.keep([]byte(strings.Repeat("a", keptOutput-1) + "b"))
	}
	if text := kept.text(); len(text) != keptOutput || text[keptOutput-1] != 'b' {
		t.Errorf("%d bytes kept", len(text))
	}
}

func TestSummaries(t *testing.T) {
	if s, ok := Summarize([]float64{3, 1, 2}); !ok || s != (Summary{3, 2, 1, 3}) {
		t.Errorf("%+v, %t", s, ok)
	}
	if _, ok := Summarize(nil); ok {
		t.Error("a summary of nothing")
	}
	s, ok := Paired([]float64{1, 2}, []float64{2, 8}, stat.HigherIsBetter, 1)
	if !ok || s != (Summary{2, 3, 2, 4}) {
		t.Errorf("%+v, %t", s, ok)
	}
	if s, _ := Paired([]float64{2, 8}, []float64{1, 2}, stat.LowerIsBetter, 1); s != (Summary{2, 3, 2, 4}) {
		t.Errorf("%+v", s)
	}
	var a, b []float64
	for i := range stat.MinPairs {
		a, b = append(a, 100+float64(i)), append(b, 200+2*float64(i))
	}
	if s, _ := Paired(a, b, stat.HigherIsBetter, 1); s.N != stat.MinPairs || math.Abs(s.Median-2) > 1e-9 || s.Low > 2+1e-9 || s.High < 2-1e-9 {
		t.Errorf("%+v, want 2", s)
	}
}

func TestDocument(t *testing.T) {
	var d Document
	d.Table([]string{"a", "b"}, [][]string{{Cell(trial.UnitP50, Summary{1, 1500, 1500, 1500}, true), Times(Summary{2, 2, 1.5, 2.5}, true)}, {Cell("", Summary{}, false), Times(Summary{}, false)}})
	if want := "\n| a | b |\n|---|---|\n| 1.50 µs | 2.00× [1.50, 2.50] |\n| n/a | n/a |\n\n"; d.String() != want {
		t.Errorf("%q", d.String())
	}
}

func TestChoose(t *testing.T) {
	if got, err := Choose("-only", "a,c", []string{"a", "b", "c"}); err != nil || len(got) != 2 {
		t.Errorf("%v, error %v", got, err)
	}
	if _, err := Choose("-only", "a,d", []string{"a"}); !errors.Is(err, ErrUsage) {
		t.Errorf("error %v", err)
	}
}

func TestSlope(t *testing.T) {
	x, y := []float64{0, 1, 2, 3, 4}, []float64{1, 3, 5, 7, 9}
	if e := SlopeOf(x, y); math.Abs(e.Value-2) > 1e-9 || math.Abs(e.Low-2) > 1e-9 {
		t.Errorf("%+v", e)
	}
	// With noise the interval holds the truth and is not a point.
	if e := SlopeOf(x, []float64{0.9, 3.3, 4.7, 7.1, 9}); e.Low >= 2 || e.High <= 2 || e.Low < 1.5 || e.High > 2.5 || e.String() == "" {
		t.Errorf("%+v", e)
	}
	for _, few := range [][]float64{x[:2], {1, 1, 1}} {
		if e := SlopeOf(few, few); !math.IsInf(e.High, 1) {
			t.Errorf("%v from %v", e, few)
		}
	}
}

// Reports that lie about as a measurement begins are no change to what it measures.
func TestReportsAreNoChanges(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	put := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(t.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	put("main.go")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	put("results/other/report.md")
	if c := Describe(t.Context(), t.TempDir(), trial.Placement{}, nil); c.Dirty || c.Commit == "unknown" {
		t.Errorf("a report beside: %+v", c)
	}
	put("server/new.go")
	if c := Describe(t.Context(), t.TempDir(), trial.Placement{}, nil); !c.Dirty {
		t.Error("new code is not a change")
	}
}
