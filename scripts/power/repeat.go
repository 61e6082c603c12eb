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
	"phase0/scripts/lab"
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
	// verdict, where there was one; Same what it found between the control's two.
	Planted *stat.Effect `json:"planted,omitempty"`
	Verdict stat.Verdict `json:"verdict,omitempty"`
	Same    stat.Effect  `json:"same"`
	// Delta is what bench asked a difference to exceed in this run.
	Delta float64 `json:"delta"`
}

// found reports whether the planted slowdown was called slower.
func (r repetition) found() bool { return r.Planted != nil && r.Verdict == stat.Slower }

// claimed reports whether the control would have been called a difference, were it a
// claim; against the narrowest band there is, for the control's own width would excuse
// it otherwise.
func (r repetition) claimed() bool {
	v, _ := stat.Judge(r.Same, stat.MinDelta)
	return v == stat.Faster || v == stat.Slower
}

func (r repetition) String() string {
	same := fmt.Sprintf("same %s; %.0f rps", ratioOf(&r.Same), r.Base)
	if r.Planted == nil {
		return same
	}
	return fmt.Sprintf("planted %s %s; %s", ratioOf(r.Planted), r.Verdict, same)
}

// ratioOf prints an effect with its interval.
func ratioOf(e *stat.Effect) string {
	if e == nil {
		return lab.None
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", e.Ratio, e.Low, e.High)
}

// repeat runs bench once, with the slower arm where planted, and reads what it found.
func repeat(ctx context.Context, o options, planted bool, seed uint64) (repetition, error) {
	dir, err := os.MkdirTemp("", "power-")
	if err != nil {
		return repetition{}, fmt.Errorf("create directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left in the temporary directory harms nobody
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, "bench"), benchArgs(o, planted, dir, seed)...)
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
	return summarize(run, planted)
}

func benchArgs(o options, planted bool, dir string, seed uint64) []string {
	command := fmt.Sprintf("'%s' -port {port} -spin %v", filepath.Join(o.bin, "spinserver"), o.spin)
	args := []string{
		"run", "-bin", o.bin, "-o", dir, "-name", "one", "-progress", "none", "-only", experiment.Ingest, "-arm-cmd", armBase + "=" + command,
		"-pairs", strconv.Itoa(o.pairs), "-window", o.window.String(), "-warmup", o.warmup.String(),
		"-connections", strconv.Itoa(o.connections), "-seed", strconv.FormatUint(seed, 10),
	}
	if planted {
		args = append(args, "-arm-cmd", armSlower+"="+command+" -slowdown "+o.slowdown)
	}
	return args
}

// errIncomplete is returned when bench measured, but not what was asked.
var errIncomplete = errors.New("bench did not compare the arms")

func summarize(run *experiment.Run, planted bool) (repetition, error) {
	r := repetition{Seed: run.Seed, Start: run.Start, Trials: len(run.Trials), Busy: 1, Delta: run.Findings.Delta}
	for i := range run.Trials {
		t := &run.Trials[i]
		if !t.Valid() {
			r.Void++
		} else if busy, ok := t.Value(trial.UnitServerBusy); ok {
			r.Busy = min(r.Busy, busy)
		}
	}
	rps := func(control bool) *experiment.Comparison {
		i := slices.IndexFunc(run.Findings.Comparisons, func(c experiment.Comparison) bool {
			return c.Unit == trial.UnitRPS && c.Control == control && c.Measured && (control || c.A.Arm == armBase && c.B.Arm == armSlower)
		})
		if i < 0 {
			return nil
		}
		return &run.Findings.Comparisons[i]
	}
	same, slower := rps(true), rps(false)
	if same == nil || (slower != nil) != planted {
		return r, fmt.Errorf("%w: %q", errIncomplete, run.Warnings)
	}
	r.Same, r.Base = same.Effect, same.A.Value
	if planted {
		r.Planted, r.Verdict, r.Base = &slower.Effect, slower.Verdict, slower.A.Value
	}
	return r, nil
}
