package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startUnread runs a server whose standard output is read up to the end of the start-up text,
// and from then on only by the caller.
func startUnread(t *testing.T, dir string, args ...string) (*process, *bufio.Reader) {
	t.Helper()
	p := &process{t: t, dir: dir, exited: make(chan struct{})}
	p.cmd = command(p.dir, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = write, &p.stderr
	must(t, p.cmd.Start())
	must(t, write.Close())
	go func() { _ = p.cmd.Wait(); close(p.exited) }() // its code is looked at where it matters
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.exited; _ = read.Close() })
	must(t, read.SetReadDeadline(time.Now().Add(time.Minute))) // of the whole test
	out := bufio.NewReader(read)
	for line := ""; !strings.Contains(line, "GET  /metrics"); {
		if line, err = out.ReadString('\n'); err != nil {
			t.Fatalf("at start: %v; %s", err, &p.stderr)
		}
		if m := portLine.FindStringSubmatch(line); m != nil {
			p.addr = "127.0.0.1:" + m[1]
		}
	}
	return p, out
}

// A pipe that nobody reads is full after some hundred alerts. Evaluation and delivery go on,
// and what waited is printed when it is read again, all of it and in order.
func TestConsoleThatNobodyReads(t *testing.T) {
	t.Parallel()
	url, calls := receiver(t)
	p, out := startUnread(t, t.TempDir(), "-mode", "concurrent", "-webhook", url)
	const n = 3000 // of more than 70 bytes each, and a pipe holds 64 KiB
	for i := 0; i < n; i += 1000 {
		var b strings.Builder
		for j := range 1000 {
			fmt.Fprintf(&b, `,{"name":"cpu_usage","value":85,"labels":{"host":"h%d"}}`, i+j)
		}
		if status, answer := p.post(`{"metrics":[` + b.String()[1:] + `]}`); status != 202 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	var hosts []string // in the order in which they were told
	for len(hosts) < n {
		for _, a := range await(t, calls).Alerts {
			hosts = append(hosts, a.Labels["host"])
		}
	}
	p.post(`{"name":"cpu_usage","value":0,"labels":{"host":"h7"}}`)
	if a := await(t, calls).Alerts[0]; a.Status != "resolved" || a.Labels["host"] != "h7" {
		t.Errorf("at last %+v", a)
	}
	if left := p.metric("phase0_console_lines_left_out_total"); left != 0 {
		t.Errorf("%d lines left out", left)
	}
	for _, host := range hosts {
		want := fmt.Sprintf("🚨 [ALERT] cpu_usage{host=%q} avg(60s) > 80.0 (current: 85.0)\n", host)
		if line, err := out.ReadString('\n'); err != nil || line != want {
			t.Fatalf("printed %q, want %q; %v", line, want, err)
		}
	}
	if line, err := out.ReadString('\n'); err != nil || !strings.HasPrefix(line, `✅ [RESOLVED] cpu_usage{host="h7"} avg(60s) > 80.0 (after `) {
		t.Errorf("printed %q, %v", line, err)
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(out)
	if <-p.exited; err != nil || p.cmd.ProcessState.ExitCode() != 0 || !strings.HasSuffix(string(rest), "Shutdown complete.\n") {
		t.Errorf("%v, %v, at the end %q; %s", err, p.cmd.ProcessState, rest, &p.stderr)
	}
}

// Output that blocks, as with Ctrl-S on a terminal, keeps a server neither from reading its
// rules again nor from a clean end; on the other output it says that lines are missing.
func TestBlockedStdout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rules.yml")
	writeFile(t, path, ruleFile(firingRule))
	p, _ := startUnread(t, dir, "-rules", "rules.yml", "-alert-interval", "1ms", "-shutdown-timeout", "500ms")
	p.post(`{"name":"mem","value":85}`)
	p.waitFor(func() bool { // the pipe is full when lines are not written although rules are evaluated
		written, evaluated := p.counter("phase0_notifications_sent_total"), p.evaluations()
		time.Sleep(100 * time.Millisecond)
		return written > 0 && p.counter("phase0_notifications_sent_total") == written && p.evaluations() > evaluated+10
	})
	for range 2 {
		writeFile(t, path, ruleFile(firingRule, quietRule))
		if status, answer := p.reload(); status != 200 {
			t.Errorf("reload: %d %s", status, answer)
		}
		p.awaitRules("Firing firing", "Quiet inactive")
		writeFile(t, path, ruleFile(waitingRule, firingRule))
		must(t, p.cmd.Process.Signal(syscall.SIGHUP))
		p.awaitRules("Waiting inactive", "Firing firing")
	}
	begin := time.Now()
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		t.Fatal("does not end")
	}
	if took := time.Since(begin); took > 10*time.Second || p.cmd.ProcessState.ExitCode() != 0 || len(p.lines()) != 1 {
		t.Errorf("ended after %v with %v and %d lines stored", took, p.cmd.ProcessState, len(p.lines()))
	}
	if said := p.stderr.String(); strings.Count(said, "lines are missing on standard output") != 1 {
		t.Errorf("stderr: %s", said)
	}
}
