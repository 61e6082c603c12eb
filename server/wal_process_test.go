package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"phase0/server/disk"
	"phase0/server/queue/wal"
)

// A durable server is killed at random moments under load: every sample that was answered
// is in the file once, and fsck agrees with what a query says.
func TestKilledServerLosesNothing(t *testing.T) {
	const kills, clients = 4, 8
	dir := t.TempDir()
	args := []string{"-mode", "concurrent", "-queue", "wal"}
	var mu sync.Mutex
	answered, sent := map[int]bool{}, 0
	for kill := range kills {
		p := startIn(t, dir, args...)
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for {
					mu.Lock()
					n := sent
					sent++
					mu.Unlock()
					resp, err := client.Post("http://"+p.addr+"/metrics", "application/json", strings.NewReader(fmt.Sprintf(`{"name":"n","value":%d}`, n)))
					if err != nil {
						return // killed
					}
					resp.Body.Close()
					if resp.StatusCode == 202 {
						mu.Lock()
						answered[n] = true
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
		p.waitFor(func() bool { mu.Lock(); defer mu.Unlock(); return len(answered) >= (kill+1)*clients }) // on a slow disk
		p.cmd.Process.Kill()
		<-p.exited
		wg.Wait()
	}
	data := filepath.Join(dir, "phase0_metrics.jsonl")
	report, err := wal.Check(disk.OS{}, data)
	if err != nil || report.Corrupt+report.BadSlots > 0 || report.Lost > 0 {
		t.Fatalf("after the kills %+v, %v", report, err)
	}
	p := startIn(t, dir, args...)
	p.settle()
	stored := map[int]int{}
	for _, line := range p.lines() {
		m := regexp.MustCompile(`"value":(\d+),`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("line %q", line)
		}
		n, _ := strconv.Atoi(m[1]) // digits
		stored[n]++
		if stored[n] > 1 || n >= sent {
			t.Errorf("sample %d is stored %d times; %d were sent", n, stored[n], sent)
		}
	}
	for n := range answered {
		if stored[n] == 0 {
			t.Errorf("sample %d was answered and is lost", n)
		}
	}
	if uint64(len(stored)) != report.End {
		t.Errorf("%d samples are stored, fsck counts %d", len(stored), report.End)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// fsck's exit codes: 0 for a clean log, 1 for damage and for what cannot be read, 2 for usage.
func TestFsck(t *testing.T) {
	p := start(t, "-mode", "concurrent", "-queue", "wal")
	p.post(`{"name":"a","value":1}`)
	dir := wal.Dir(p.data())
	check := func(code int, says string, args ...string) {
		t.Helper()
		out, err := command(p.dir, append([]string{"fsck"}, args...)...).CombinedOutput()
		exit, _ := err.(*exec.ExitError)
		got := 0
		if exit != nil {
			got = exit.ExitCode()
		}
		if got != code || !strings.Contains(string(out), says) {
			t.Errorf("fsck %v: exit code %d, want %d; %q in\n%s", args, got, code, says, out)
		}
	}
	check(1, "already in use by process", dir)
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	check(0, "1 stored or lost earlier, 0 only in the log, 0 lost, 0 behind", dir)
	check(2, "takes one argument")
	check(2, "not the directory of a log", p.dir)
	check(1, "no such file", filepath.Join(p.dir, "other.wal"))
	if err := os.Mkdir(filepath.Join(p.dir, "empty.wal"), 0o755); err != nil {
		t.Fatal(err)
	}
	check(1, "has no cursor", filepath.Join(p.dir, "empty.wal"))
	stored, err := os.ReadFile(p.data())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.data(), append(stored, `{"name":"other","value":1,"timestamp":1}`+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	check(0, "1 behind the log's end", dir)
	if err := os.Rename(p.data(), p.data()+".moved"); err != nil {
		t.Fatal(err)
	}
	check(1, "it is not there", dir)
	if err := os.Rename(p.data()+".moved", p.data()); err != nil {
		t.Fatal(err)
	}
	flip(t, filepath.Join(dir, "cursor"), 20)
	check(1, "1 slots of the cursor", dir)
	flip(t, filepath.Join(dir, "cursor"), 4096+20)
	check(1, "neither slot", dir)
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := disk.OS{}.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}
