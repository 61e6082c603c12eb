package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"phase0/bench/trial"
)

// programs builds what the rig needs into a directory.
func programs(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("placement and memory are Linux's")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "phase0/server", "phase0/loadgen", "phase0/scripts/bareserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestRuns does a short run of every experiment with the real programs, and expects
// the figures that cannot depend on the machine.
func TestRuns(t *testing.T) {
	// Rates and times are not looked at: the tests' own machine may be busy.
	r := &rig{options: options{bin: programs(t), seconds: 1, overload: 2, points: smallPoints, seed: 1}, dir: t.TempDir()}
	for _, c := range []struct {
		job   job
		units []string
	}{
		{job{Experiment: singleSample, Arm: armBare, shape: shape{4, 1, 10}}, []string{unitRequests, unitSamples}},
		{job{Experiment: batches, Arm: armConcurrent, shape: shape{4, 100, 100}}, []string{unitRequests, unitSamples, unitAllocated, unitDepth, unitMemory, unitP99}},
		{job{Experiment: batches, Arm: armGenerated, shape: shape{4, 100, 100}}, []string{unitSamples}},
		{job{Experiment: scanning, Arm: armParallel, Case: caseSmall}, []string{unitNewest}},
		{job{Experiment: scanning, Arm: armGrep, Case: caseFull}, []string{unitScanned}},
		{job{Experiment: overloading, Arm: armConcurrent}, []string{unitCapacity, unitShare, unitMemory, unitBound, unitAccepted, unitVerified}},
		{job{Experiment: slowClients, Arm: armBoth}, []string{unitP99Alone, unitP99, unitMemory, unitSlowClients}},
	} {
		t.Run(c.job.Experiment+" "+c.job.Arm, func(t *testing.T) {
			t.Parallel() // most of the time is waiting
			checkRun(t, r, c.job, c.units)
		})
	}
	t.Cleanup(func() { // runs after all of them
		if left, err := filepath.Glob(filepath.Join(r.dir, "run-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, error %v", left, err)
		}
	})
}

func checkRun(t *testing.T, r *rig, j job, units []string) {
	got := r.one(t.Context(), j)
	// A consumer that keeps up may leave the queue empty each time it is looked at, but not in
	// one run after another.
	for range 4 {
		if depth, ok := got.Values[unitDepth]; !ok || depth > 0 {
			break
		}
		got = r.one(t.Context(), j)
	}
	// What disturbs is no fault here; one hides what the run itself says.
	if got.Void != "" && got.Machine.Disturbed() != got.Void {
		t.Fatalf("%s", got)
	}
	for _, u := range units {
		if got.Values[u] <= 0 {
			t.Errorf("%s is %v in %s", u, got.Values[u], got)
		}
	}
	if got.Values[unitWrong] != 0 || got.Values[unitNoRetry] != 0 {
		t.Errorf("%s", got)
	}
	if len(got.Commands) == 0 || strings.Contains(strings.Join(got.Commands, ""), r.dir) {
		t.Errorf("commands %q", got.Commands)
	}
}

// A server that does not start voids the run and says why.
func TestVoid(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'unknown flag' >&2\nexit 2\n"
	if err := os.WriteFile(filepath.Join(dir, "server"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := &rig{options: options{bin: dir, seconds: 1}, dir: t.TempDir(), placement: trial.Placement{}}
	got := r.one(t.Context(), job{Experiment: slowClients, Arm: armDrip})
	if got.Machine.Disturbed() == "" && !strings.Contains(got.Void, "unknown flag") {
		t.Errorf("void because of %q", got.Void)
	}
}

func TestConclude(t *testing.T) {
	dir := t.TempDir()
	r := example()
	var out bytes.Buffer
	if err := conclude(dir, r, &out); codes().Of(err) != exitMissed {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "not reached   overload  503 without Retry-After: none: 1 at worst in 2 runs") {
		t.Errorf("printed:\n%s", out.String())
	}
	text, err := os.ReadFile(filepath.Join(dir, "platform.json"))
	var back report
	if err != nil || json.Unmarshal(text, &back) != nil || len(back.Sections) != len(r.Sections) || len(back.Targets) != len(r.Targets) {
		t.Errorf("error %v, %d sections", err, len(back.Sections))
	}
	for _, name := range []string{"single.svg", "batch.svg", "scan.svg", "overload.svg", "slow.svg", "grid.svg"} {
		if svg, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Contains(svg, []byte("</svg>")) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for i := range r.Sections[3].Runs {
		r.Sections[3].Runs[i].Values[unitLost] = 1
	}
	if err := conclude(dir, r, &out); codes().Of(err) != exitLost {
		t.Errorf("lost samples: error %v", err)
	}
	for i := range r.Sections[0].Runs {
		r.Sections[0].Runs[i].Void = "failed"
	}
	for i := range r.Sections[3].Runs {
		r.Sections[3].Runs[i].Values[unitLost] = 0
	}
	if err := conclude(dir, r, &out); codes().Of(err) != exitNotValid {
		t.Errorf("nothing valid: error %v", err)
	}
	r.interrupted = true
	if err := conclude(dir, r, &out); codes().Of(err) != 130 {
		t.Errorf("interrupted: error %v", err)
	}
}
