package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

// The benchmarks measure what the program measures, one trial per sub-benchmark
// and -count, whatever -benchtime says: a trial's length is part of what it
// measures. Their names and units are those of bench.txt, so that stock benchstat
// compares the modes with -col /arm. -count repeats one sub-benchmark before the
// next; for a comparison that holds use the program, which interleaves.

// benchHarness builds the programs and prepares trials.
func benchHarness(b *testing.B) *trial.Harness {
	b.Helper()
	bin := buildPrograms(b)
	h := &trial.Harness{
		Server: filepath.Join(bin, "server"), Loadgen: filepath.Join(bin, "loadgen"),
		Dir: b.TempDir(), Placement: trial.PlanPlacement(), Limits: trial.DefaultLimits(),
	}
	if err := h.Placement.Adopt(); err != nil {
		b.Fatal(err)
	}
	return h
}

func buildPrograms(tb testing.TB) string {
	tb.Helper()
	bin := tb.TempDir()
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", bin+"/", "./server", "./loadgen")
	build.Dir = ".."
	if words, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build programs: %v\n%s", err, words)
	}
	return bin
}

// perMode runs one trial for each mode and reports the units. The framework calls a
// sub-benchmark again with a larger b.N when it was short; it then gets the same
// trial.
func perMode(b *testing.B, suffix string, measure func(arm trial.Arm) (trial.Result, error), units ...string) {
	for _, mode := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
		var result trial.Result
		b.Run("arm="+mode+suffix, func(b *testing.B) {
			if b.N == 1 {
				var err error
				if result, err = measure(trial.Arm{Name: mode, ServerArgs: []string{"-mode", mode}}); err != nil {
					b.Fatal(err)
				}
			}
			if !result.Valid() {
				b.Skipf("void: %q", result.Void)
			}
			b.ReportMetric(0, "ns/op") // meaningless here; 0 leaves it out
			for _, unit := range units {
				if v, ok := result.Value(unit); ok {
					b.ReportMetric(v, unit)
				}
			}
		})
	}
}

func loadOf(p experiment.Profile, rate int) trial.Load {
	return trial.Load{Rate: rate, Connections: 64, Warmup: p.Warmup, Window: p.Window}
}

func BenchmarkIngest(b *testing.B) {
	h := benchHarness(b)
	perMode(b, "", func(arm trial.Arm) (trial.Result, error) {
		return loadOf(experiment.Quick(), 0).Run(b.Context(), h, arm, 1)
	}, trial.UnitRPS, trial.UnitCPUPerSample, trial.UnitPeakMemory)
}

func BenchmarkResponse(b *testing.B) {
	h := benchHarness(b)
	p := experiment.Quick()
	for _, rate := range p.Rates {
		perMode(b, fmt.Sprintf("/rate=%d", rate), func(arm trial.Arm) (trial.Result, error) {
			return loadOf(p, rate).Run(b.Context(), h, arm, 1)
		}, trial.UnitP50, trial.UnitP99)
	}
}

func BenchmarkQuery(b *testing.B) {
	h := benchHarness(b)
	for _, n := range experiment.Quick().PointCounts {
		perMode(b, fmt.Sprintf("/points=%d", n), func(arm trial.Arm) (trial.Result, error) {
			return trial.Query{Points: trial.Points{N: n}, Queries: experiment.Queries(n), Warmup: 2}.Run(b.Context(), h, arm, 1)
		}, trial.UnitScan)
	}
}

// BenchmarkAlert keeps the product's interval of 10 s, because the delay is a
// property of it: about 20 s per mode.
func BenchmarkAlert(b *testing.B) {
	h := benchHarness(b)
	p := experiment.Quick()
	perMode(b, "", func(arm trial.Arm) (trial.Result, error) {
		cell := p.AlertCells[0]
		return trial.Alert{
			Rules: cell.Rules, Rate: cell.Rate, Connections: 64, Probes: p.AlertProbes,
			Paces: map[string]time.Duration{arm.Name: experiment.Pace(arm)},
		}.Run(b.Context(), h, arm, uint64(time.Now().UnixNano()))
	}, trial.UnitDetect, trial.UnitArrive)
}
