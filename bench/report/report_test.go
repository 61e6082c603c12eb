package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

// sampleRun is a small run with every kind of trial.
func sampleRun() *experiment.Run {
	p := experiment.Quick()
	r := &experiment.Run{
		Schema: experiment.SchemaVersion, Name: "sample", Profile: p, Arms: experiment.DefaultArms(), Seed: 3,
		Start: time.Date(2026, 11, 23, 23, 15, 0, 0, time.UTC), End: time.Date(2026, 11, 23, 23, 18, 0, 0, time.UTC),
	}
	r.Conditions.Commit, r.Conditions.GoVersion, r.Conditions.Placement.Pinned = "0123456789abcdef", "go1.26", true
	add := func(t trial.Result, block int) {
		t.Block, t.Order = block, len(r.Trials)+1
		t.ServerArgs = []string{"-mode", experiment.Base(t.Arm)}
		r.Trials = append(r.Trials, t)
	}
	for block := 1; block <= p.Pairs; block++ {
		wobble := 1 + float64(block%2*2-1)*float64(block)/1000
		for _, arm := range []string{experiment.ArmSingle, experiment.ArmConcurrent, experiment.ArmConcurrent + "-aa"} {
			factor := map[string]float64{experiment.ArmSingle: 1, experiment.ArmConcurrent: 10, experiment.ArmConcurrent + "-aa": 10 / wobble}[arm] * wobble
			add(trial.Result{Experiment: experiment.Ingest, Case: p.CapacityCase(), Arm: arm, Accepted: 1000, Values: map[string]float64{
				trial.UnitRPS: 2000 * factor, trial.UnitServerBusy: 0.99, trial.UnitPeakMemory: 2e7, trial.UnitCPUPerSample: 5e4 / factor,
			}}, block)
			if arm == experiment.ArmConcurrent+"-aa" {
				continue
			}
			times := map[string]float64{trial.UnitP50: 2e5 / factor, trial.UnitP99: 1e6 / factor, trial.UnitPeakMemory: 2e7}
			add(trial.Result{Experiment: experiment.Response, Case: "rate=200", Arm: arm, Values: times}, block)
			add(trial.Result{Experiment: experiment.Response, Case: "rate=2253", Arm: arm, Values: times}, block)
			add(trial.Result{Experiment: experiment.SlowClient, Case: "rate=200", Arm: arm, Values: times}, block)
			add(trial.Result{Experiment: experiment.Query, Case: "points=1000", Arm: arm, Values: map[string]float64{trial.UnitScan: 5e5 * wobble}}, block)
		}
	}
	for _, arm := range r.Arms {
		t := trial.Result{Experiment: experiment.Alert, Case: p.AlertCells[0].Case(), Arm: arm.Name, Values: map[string]float64{trial.UnitMissed: 0, trial.UnitFalse: 0}}
		fillAlerts(&t, p.AlertProbes, experiment.Pace(arm))
		add(t, 1)
	}
	add(trial.Result{Experiment: experiment.Ingest, Case: p.CapacityCase(), Arm: experiment.ArmSingle, Void: []string{"other | programs"}, Values: map[string]float64{trial.UnitRPS: 1}}, 7)
	r.Conclude()
	return r
}

// fillAlerts enters delays of an arm that polls at a pace, or of one that streams.
func fillAlerts(t *trial.Result, probes int, pace time.Duration) {
	for i := range int64(probes) {
		delay := 1e6 + i*1e4
		if pace > 0 {
			delay = (i + 1) * int64(pace) / int64(probes)
		}
		t.DelaysNS, t.ArrivalsNS, t.SincesNS = append(t.DelaysNS, delay), append(t.ArrivalsNS, delay+1e6), append(t.SincesNS, delay)
		t.Values[trial.UnitDetect] += float64(delay) / float64(probes)
		t.Values[trial.UnitArrive] += float64(delay+1e6) / float64(probes)
	}
}

func TestTableFitsAndTellsEverything(t *testing.T) {
	var out bytes.Buffer
	if err := WriteTable(&out, sampleRun(), false); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"maximum RPS", "A/A", "10.0×", "faster", "less", "(poll 10s, stream)", "400 inj.", "n/a", "1 of "} {
		if !strings.Contains(text, want) {
			t.Errorf("table lacks %q:\n%s", want, text)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 40 {
		t.Errorf("%d lines are more than a screen", lines)
	}
}

func TestSentence(t *testing.T) {
	r := sampleRun()
	text := Sentence(r)
	for _, want := range []string{"Concurrent accepts 10.0× the requests per second of single (95 % interval", "slow client is 10.0× faster", "Stopped in good order, single lost 0 of 6,000 accepted samples, concurrent lost 0 of 12,000"} {
		if !strings.Contains(text, want) {
			t.Errorf("sentence lacks %q: %s", want, text)
		}
	}
	r.Findings.Noisy, r.Interrupted = true, true
	if text := Sentence(r); !strings.HasPrefix(text, "INTERRUPTED: ") || !strings.Contains(text, " NOISY, not to be cited") {
		t.Errorf("stamps are missing: %s", text)
	}
	if text := Sentence(&experiment.Run{}); text != "Nothing was measured." {
		t.Errorf("an empty run says %q", text)
	}
}

func TestMarkdownNamesOnlyFilesThatAreWritten(t *testing.T) {
	r := sampleRun()
	files, err := Files(r)
	if err != nil {
		t.Fatal(err)
	}
	page := bytes.NewBuffer(files["report.md"])
	written := map[string]bool{}
	for name := range files {
		if strings.HasSuffix(name, ".svg") {
			written[name] = true
		}
	}
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(page.String(), -1)
	if len(links) != len(written) || len(links) != 6 {
		t.Errorf("%d links, %d plots", len(links), len(written))
	}
	for _, link := range links {
		if !written[link[1]] {
			t.Errorf("link to %s, which is not written", link[1])
		}
	}
	for _, want := range []string{"**Concurrent accepts", "## Conditions", "## Reproduce", "-seed 3", `other \| programs`, "2,253"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("report lacks %q", want)
		}
	}
}

func TestBenchmarksFollowTheFormat(t *testing.T) {
	var out bytes.Buffer
	if err := WriteBenchmarks(&out, sampleRun()); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^Benchmark[A-Z]\w*(/[a-z]+=[^ /]+)+ 1( [0-9.e+]+ [^ ]+)+$`)
	counts := map[string]int{}
	for text := range strings.Lines(out.String()) {
		if !strings.HasPrefix(text, "Benchmark") {
			continue
		}
		text = strings.TrimSuffix(text, "\n")
		name, _, _ := strings.Cut(text, " ")
		if !line.MatchString(text) || regexp.MustCompile(`-\d+$`).MatchString(name) {
			t.Errorf("line %q", text)
		}
		counts[name]++
	}
	for name, want := range map[string]int{
		"BenchmarkIngest/arm=single/connections=64": 6, "BenchmarkIngest/arm=concurrent/connections=64": 6, "BenchmarkIngestAA/arm=concurrent/connections=64": 6,
		"BenchmarkResponse/arm=single/rate=200": 6, "BenchmarkAlert/arm=single/rules=1/rate=5000": 400, "BenchmarkQuery/arm=concurrent/points=1000": 6,
	} {
		if counts[name] != want {
			t.Errorf("%s has %d lines, want %d", name, counts[name], want)
		}
	}
	if !strings.Contains(out.String(), "Unit rps better=higher\n") || !strings.Contains(out.String(), "commit: 0123456789abcdef\n") {
		t.Error("units or configuration are missing")
	}
}

func TestValue(t *testing.T) {
	tests := []struct {
		unit string
		v    float64
		want string
	}{
		{trial.UnitRPS, 21480.4, "21,480"},
		{trial.UnitRPS, 0, "0"},
		{trial.UnitRPS, 3.14159, "3.14"},
		{trial.UnitP50, 231_456, "231 µs"},
		{trial.UnitP99, 2_400_000, "2.40 ms"},
		{trial.UnitRPS, 9.996, "10.0"},
		{trial.UnitRPS, 999.7, "1,000"},
		{trial.UnitDetect, 5.0123e9, "5.01 s"},
		{trial.UnitP50, 12, "12.0 ns"},
		{trial.UnitPeakMemory, 17.5 * (1 << 20), "17.5 MiB"},
		{trial.UnitMemPerSample, 51, "51.0 B"},
		{trial.UnitServerBusy, 0.954, "95 %"},
	}
	for _, tt := range tests {
		if got := Value(tt.unit, tt.v); got != tt.want {
			t.Errorf("%v %s prints %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
	if got := thousands(-1234567); got != "-1,234,567" {
		t.Errorf("thousands: %q", got)
	}
}

func TestStorePublishesOnceAndNeverOverwrites(t *testing.T) {
	root := filepath.Join(t.TempDir(), "results")
	publish := func() string {
		s, err := Open(root, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.DataDir(); err != nil {
			t.Fatal(err)
		}
		dir, err := s.Publish(sampleRun())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return filepath.Base(dir)
	}
	if first, second := publish(), publish(); first != "sample" || second != "sample-2" {
		t.Errorf("published as %s and %s", first, second)
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 3 { // two reports and the lock
		t.Errorf("results hold %v, %v", entries, err)
	}
	text, err := os.ReadFile(filepath.Join(root, "sample-2", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r experiment.Run
	if err := json.Unmarshal(text, &r); err != nil || r.Name != "sample-2" || !reflect.DeepEqual(r.Findings, sampleRun().Findings) {
		t.Errorf("stored run differs: %v", err)
	}
	if _, err := Open(root, "sample"); !errors.Is(err, ErrExists) {
		t.Errorf("a taken name: %v", err)
	}
}

// What a dead run left behind goes when the next one opens; what somebody holds, or has
// only just made, stays.
func TestOpenSweepsWhatDeadRunsLeft(t *testing.T) {
	root := t.TempDir()
	long := time.Now().Add(-time.Hour)
	dead, young := filepath.Join(root, ".staging-dead"), filepath.Join(root, ".staging-young")
	if err := errors.Join(os.MkdirAll(filepath.Join(dead, "data", "x"), 0o755), os.Mkdir(young, 0o755), os.Chtimes(dead, long, long)); err != nil {
		t.Fatal(err)
	}
	held, err := newStaging(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(held.dir, long, long); err != nil {
		t.Fatal(err)
	}
	s, err := Open(root, "")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{dead: false, young: true, held.dir: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
	if err := errors.Join(held.remove(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestStoreRefusesWhatDoesNotFit(t *testing.T) {
	s, err := Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Require(1 << 60); !errors.Is(err, ErrSpace) || !strings.Contains(err.Error(), "needs about 1,073,741,824 GiB at once, and ") || !strings.Contains(err.Error(), "are free") {
		t.Errorf("an exbibyte: %v", err)
	}
	free, err := freeBytes(s.root)
	if err != nil || free <= 0 {
		t.Fatalf("%d bytes free, %v", free, err)
	}
	if err := s.Require(free); !errors.Is(err, ErrSpace) {
		t.Errorf("all there is leaves no room for a report: %v", err)
	}
	if free < 2*spareBytes {
		t.Skip("too little is free for a plan that fits")
	}
	if err := s.Require(0); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func TestStoppedRunSaysWhy(t *testing.T) {
	r := sampleRun()
	r.Interrupted, r.Stopped = true, "query points=1000, single: write DIR/points: no space left on device"
	r.Conclude()
	want := "STOPPED: " + r.Stopped
	if s := stamps(r); len(s) == 0 || !strings.HasPrefix(s[0], want) || strings.Contains(strings.Join(s, " "), "INTERRUPTED") {
		t.Errorf("stamps %q", s)
	}
	if len(r.Warnings) == 0 || !strings.HasPrefix(r.Warnings[0], want) || r.Valid() {
		t.Errorf("valid %v, warnings %q", r.Valid(), r.Warnings)
	}
}

func TestStoreIsOneAtATime(t *testing.T) {
	root := t.TempDir()
	first, err := Open(root, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(root, ""); !errors.Is(err, ErrBusy) {
		t.Errorf("second run: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(root, "")
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
