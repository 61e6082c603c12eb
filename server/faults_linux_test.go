package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// values returns the values of a name as a query tells them.
func (p *process) values(name string) (all []float64) {
	p.t.Helper()
	status, body := p.get("/query?name=" + name)
	var rows []struct{ Value float64 }
	if err := json.Unmarshal([]byte(body), &rows); err != nil || status != 200 {
		p.t.Fatalf("query: %d %s, %v", status, body, err)
	}
	for _, row := range rows {
		all = append(all, row.Value)
	}
	return all
}

// numbered is a sample whose value and time are i.
func numbered(i int) string { return fmt.Sprintf(`{"name":"f","value":%d,"timestamp":%[1]d}`, i) }

// Storage that fails while the server runs, for a reason that goes away: health says so,
// samples are refused from then on, what was accepted before is kept and stored in the end,
// once, without a restart and without a torn line.
func TestStorageFailsAndRecovers(t *testing.T) {
	for _, fault := range []struct {
		name       string
		begin, end func(t *testing.T, p *process)
	}{
		{"file may not grow", func(t *testing.T, p *process) { p.limitFile(t, fileSize(t, p.data())+100) }, func(t *testing.T, p *process) { p.limitFile(t, ^uint64(0)) }},
		{"disk is full", fillDisk, emptyDisk},
		{"directory in the file's place", func(t *testing.T, p *process) {
			must(t, os.Rename(p.data(), p.data()+".kept"), os.Mkdir(p.data(), 0o755))
		}, restore},
		{"pipe in the file's place", func(t *testing.T, p *process) {
			must(t, os.Rename(p.data(), p.data()+".kept"), syscall.Mkfifo(p.data(), 0o644))
		}, restore},
		{"dangling link into a directory that is missing", func(t *testing.T, p *process) {
			must(t, os.Rename(p.data(), p.data()+".kept"), os.Symlink(filepath.Join(p.dir, "missing", "m.jsonl"), p.data()))
		}, restore},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			inEveryMode(t, func(t *testing.T, mode string) {
				dir := t.TempDir()
				if fault.name == "disk is full" {
					mountSmall(t, dir, map[string]string{durable: "size=20m"}[mode]) // a segment is 16 MiB
				}
				p := startIn(t, dir, "-mode", mode)
				p.post(numbered(0))
				p.settle()
				fault.begin(t, p)
				accepted := p.pushUntilRefused(1)
				if status, health := p.get("/health"); status != 503 || !strings.HasPrefix(health, `{"status":"degraded","queue_size":`) {
					t.Errorf("health: %d %s", status, health)
				}
				if status, body := p.get("/query?name=f"); status != 200 && status != 500 || !json.Valid([]byte(body)) {
					t.Errorf("query: %d %s", status, body)
				}
				fault.end(t, p)
				p.settle()
				if status, body := p.post(numbered(accepted)); status != 202 {
					t.Errorf("afterwards: %d %s", status, body)
				}
				p.settle()
				if got := p.values("f"); len(got) != accepted+1 || !slices.IsSorted(got) || got[len(got)-1] != float64(accepted) {
					t.Errorf("%d accepted, stored %v", accepted+1, got)
				}
				if code := p.stop(); code != 0 {
					t.Errorf("exit code %d: %s", code, &p.stderr)
				}
				if got := len(p.lines()); got != accepted+1 {
					t.Errorf("%d lines of %d samples", got, accepted+1)
				}
			})
		})
	}
}

// pushUntilRefused sends samples numbered from next on until one is refused because storage
// fails, and returns the number of that one.
func (p *process) pushUntilRefused(next int) int {
	p.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); next++ {
		switch status, body := p.post(numbered(next)); {
		case status == 503 && strings.Contains(body, `"code":"storage_unavailable"`):
			return next
		case status != 202:
			p.t.Fatalf("%d %s", status, body)
		}
	}
	p.t.Fatal("storage does not fail")
	return 0
}

func fileSize(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return uint64(info.Size())
}

func restore(t *testing.T, p *process) {
	must(t, os.Remove(p.data()), os.Rename(p.data()+".kept", p.data()))
}

// mountSmall puts a file system on dir, where the test may do that: of 64 kB unless size says
// otherwise.
func mountSmall(t *testing.T, dir, size string) {
	t.Helper()
	if size == "" {
		size = "size=64k"
	}
	if err := mountTmpfs(dir, size); err != nil {
		t.Skipf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() { must(t, unmount(dir)) })
}

// fillDisk leaves no room but what the last page of the storage file has.
func fillDisk(t *testing.T, p *process) {
	filler, err := os.Create(filepath.Join(p.dir, "filler"))
	must(t, err)
	defer filler.Close()
	for piece := 64 << 10; piece >= 512; piece /= 2 {
		for err = nil; err == nil; {
			_, err = filler.Write(make([]byte, piece))
		}
	}
}

func emptyDisk(t *testing.T, p *process) { must(t, os.Remove(filepath.Join(p.dir, "filler"))) }

// A file that others delete, cut, replace or make unreadable while the server runs: no answer
// is wrong in form, nothing hangs, and what comes afterwards is stored and read.
func TestFileChangesWhileRunning(t *testing.T) {
	whole := []byte(numbered(100) + "\n" + numbered(101) + "\n")
	for _, change := range []struct {
		name string
		do   func(p *process) error
		want []float64 // of what was there
	}{
		{"deleted", func(p *process) error { return os.Remove(p.data()) }, nil},
		{"emptied", func(p *process) error { return os.Truncate(p.data(), 0) }, nil},
		{"cut between lines", func(p *process) error { return os.Truncate(p.data(), int64(len(numbered(0))+1)) }, []float64{0}},
		{"replaced", func(p *process) error {
			other := p.data() + ".other"
			if err := os.WriteFile(other, whole, 0o644); err != nil {
				return err
			}
			return os.Rename(other, p.data())
		}, []float64{100, 101}},
		{"rewritten", func(p *process) error { return os.WriteFile(p.data(), whole, 0o644) }, []float64{100, 101}},
		{"replaced by a link", func(p *process) error {
			other := p.data() + ".other"
			if err := os.WriteFile(other, whole, 0o644); err != nil {
				return err
			}
			if err := os.Remove(p.data()); err != nil {
				return err
			}
			return os.Symlink(other, p.data())
		}, []float64{100, 101}},
		{"followed by half a line", func(p *process) error { return appendTo(p.data(), `{"name":"f","val`) }, []float64{0, 1}},
		{"followed by zeros", func(p *process) error { return os.Truncate(p.data(), 1<<20) }, []float64{0, 1}},
	} {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			inEveryMode(t, func(t *testing.T, mode string) {
				p := start(t, "-mode", mode)
				p.post(`{"metrics":[` + numbered(0) + `,` + numbered(1) + `]}`)
				p.settle()
				p.values("f") // whatever is remembered of the file is remembered now
				must(t, change.do(p))
				if got := p.values("f"); !slices.Equal(got, change.want) {
					t.Errorf("reads %v, want %v", got, change.want)
				}
				for i := 2; i < 4; i++ {
					if status, body := p.post(numbered(1000 + i)); status != 202 {
						t.Errorf("%d %s", status, body)
					}
					p.settle()
				}
				got, want := p.values("f"), append(slices.Clone(change.want), 1002, 1003)
				if !slices.Equal(got, want) {
					t.Errorf("afterwards %v, want %v", got, want)
				}
				if code := p.stop(); code != 0 {
					t.Errorf("exit code %d: %s", code, &p.stderr)
				}
			})
		})
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Nothing but a regular file is opened, and nothing waits for the other end of a pipe.
func TestRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644), os.Symlink("pipe", filepath.Join(dir, "link")))
	inEveryMode(t, func(t *testing.T, mode string) {
		for _, data := range []string{"pipe", "link", "/dev/null", "/dev/full"} {
			cmd := command(dir, "-mode", mode, "-addr", "127.0.0.1:0", "-data", data)
			stop := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
			out, err := cmd.CombinedOutput()
			stop.Stop()
			if err == nil || cmd.ProcessState.ExitCode() != 1 || !regexp.MustCompile(`^server: .*\n$`).Match(out) {
				t.Errorf("-data %s: %v, %q", data, err, out)
			}
		}
	})
}

// kill -9 under load: every line is whole but the last, which the next server ends; nothing
// is stored twice or was never sent. What is lost was in memory; it is told as the price. With
// a log, nothing is.
func TestKill(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		var next, accepted atomic.Int64
		var load sync.WaitGroup
		transport := &http.Transport{DisableKeepAlives: mode == "single"}
		defer transport.CloseIdleConnections()
		enough := make(chan struct{})
		for range 8 {
			load.Go(func() {
				for {
					resp, err := (&http.Client{Transport: transport}).Post("http://"+p.addr+"/metrics", "", strings.NewReader(numbered(int(next.Add(1)))))
					if err != nil {
						return
					}
					resp.Body.Close()
					if resp.StatusCode == 202 && accepted.Add(1) == 2000 {
						close(enough)
					}
				}
			})
		}
		<-enough
		p.cmd.Process.Kill()
		<-p.exited
		load.Wait()
		again := startIn(t, p.dir, "-mode", mode)
		again.settle() // what was in a log is in the queue at first
		stored := again.values("f")
		slices.Sort(stored)
		if whole := len(slices.Compact(slices.Clone(stored))); whole != len(stored) {
			t.Errorf("%d stored twice", len(stored)-whole)
		}
		if mode == durable && len(stored) < int(accepted.Load()) {
			t.Errorf("%d accepted, %d stored", accepted.Load(), len(stored))
		}
		if len(stored) > 0 && (stored[0] < 1 || stored[len(stored)-1] > float64(next.Load())) {
			t.Errorf("stored %v to %v, sent 1 to %d", stored[0], stored[len(stored)-1], next.Load())
		}
		again.post(`{"name":"after","value":1}`)
		again.settle()
		if got := again.values("after"); len(got) != 1 {
			t.Errorf("after the restart: %v", got)
		}
		t.Logf("%d accepted, %d stored of %d sent", accepted.Load(), len(stored), next.Load())
	})
}

// A server that is stopped for a while goes on; no alert comes of samples that are not there,
// and the evaluations that were missed are not made up for.
func TestPause(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-alert-interval", "100ms")
		p.post(`{"name":"cpu_usage","value":50}`)
		p.settle()
		begun := time.Now()
		before := p.evaluations()
		must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
		stopped := time.Now()
		time.Sleep(2 * time.Second)
		paused := time.Since(stopped)
		must(t, p.cmd.Process.Signal(syscall.SIGCONT))
		if status, _ := p.post(`{"name":"cpu_usage","value":50}`); status != 202 {
			t.Errorf("afterwards: %d", status)
		}
		made := p.evaluations() - before
		// Of three rules each: those of the time that it ran, one that was due at each end of
		// it, and none of the 20 that were missed.
		ran := time.Since(begun) - paused
		if most := 3 * (int(ran/(100*time.Millisecond)) + 2); made > most {
			t.Errorf("%d evaluations, want %d at most in %v and none of a pause of %v", made, most, ran, paused)
		}
		if _, alerts := p.get("/alerts"); strings.TrimSpace(alerts) != "[]" || strings.Contains(p.output(), "[ALERT]") {
			t.Errorf("alerts %s\n%s", alerts, p.output())
		}
	})
}
