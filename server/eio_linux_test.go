package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"phase0/server/disk"
	"phase0/server/queue/wal"
)

// injected lets system calls of a running server fail, from attach to detach. The server is
// the real one: the kernel answers its calls, and strace changes the answer.
type injected struct {
	t      *testing.T
	pid    int
	tracer *exec.Cmd
	said   bytes.Buffer
}

func inject(t *testing.T, p *process, calls, fault string) *injected {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed (apt-get install strace)")
	}
	i := &injected{t: t, pid: p.cmd.Process.Pid}
	i.tracer = exec.Command(path, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+calls+":"+fault, "-p", fmt.Sprint(i.pid))
	i.tracer.Stdout, i.tracer.Stderr = &i.said, &i.said
	must(t, i.tracer.Start())
	t.Cleanup(i.detach)
	for deadline := time.Now().Add(5 * time.Second); !i.attached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			i.detach()
			t.Skipf("strace does not attach to a running process here: %s", &i.said)
		}
	}
	return i
}

// attached reports whether every thread is traced.
func (i *injected) attached() bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", i.pid))
	for _, path := range tasks {
		if status, err := os.ReadFile(path); err == nil && strings.Contains(string(status), "TracerPid:\t0\n") {
			return false
		}
	}
	return len(tasks) > 0
}

// detach lets the server go on as if nothing had been.
func (i *injected) detach() {
	if i.tracer == nil {
		return
	}
	_ = i.tracer.Process.Signal(syscall.SIGINT)
	overdue := time.AfterFunc(5*time.Second, func() { _ = i.tracer.Process.Kill() })
	_ = i.tracer.Wait() // it ends by the signal
	overdue.Stop()
	i.tracer = nil
}

// A disk that answers EIO to the log's writes or syncs: nothing is acknowledged meanwhile,
// health says degraded, queries go on; when it works again so does the server, without a
// restart. What was acknowledged is stored once, also when the server is killed then.
func TestLogFailsWithEIO(t *testing.T) {
	for _, fault := range []struct{ name, calls string }{
		{"sync", "fsync,fdatasync"}, {"write", "pwrite64"}, {"new segment", "openat,fallocate,fsync,fdatasync"},
	} {
		for _, args := range durableModes {
			t.Run(fault.name+"/"+args[1], func(t *testing.T) {
				t.Parallel() // most of it is waiting
				p := start(t, args...)
				p.post(numbered(0))
				p.settle()
				i := inject(t, p, fault.calls, "error=EIO")
				accepted := p.pushUntilRefused(1)
				if accepted > 1 {
					t.Errorf("%d samples were acknowledged while the log could not be written", accepted-1)
				}
				for range 3 { // what it tries meanwhile fails, too
					time.Sleep(500 * time.Millisecond)
					if status, health := p.get("/health"); status != 503 || !strings.HasPrefix(health, `{"status":"degraded","queue_size":`) {
						t.Errorf("health: %d %s", status, health)
					}
					if status, body := p.post(numbered(1)); status != 503 || !strings.Contains(body, `"code":"storage_unavailable"`) {
						t.Errorf("a sample: %d %s", status, body)
					}
				}
				if fault.name != "new segment" { // which is a file like the one that is read
					p.values("f")
				}
				i.detach()
				p.settle()
				for n := accepted; n < accepted+3; n++ {
					if status, body := p.post(numbered(n)); status != 202 {
						t.Errorf("afterwards: %d %s", status, body)
					}
				}
				p.cmd.Process.Kill()
				<-p.exited
				if report, err := wal.Check(disk.OS{}, p.data()); err != nil || report.Corrupt > 0 || report.Lost > 0 {
					t.Errorf("fsck: %+v, %v", report, err)
				}
				again := startIn(t, p.dir, args...)
				again.settle()
				if got := again.values("f"); len(got) != accepted+3 || !slices.IsSorted(got) || got[len(got)-1] != float64(accepted+2) {
					t.Errorf("%d acknowledged, stored %v", accepted+3, got)
				}
			})
		}
	}
}
