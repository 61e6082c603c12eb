package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// platform is this module's server, as a process that can be killed.
type platform struct {
	t                  *testing.T
	binary, addr, data string
	cmd                *exec.Cmd
	mu                 sync.Mutex
	acknowledged       map[string]bool // bodies whose 202 was passed on
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	dir := t.TempDir()
	p := &platform{t: t, binary: filepath.Join(dir, "server"), data: filepath.Join(dir, "samples.jsonl"), acknowledged: map[string]bool{}}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.binary, "phase0/server").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	ln.Close()
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *platform) start() {
	p.cmd = exec.CommandContext(p.t.Context(), p.binary, "-mode", "concurrent", "-queue", "memory", "-addr", p.addr, "-data", p.data)
	p.cmd.Stderr = io.Discard
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for range 2000 {
		if c, err := net.Dial("tcp", p.addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatal("the server does not start")
}

func (p *platform) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// ServeHTTP passes requests on and notes which samples were acknowledged: a second
// opinion that knows nothing of the ledger.
func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.addr+r.RequestURI, bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection, as the dead server does
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if resp.StatusCode == http.StatusAccepted {
		p.mu.Lock()
		p.acknowledged[canonical(body)] = true
		p.mu.Unlock()
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

// passedOn counts the samples that were acknowledged.
func (p *platform) passedOn() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acknowledged)
}

// canonical names a sample by its series and value.
func canonical(line []byte) string {
	var s struct {
		Name  string
		Value json.Number
	}
	if json.Unmarshal(line, &s) != nil {
		return ""
	}
	return s.Name + " " + s.Value.String()
}

// missing counts the acknowledged samples that are not in the server's file.
func (p *platform) missing() int64 {
	p.t.Helper()
	f, err := os.Open(p.data)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	stored := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		stored[canonical(lines.Bytes())] = true
	}
	var n int64
	for sample := range p.acknowledged {
		if !stored[sample] {
			n++
		}
	}
	return n
}

// A server whose queue is emptied every 100 ms is killed in mid-run and started again. What
// the ledger counts as lost must be what is missing in the file.
func TestLossAfterAKillIsCountedExactly(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills a server")
	}
	p := newPlatform(t)
	proxy := httptest.NewServer(p)
	t.Cleanup(proxy.Close)
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		for range 2000 { // until the run is well under way
			if p.passedOn() >= 1000 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.kill()
		time.Sleep(200 * time.Millisecond)
		p.start()
	}()
	file := filepath.Join(t.TempDir(), "run.json")
	code, out, errs := loadgen(t.Context(), "-rps", "2k", "-d", "2s", "-c", "16", "-verify", "-reconnect", "-o", file, proxy.URL)
	<-restarted
	var doc document
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &doc) != nil || doc.Verification == nil {
		t.Fatalf("exit code %d, error %v\n%s%s", code, err, out, errs)
	}
	v := doc.Verification
	want := p.missing()
	t.Logf("acknowledged %d, missing %d; %s", len(p.acknowledged), want, v.Summary())
	if v.Accepted != int64(len(p.acknowledged)) || v.Lost != want || v.Duplicated != 0 || v.Phantom != 0 {
		t.Errorf("the ledger found %s; of %d acknowledged samples %d are missing", v.Summary(), len(p.acknowledged), want)
	}
	if lost := want > 0; lost != (code == exitLost) {
		t.Errorf("exit code %d with %d lost", code, want)
	}
	if !strings.Contains(out, "verified") {
		t.Errorf("the summary lacks the verification:\n%s", out)
	}
}
