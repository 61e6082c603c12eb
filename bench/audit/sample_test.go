package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/trial"
)

// writeRun writes all files of a small run and returns their directory.
func writeRun(t *testing.T) string {
	t.Helper()
	files, err := report.Files(sampleRun())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, string(content))
	}
	return dir
}

// sampleRun has trials of load and of alerts.
func sampleRun() *experiment.Run {
	p := experiment.Quick()
	p.Experiments = []string{experiment.Ingest, experiment.Alert}
	r := &experiment.Run{
		Schema: experiment.SchemaVersion, Name: "sample", Profile: p, Arms: experiment.DefaultArms(), Seed: 5,
		Start: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 26, 12, 3, 0, 0, time.UTC),
	}
	add := func(t trial.Result) {
		t.Order = len(r.Trials) + 1
		r.Trials = append(r.Trials, t)
	}
	factors := map[string]float64{experiment.ArmSingle: 1, experiment.ArmConcurrent: 4, experiment.ArmConcurrent + "-aa": 4.004}
	for block := 1; block <= p.Pairs; block++ {
		for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent, experiment.ArmConcurrent + "-aa"} {
			rps := 10_000 * factors[arm] * (1 + float64(block%3)/500)
			add(trial.Result{
				Experiment: experiment.Ingest, Case: p.CapacityCase(), Arm: arm, Block: block, ServerArgs: []string{"-mode", experiment.Base(arm)},
				Values: map[string]float64{trial.UnitRPS: rps, trial.UnitServerBusy: 0.99, trial.UnitPeakMemory: 2e7, trial.UnitCPUPerSample: 1e9 / rps},
			})
		}
	}
	const pace = 10 * time.Second
	for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent} {
		result := trial.Result{Experiment: experiment.Alert, Case: p.AlertCells[0].Case(), Arm: arm, Block: 1, ServerArgs: []string{"-mode", arm}}
		sum := 0.0
		for i := range p.AlertProbes {
			d := (int64(i) + 1) * int64(pace) / int64(p.AlertProbes)
			result.DelaysNS, result.ArrivalsNS, result.SincesNS, sum = append(result.DelaysNS, d), append(result.ArrivalsNS, d+1e6), append(result.SincesNS, d), sum+float64(d)
		}
		mean := sum / float64(p.AlertProbes)
		result.Values = map[string]float64{trial.UnitMissed: 0, trial.UnitFalse: 0, trial.UnitDetect: mean, trial.UnitArrive: mean + 1e6}
		add(result)
	}
	r.Conclude()
	return r
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
