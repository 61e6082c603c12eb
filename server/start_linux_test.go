package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/wal"
	"phase0/server/sample"
)

// freePort returns an address that nobody listens on at the moment: while a server starts it
// does not print the one that it chose.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// starting is a server that has not said that it is ready.
func startingServer(t *testing.T, dir, addr string, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, addr: addr, exited: make(chan struct{})}
	p.cmd = command(dir, append([]string{"-addr", addr}, args...)...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	must(t, err, p.cmd.Start())
	go p.readOutput(out, make(chan string, 1))
	t.Cleanup(func() { p.cmd.Process.Kill(); <-p.exited })
	return p
}

// durableModes are those of the log behind either ingest.
var durableModes = [][]string{{"-mode", "single", "-queue", "wal"}, {"-mode", durable}}

// blockedLog is a log of which one segment cannot be read until somebody writes to it.
func blockedLog(t *testing.T, args []string) (dir, pipe string) {
	t.Helper()
	p := start(t, args...)
	p.post(numbered(0))
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	pipe = filepath.Join(wal.Dir(p.data()), "0000000000ffffff.wal")
	must(t, syscall.Mkfifo(pipe, 0o600))
	return p.dir, pipe
}

// saysStarting waits until the server listens and says that it starts.
func (p *process) saysStarting() {
	p.t.Helper()
	p.waitFor(func() bool {
		resp, err := client.Get("http://" + p.addr + "/health")
		if err != nil {
			return false
		}
		status, body := p.read(resp, nil)
		return status == 503 && strings.HasPrefix(body, `{"status":"starting","queue_size":0`)
	})
}

// While the log cannot be read: health says starting, samples are refused with a time to come
// back. A log that turns out to be unreadable ends the server with a line that says so.
func TestStartWithALogThatBlocks(t *testing.T) {
	for _, args := range durableModes {
		t.Run(args[1], func(t *testing.T) {
			dir, pipe := blockedLog(t, args)
			p := startingServer(t, dir, freePort(t), args...)
			p.saysStarting()
			resp, err := client.Post("http://"+p.addr+"/metrics", "", strings.NewReader(numbered(1)))
			must(t, err)
			if again := resp.Header.Get("Retry-After"); again == "" {
				t.Error("no Retry-After")
			}
			if status, body := p.read(resp, nil); status != 503 || !strings.Contains(body, `"code":"starting"`) {
				t.Errorf("a sample: %d %s", status, body)
			}
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			must(t, err, w.Close())
			<-p.exited
			if code, said := p.cmd.ProcessState.ExitCode(), p.stderr.String(); code != 1 || !strings.HasPrefix(said, "server: open log: ") || strings.Count(said, "\n") != 1 || p.output() != "" {
				t.Errorf("exit code %d, stderr %q, stdout %q", code, said, p.output())
			}
			must(t, os.Remove(pipe))
			again := startIn(t, dir, args...)
			again.settle()
			if got := again.values("f"); len(got) != 1 {
				t.Errorf("afterwards %v", got)
			}
		})
	}
}

// A start that hangs on the disk ends when its time is up, or at once by a second signal.
func TestSignalsWhileStarting(t *testing.T) {
	dir, _ := blockedLog(t, durableModes[1])
	for _, signals := range []int{1, 2} {
		p := startingServer(t, dir, freePort(t), append([]string{"-shutdown-timeout", map[int]string{1: "200ms", 2: "30s"}[signals]}, durableModes[1]...)...)
		p.saysStarting()
		begin := time.Now()
		p.cmd.Process.Signal(syscall.SIGTERM)
		for again := 0; again < 3 && signals == 2 && !p.hasExited(time.Second); again++ {
			p.cmd.Process.Signal(syscall.SIGTERM) // the second one, or if that came too soon and was merged with the first, the third
		}
		<-p.exited
		says := map[int]string{1: "start hangs", 2: "second signal"}[signals]
		if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.stderr.String(), says) || time.Since(begin) > 10*time.Second {
			t.Errorf("%d signals: exit code %d after %v, %s", signals, code, time.Since(begin), &p.stderr)
		}
	}
}

// hasExited waits for a process for a while.
func (p *process) hasExited(wait time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(wait):
		return false
	}
}

// largeLog makes a log of about so many bytes beside the storage file in dir, and returns
// how many samples it holds.
func largeLog(t *testing.T, dir string, size int64) (samples int) {
	t.Helper()
	q, err := wal.Open(wal.Config{
		FS: disk.OS{}, Data: filepath.Join(dir, "phase0_metrics.jsonl"), Limit: bounded.Limit{Samples: 100_000, Bytes: 64 << 20},
		Bytes: 1 << 30, Sync: wal.Policy{None: true}, Log: zerolog.Nop(),
	})
	must(t, err)
	batch := make([]sample.Sample, 50)
	for q.Counters().LogBytes < size {
		for i := range batch {
			batch[i] = sample.Sample{Name: fmt.Sprintf("f%d", i), Value: float64(samples), Timestamp: int64(samples)}
			samples++
		}
		must(t, q.Push(context.Background(), batch))
		if _, err := q.Pop(context.Background(), queue.Want{Samples: 1000, Bytes: 1 << 30}); err != nil {
			t.Fatal(err)
		}
		q.Ack() // out of memory; the log keeps it, since nobody has said that it is stored
	}
	must(t, q.Release())
	return samples
}

// A server with a log of 64 MB that nobody has stored is healthy within two seconds for each
// gigabyte, and one for itself. SIGTERM at any time of a start ends it with 0 and takes
// nothing: every sample is stored once in the end.
func TestStartWithALargeLog(t *testing.T) {
	const size = 64 << 20
	dir := t.TempDir()
	samples := largeLog(t, dir, size)
	addr := freePort(t)
	seen := map[string]int{}
	for delay := time.Duration(0); delay < 200*time.Millisecond; delay = 2*delay + 5*time.Millisecond {
		p := startingServer(t, dir, addr, "-mode", durable)
		p.waitFor(func() bool { return !refused(addr) })
		time.Sleep(delay)
		resp, err := client.Get("http://" + addr + "/health")
		must(t, err)
		_, body := p.read(resp, nil)
		seen[body[:strings.Index(body, ",")]]++
		if code := p.stop(); code != 0 || !strings.HasSuffix(p.output(), "Shutdown complete.\n") {
			t.Fatalf("after %v: exit code %d\n%s%s", delay, code, p.output(), &p.stderr)
		}
	}
	t.Logf("health before SIGTERM: %v", seen)

	limit := time.Second + 2*time.Second*size/(1<<30)
	took := readyAfter(t, addr, size)
	for tries := 1; tries < 3 && took > limit; tries++ { // the machine may have stood still
		took = min(took, readyAfter(t, addr, size))
	}
	if memoryFactor == 1 && took > limit {
		t.Errorf("ready after %v at best, want %v", took, limit)
	}

	p := startIn(t, dir, "-mode", durable)
	p.waitForLong(func() bool { _, health := p.get("/health"); return health == `{"status":"healthy","queue_size":0}` })
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	text, err := os.ReadFile(p.data())
	must(t, err)
	if got := bytes.Count(text, []byte("\n")); got != samples {
		t.Errorf("%d lines of %d samples", got, samples)
	}
}

// readyAfter returns how long a server takes to be healthy with a log of that size.
func readyAfter(t *testing.T, addr string, size int64) time.Duration {
	t.Helper()
	dir := t.TempDir()
	largeLog(t, dir, size)
	begin := time.Now()
	p := startingServer(t, dir, addr, "-mode", durable)
	p.waitFor(func() bool {
		resp, err := (&http.Client{Transport: client.Transport, Timeout: time.Second}).Get("http://" + addr + "/health")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	took := time.Since(begin)
	t.Logf("ready after %v with a log of %d MB", took, size>>20)
	p.cmd.Process.Kill()
	<-p.exited
	return took
}

// Damage is told by health, counted, and kept; the start after it is healthy again, and fsck
// knows of it.
func TestDamagedSegmentIsKept(t *testing.T) {
	dir := t.TempDir()
	largeLog(t, dir, 33<<20)
	data := filepath.Join(dir, "phase0_metrics.jsonl")
	segment := filepath.Join(wal.Dir(data), "0000000000000001.wal")
	flip(t, segment, 5000)
	p := startIn(t, dir, "-mode", durable)
	p.waitForLong(func() bool {
		_, health := p.get("/health")
		return strings.HasPrefix(health, `{"status":"degraded","queue_size":0,"reason":"`)
	})
	p.post(numbered(0)) // is taken all the same
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d: %s", code, &p.stderr)
	}
	if n := strings.Count(p.stderr.String(), "is set aside"); n != 1 {
		t.Errorf("told %d times: %s", n, &p.stderr)
	}
	if _, err := os.Stat(segment + ".damaged"); err != nil {
		t.Error(err)
	}
	p = startIn(t, dir, "-mode", durable)
	p.settle()
	if _, metrics := p.get("/metrics"); !strings.Contains(metrics, "\nphase0_wal_damaged_segments 1\n") {
		t.Error("the segment is not counted")
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	out, err := command(dir, "fsck", wal.Dir(data)).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) || !strings.Contains(string(out), "1 damaged segments of earlier starts") {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}

// waitForLong is for what has to store millions of samples.
func (p *process) waitForLong(ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatal("condition was not reached")
		}
	}
}
