package main

import (
	"errors"
	"flag"
	"io"
	"net"
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

var update = flag.Bool("update", false, "write goldens")

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-only", "kill,nothing"}, {"-only", ""}, {"x"}, {"-arms", "other"}, {"-quick=maybe"}} {
		if _, err := parse(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: error %v", args, err)
		}
	}
	o, err := parse([]string{"-only", "kill,net-drip", "-arms", "durable", "-quick"})
	if err != nil || len(o.only) != 2 || len(o.arms) != 1 || !o.quick {
		t.Errorf("%+v, error %v", o, err)
	}
}

func TestPlan(t *testing.T) {
	all := cells(arms(true), names(), false)
	if len(all) != 3*len(names()) {
		t.Fatalf("%d cells", len(all))
	}
	var sum time.Duration
	for _, c := range all {
		sum += c.estimate()
		if c.Planned < 1 {
			t.Errorf("%s is not tried", c.Title)
		}
	}
	if sum > 9*time.Minute {
		t.Errorf("all takes %v", sum)
	}
	if quick := cells(arms(false), []string{"kill", "term"}, true); len(quick) != 4 || quick[0].Planned != 2 {
		t.Errorf("%d quick cells, %d kills", len(quick), quick[0].Planned)
	}
}

// Every verdict, and that no doubt is ever taken for a promise kept.
func TestJudge(t *testing.T) {
	kill, slow := fault{signal: syscall.SIGKILL}, fault{}
	ok := trial.Toll{Accepted: 1000}
	tests := []struct {
		name    string
		fault   fault
		durable bool
		change  func(*trial.Toll)
		want    string
	}{
		{"nothing happened", slow, false, func(*trial.Toll) {}, kept},
		{"lost at kill -9", kill, false, func(t *trial.Toll) { t.Lost = 1 }, price},
		{"the same, durable", kill, true, func(t *trial.Toll) { t.Lost = 1 }, broken},
		{"lost otherwise", slow, false, func(t *trial.Toll) { t.Lost = 1 }, broken},
		{"lost at SIGTERM", fault{signal: syscall.SIGTERM}, false, func(t *trial.Toll) { t.Lost = 1 }, broken},
		{"twice", kill, false, func(t *trial.Toll) { t.Duplicated = 1 }, broken},
		{"from nowhere", kill, false, func(t *trial.Toll) { t.Phantom = 1 }, broken},
		{"refused and stored", kill, false, func(t *trial.Toll) { t.Zombie = 1 }, broken},
		{"ended", slow, false, func(t *trial.Toll) { t.Broken = []string{"ended"} }, broken},
		{"not felt", slow, false, func(t *trial.Toll) { t.Void = []string{"not felt"} }, noVerdict},
		{"not felt, and lost", slow, false, func(t *trial.Toll) { t.Void, t.Lost = []string{"not felt"}, 1 }, broken},
		{"ambiguous", slow, true, func(t *trial.Toll) { t.Ambiguous, t.Recovered = 9, 5 }, kept},
	}
	for _, tt := range tests {
		toll := ok
		tt.change(&toll)
		c := cell{Durable: tt.durable, fault: tt.fault, Tries: []trial.Toll{ok, toll}}
		if c.judge(); c.Verdict != tt.want || (tt.want == broken) != (len(c.Why) > 0) && tt.want != noVerdict {
			t.Errorf("%s: %s, %q; want %s", tt.name, c.Verdict, c.Why, tt.want)
		}
	}
	for want, c := range map[string]*cell{impossible: {Impossible: "no"}, never: {Never: "no"}, notRun: {}} {
		if c.judge(); c.Verdict != want {
			t.Errorf("%s, want %s", c.Verdict, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{0: nil, 1: io.EOF, 2: lab.ErrUsage, 3: errNotValid, 4: errBroken, 130: lab.ErrInterrupted} {
		if got := codes().Of(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	for want, r := range map[error]*report{
		errBroken:          {Interrupted: true, Cells: []*cell{{Verdict: broken}, {Verdict: kept}}},
		lab.ErrInterrupted: {Interrupted: true, Cells: []*cell{{Verdict: noVerdict}}},
		errNotValid:        {Cells: []*cell{{Verdict: noVerdict}, {Verdict: price}}},
		nil:                {Cells: []*cell{{Verdict: impossible}, {Verdict: never}, {Verdict: price}, {Verdict: kept}}},
	} {
		if err := r.conclude(t.TempDir(), io.Discard); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}

func TestReport(t *testing.T) {
	r := &report{Seed: 7, Seconds: 61, Cells: []*cell{
		{Title: "kill -9", Fault: "kill", Arm: "single", fault: fault{signal: syscall.SIGKILL}, Tries: []trial.Toll{
			{Accepted: 1000, Lost: 120, LostSeconds: 0.06, Ready: 9 * time.Millisecond, Ambiguous: 3, Restarted: true},
			{Accepted: 1100, Ready: 7 * time.Millisecond, Restarted: true},
		}},
		{Title: "kill -9", Fault: "kill", Arm: "durable", Durable: true, fault: fault{signal: syscall.SIGKILL}, Tries: []trial.Toll{
			{Accepted: 1000, Ready: 9 * time.Millisecond, Ambiguous: 3, Recovered: 2, Restarted: true},
		}},
		{Title: "disk full", Arm: "single", Tries: []trial.Toll{
			{Seed: 3, Accepted: 500, Lost: 2, Duplicated: 1, Said: map[string]int{"healthy": 1, "degraded": 7}, Broken: []string{"the server ended: x"}, Restarted: true},
		}},
		{Title: "slow disk", Arm: "single", Impossible: "strace is not installed"},
		{Title: "network: reset", Arm: "single", Tries: []trial.Toll{{Accepted: 5, Void: []string{"no connection was harmed"}}}},
		{Title: "network: drip", Arm: "single"},
	}}
	for _, c := range r.Cells {
		c.judge()
	}
	var text strings.Builder
	if err := r.text(&text); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"report.txt": text.String(), "report.md": r.markdown()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || got != string(want) {
			t.Errorf("%s: error %v, got:\n%s", name, err, got)
		}
	}
}

// echo answers each line it gets, and remembers how connections ended.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestProxy sends a line before, during and after each kind of cut.
func TestProxy(t *testing.T) {
	tests := []struct {
		how    cut
		during func(got string, err error) bool
	}{
		{cutReset, func(got string, err error) bool { return errors.Is(err, syscall.ECONNRESET) || err == io.EOF }},
		{cutBlackHole, func(got string, err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) && got == "" }},
		{cutHalfClose, func(got string, err error) bool { return got == "hello" && err == io.EOF }},
		{cutDrip, func(got string, err error) bool { return got == "hello" }},
	}
	for _, tt := range tests {
		t.Run(string(tt.how), func(t *testing.T) {
			p := &proxied{how: tt.how}
			addr, err := p.Route(trial.Victim{Addr: echo(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}()
			if got, _ := exchange(t, addr, 5, patient); got != "hello" {
				t.Errorf("before: %q", got)
			}
			if _, _, err := p.Seen(t.Context(), trial.Victim{}); err == nil {
				t.Error("seen before it struck")
			}
			if err := p.Strike(t.Context(), trial.Victim{}); err != nil {
				t.Fatal(err)
			}
			want, wait := 5, patient
			if tt.how == cutHalfClose {
				want = 6 // one more, to see the end
			}
			if tt.how == cutBlackHole {
				wait = time.Second
			}
			if got, err := exchange(t, addr, want, wait); !tt.during(got, err) {
				t.Errorf("meanwhile: %q, error %v", got, err)
			}
			if err := p.Heal(t.Context(), trial.Victim{}); err != nil {
				t.Fatal(err)
			}
			if got, _ := exchange(t, addr, 5, patient); got != "hello" {
				t.Errorf("afterwards: %q", got)
			}
			if _, _, err := p.Seen(t.Context(), trial.Victim{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// patient is how long an answer is waited for that comes at once, but on a busy machine.
const patient = 20 * time.Second

// exchange sends a word and reads up to n bytes.
func exchange(t *testing.T, addr string, n int, wait time.Duration) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(wait))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return "", err
	}
	got := make([]byte, n)
	read, err := io.ReadFull(conn, got)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return string(got[:read]), err
}

// TestRealServer lets faults that need no privileges befall the real server.
func TestRealServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	bin := t.TempDir()
	if words, err := exec.Command("go", "build", "-o", bin+"/", "../../server").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	out := t.TempDir()
	var stdout strings.Builder
	err := start(t.Context(), []string{"-bin", bin, "-out", out, "-only", "term,net-reset", "-arms", "concurrent", "-quick", "-seed", "1"}, &stdout)
	if err != nil || !strings.Contains(stdout.String(), "2 cells: 2 kept") {
		t.Errorf("error %v, said:\n%s", err, stdout.String())
	}
	for _, name := range []string{"report.md", "run.json"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
}
