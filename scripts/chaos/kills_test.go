package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/lab"
)

func TestParseKills(t *testing.T) {
	for _, args := range [][]string{{"-kills", "0"}, {"-policies", "none"}, {"-policies", ""}, {"x"}} {
		if _, err := parseKills(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: error %v", args, err)
		}
	}
	o, err := parseKills([]string{"-kills", "7", "-policies", "always"})
	if err != nil || o.kills != 7 || len(o.policies) != 1 {
		t.Errorf("%+v, error %v", o, err)
	}
}

func killsOf(tries ...trial.Toll) *killReport {
	c := &cell{Fault: "kill", Arm: "-sync always", Durable: true, Planned: len(tries), Tries: tries, fault: fault{signal: syscall.SIGKILL}}
	return &killReport{Policies: []*killed{{cell: c}}}
}

// A durable policy has no price, and being late is broken like losing is.
func TestJudgeKills(t *testing.T) {
	ok := trial.Toll{Accepted: 1000, Fresh: 10 * time.Millisecond, Ready: 11 * time.Millisecond, Log: 16 << 20, Restarted: true}
	for _, tt := range []struct {
		name   string
		change func(*trial.Toll)
		want   error
	}{
		{"nothing happened", func(*trial.Toll) {}, nil},
		{"ready late", func(t *trial.Toll) { t.Ready = readyPerGB + 1 }, errBroken},
		{"in time for a longer log", func(t *trial.Toll) { t.Ready, t.Log = 2*readyPerGB, gigabyte+1 }, nil},
		{"too late for a longer log", func(t *trial.Toll) { t.Ready, t.Log = 2*readyPerGB+1, 2*gigabyte }, errBroken},
		{"one lost", func(t *trial.Toll) { t.Lost = 1 }, errBroken},
		{"one twice", func(t *trial.Toll) { t.Duplicated = 1 }, errBroken},
		{"ready late on a machine that was busy", func(t *trial.Toll) {
			t.Ready, t.Starting = readyPerGB+1, trial.MachineLoad{Known: true, Foreign: 2 * lab.ForeignLimit}
		}, errNotValid},
		{"one lost on a machine that was busy", func(t *trial.Toll) {
			t.Lost, t.Starting = 1, trial.MachineLoad{Known: true, Steal: 2 * lab.StealLimit}
		}, errBroken},
		{"proves nothing", func(t *trial.Toll) { t.Void = []string{"no load"} }, errNotValid},
	} {
		toll := ok
		tt.change(&toll)
		r := killsOf(ok, toll)
		r.judge()
		var out strings.Builder
		if err := r.conclude(t.TempDir(), &out); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v; %q", tt.name, err, tt.want, r.Policies[0].Why)
		}
	}
	r := killsOf()
	r.Interrupted = true
	r.judge()
	if err := r.conclude(t.TempDir(), io.Discard); !errors.Is(err, lab.ErrInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestSpread(t *testing.T) {
	var tries []trial.Toll
	for i := range 100 {
		tries = append(tries, trial.Toll{Ready: time.Duration(100-i) * time.Millisecond})
	}
	if got := spreadOf(tries, readyOf); got != (spread{1e6, 50e6, 95e6, 100e6}) {
		t.Errorf("%+v", got)
	}
}

// The real server, killed twice.
func TestKillsRealServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	bin, out := t.TempDir(), t.TempDir()
	if words, err := exec.Command("go", "build", "-o", bin+"/", "../../server").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	var stdout strings.Builder
	err := startKills(t.Context(), []string{"-bin", bin, "-out", out, "-kills", "1", "-seed", "5", "-log", "64"}, &stdout)
	// How soon it is ready with a log as short as that, and beside other tests, nobody promises.
	if err != nil && !errors.Is(err, errNotValid) && !errors.Is(err, errBroken) ||
		strings.Count(stdout.String(), "; ready again ") != 2 || strings.Contains(stdout.String(), ": "+broken+"; ready again ") || !strings.Contains(stdout.String(), " 0 lost, 0 twice, 0 from nowhere") {
		t.Errorf("error %v, said:\n%s", err, stdout.String())
	}
	text, err := os.ReadFile(filepath.Join(out, "kills.md"))
	if err != nil || !strings.Contains(string(text), "| -sync interval=100ms | ") || !strings.Contains(string(text), "| pushes of one, the first in the file and not synced | ") {
		t.Errorf("%v:\n%s", err, text)
	}
}

// The slowest undisturbed start is held against 2 s for each GB beyond a start without a log.
func TestJudgeLongLogs(t *testing.T) {
	busy := lab.Load{Known: true, Foreign: 2 * lab.ForeignLimit}
	for _, tt := range []struct {
		name   string
		change func(*logStarts)
		want   string
	}{
		{"in time", func(*logStarts) {}, kept},
		{"one late", func(s *logStarts) { s.With[1].Ready += 2 * time.Millisecond }, broken},
		{"late and disturbed", func(s *logStarts) { s.With[1] = logStart{Ready: time.Minute, Machine: busy} }, noVerdict},
		{"disturbed and repeated", func(s *logStarts) {
			s.With = append(s.With, s.With[1])
			s.With[1] = logStart{Ready: time.Minute, Machine: busy}
		}, kept},
		{"nothing to compare with", func(s *logStarts) { s.Without = nil }, noVerdict},
	} {
		s := &logStarts{Log: gigabyte / 2}
		for range startTries {
			s.With = append(s.With, logStart{Ready: 1009 * time.Millisecond})
			s.Without = append(s.Without, logStart{Ready: 10 * time.Millisecond})
		}
		tt.change(s)
		if s.judge(); s.Verdict != tt.want {
			t.Errorf("%s: %s, %s", tt.name, s.Verdict, s.Why)
		}
	}
}
