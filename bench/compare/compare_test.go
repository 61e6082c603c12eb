package compare

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/bench/audit"
	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/trial"
)

// sampleRun measures maximum RPS, twice as high in concurrent or as factor says.
func sampleRun(factor float64) *experiment.Run {
	p := experiment.Quick()
	p.Experiments = []string{experiment.Ingest}
	r := &experiment.Run{Schema: experiment.SchemaVersion, Name: "sample", Profile: p, Arms: experiment.DefaultArms(), Seed: 5}
	r.Conditions.Commit, r.Conditions.Host.Kernel, r.Conditions.Placement.Pinned = "0123456789abcdef", "6.1", true
	r.Conditions.Command = []string{"bench", "-name", "sample"}
	for block := 1; block <= p.Pairs; block++ {
		for i, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent, experiment.ArmConcurrent + "-aa"} {
			rps := 10_000 * []float64{1, factor, factor * 1.001}[i] * (1 + float64((block+i)%3)/500)
			r.Trials = append(r.Trials, trial.Result{
				Experiment: experiment.Ingest, Case: p.CapacityCase(), Arm: arm, Block: block,
				Values: map[string]float64{trial.UnitRPS: rps, trial.UnitServerBusy: 0.99, trial.UnitCPUPerSample: 1e9 / rps, trial.UnitPeakMemory: 2e7},
			})
		}
	}
	return r
}

func write(t *testing.T, r *experiment.Run) string {
	t.Helper()
	r.Conclude()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, audit.RunFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(report.WriteJSON(file, r), file.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func compared(t *testing.T, a, b string) string {
	t.Helper()
	var out strings.Builder
	if err := Dirs(&out, a, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// row returns the line of a comparison, its blanks made single.
func row(t *testing.T, text, id string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == id {
			return strings.Join(fields, " ")
		}
	}
	t.Fatalf("no row %s in\n%s", id, text)
	return ""
}

func TestSameConditions(t *testing.T) {
	text := compared(t, write(t, sampleRun(2)), write(t, sampleRun(2)))
	if !strings.Contains(text, "All stored conditions agree.") || strings.Contains(text, "DIFFERENT") || strings.Contains(text, "overlap") {
		t.Errorf("two runs alike:\n%s", text)
	}
}

func TestDifferentConditionsAreNamed(t *testing.T) {
	b := sampleRun(3)
	b.Seed, b.Profile.Pairs, b.Conditions.Commit, b.Conditions.Host.Kernel, b.Conditions.Limits.Steal = 6, 7, "fedcba9876543210", "6.2", 0.5
	b.Conditions.Environment, b.Conditions.Command = []string{"GOGC=50"}, []string{"bench"}
	b.Arms[1].ServerArgs = append(b.Arms[1].ServerArgs, "-sync=always")
	b.Profile.Experiments = append(b.Profile.Experiments, experiment.Query)
	text := compared(t, write(t, sampleRun(2)), write(t, b))
	banner, _, _ := strings.Cut(text, "comparison")
	for _, want := range []string{
		"DIFFERENT CONDITIONS", "commit", "a: 0123456789abcdef", "b: fedcba9876543210", "kernel", "a: 6.1", "b: 6.2", "seed",
		"profile.pairs", "limits.steal", "environment", "not stored", "GOGC=50", "arm concurrent", "-sync=always",
	} {
		if !strings.Contains(banner, want) {
			t.Errorf("banner lacks %q:\n%s", want, banner)
		}
	}
	if strings.Contains(banner, "command") {
		t.Errorf("how bench was called is no condition:\n%s", banner)
	}
	id := sampleID(t)
	if line := row(t, text, id); !strings.Contains(line, "2 [") || !strings.Contains(line, "3 [") || !strings.HasSuffix(line, "intervals do not overlap") {
		t.Errorf("row %q", line)
	}
	if line := row(t, text, "query/points=1000/scan-ns/concurrent"); !strings.HasPrefix(line, "query/points=1000/scan-ns/concurrent not measured n/a") || !strings.HasSuffix(line, "only in b") {
		t.Errorf("row %q", line)
	}
}

// sampleID is the ID of the first comparison of sampleRun.
func sampleID(t *testing.T) string {
	t.Helper()
	r := sampleRun(2)
	r.Conclude()
	return r.Findings.Comparisons[0].ID
}

func TestOnlyInOne(t *testing.T) {
	a := sampleRun(2)
	a.Profile.Experiments = append(a.Profile.Experiments, experiment.Alert)
	text := compared(t, write(t, a), write(t, sampleRun(2)))
	if !strings.Contains(text, "only in a") {
		t.Errorf("alerts are only in a:\n%s", text)
	}
}

func TestDirsRefuses(t *testing.T) {
	good, torn := write(t, sampleRun(2)), t.TempDir()
	text, err := os.ReadFile(filepath.Join(good, audit.RunFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(torn, audit.RunFile), text[:len(text)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		a, b string
		want error
	}{
		"missing first":    {filepath.Join(good, "no"), good, fs.ErrNotExist},
		"missing second":   {good, filepath.Join(good, "no"), fs.ErrNotExist},
		"truncated second": {good, torn, audit.ErrForeign},
	} {
		var out strings.Builder
		if err := Dirs(&out, tt.a, tt.b); !errors.Is(err, tt.want) || out.Len() > 0 {
			t.Errorf("%s: %v, and printed %q", name, err, out.String())
		}
	}
}
