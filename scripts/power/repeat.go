package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"phase0/bench/audit"
	"phase0/bench/experiment"
	"phase0/bench/stat"
	"phase0/bench/trial"
)

// The arms of every repetition.
const (
	armBase   = "base"
	armSlower = "slower"
)

// repetition is one run of bench.
type repetition struct {
	Seed   uint64    `json:"seed"`
	Start  time.Time `json:"start"` // UTC
	Trials int       `json:"trials"`
	Void   int       `json:"void"`
	// Base is the median RPS of the baseline; Busy the smallest share that a server's
	// core was busy.
	Base float64 `json:"base_rps"`
	Busy float64 `json:"least_server_busy"`
	// Planted is what bench found between the baseline and the slower arm, with its
	// verdict; Same what it found between the control's two.
	Planted stat.Effect  `json:"planted"`
	Verdict stat.Verdict `json:"verdict"`
	Same    stat.Effect  `json:"same"`
	// Delta is what bench asked a difference to exceed in this run.
	Delta float64 `json:"delta"`
}

// found reports whether the planted slowdown was called slower.
func (r repetition) found() bool { return r.Verdict == stat.Slower }

// claimed reports whether the control would have been called a difference, were it a
// claim; against the narrowest band there is, for the control's own width would excuse
// it otherwise.
func (r repetition) claimed() bool {
	v, _ := stat.Judge(r.Same, stat.MinDelta)
	return v == stat.Faster || v == stat.Slower
}

func (r repetition) String() string {
	return fmt.Sprintf("planted %.3f [%.3f, %.3f] %s; same %.3f [%.3f, %.3f]; %.0f rps",
		r.Planted.Ratio, r.Planted.Low, r.Planted.High, r.Verdict, r.Same.Ratio, r.Same.Low, r.Same.High, r.Base)
}

// repeat runs bench once and reads what it found.
func repeat(ctx context.Context, o options, seed uint64) (repetition, error) {
	dir, err := os.MkdirTemp("", "power-")
	if err != nil {
		return repetition{}, fmt.Errorf("create directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left in the temporary directory harms nobody
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, "bench"), benchArgs(o, dir, seed)...)
	// Bench then stops its servers and leaves; killed it could not.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	words, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	// 3 is noisy or withheld: it counts, as a run in which nothing may be claimed.
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
		return repetition{}, fmt.Errorf("run bench: %w: %s", err, words)
	}
	run, err := audit.Load(filepath.Join(dir, "one"))
	if err != nil {
		return repetition{}, err
	}
	return summarize(run)
}

func benchArgs(o options, dir string, seed uint64) []string {
	command := fmt.Sprintf("'%s' -port {port} -spin %v", filepath.Join(o.bin, "spinserver"), o.spin)
	return []string{
		"run", "-bin", o.bin, "-o", dir, "-name", "one", "-progress", "none", "-only", experiment.Ingest,
		"-arm-cmd", armBase + "=" + command, "-arm-cmd", armSlower + "=" + command + " -slowdown " + o.slowdown,
		"-pairs", strconv.Itoa(o.pairs), "-window", o.window.String(), "-warmup", o.warmup.String(),
		"-connections", strconv.Itoa(o.connections), "-seed", strconv.FormatUint(seed, 10),
	}
}

// errIncomplete is returned when bench measured, but not what was asked.
var errIncomplete = errors.New("bench did not compare the arms")

func summarize(run *experiment.Run) (repetition, error) {
	r := repetition{Seed: run.Seed, Start: run.Start, Trials: len(run.Trials), Busy: 1, Delta: run.Findings.Delta}
	for i := range run.Trials {
		t := &run.Trials[i]
		if !t.Valid() {
			r.Void++
		} else if busy, ok := t.Value(trial.UnitServerBusy); ok {
			r.Busy = min(r.Busy, busy)
		}
	}
	rps := func(control bool) (experiment.Comparison, bool) {
		i := slices.IndexFunc(run.Findings.Comparisons, func(c experiment.Comparison) bool {
			return c.Unit == trial.UnitRPS && c.Control == control && c.Measured && (control || c.A.Arm == armBase && c.B.Arm == armSlower)
		})
		if i < 0 {
			return experiment.Comparison{}, false
		}
		return run.Findings.Comparisons[i], true
	}
	planted, ok := rps(false)
	same, okSame := rps(true)
	if !ok || !okSame {
		return r, fmt.Errorf("%w: %q", errIncomplete, run.Warnings)
	}
	r.Planted, r.Verdict, r.Base, r.Same = planted.Effect, planted.Verdict, planted.A.Value, same.Effect
	return r, nil
}
