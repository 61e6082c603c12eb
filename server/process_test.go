package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is the server when it is asked to be: the tests below run real
// processes without a build step.
const actAsServer = "PHASE0_TEST_ACT_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(actAsServer) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// modes are those of -mode, and the durable platform.
var modes = []string{"single", "concurrent", durable}

const durable = "durable"

func inEveryMode(t *testing.T, f func(t *testing.T, mode string)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) { f(t, mode) })
	}
}

// process is a running server.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	addr   string
	stderr transcript
	exited chan struct{}

	mu     sync.Mutex
	stdout strings.Builder
}

// transcript holds what a process said; it may be read while the process goes on.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func command(dir string, args ...string) *exec.Cmd {
	if i := slices.Index(args, durable); i >= 0 {
		args = slices.Replace(slices.Clone(args), i, i+1, "concurrent", "-queue", "wal")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), actAsServer+"=1")
	return cmd
}

// start runs a server on a free port with its data in a fresh directory and waits
// for the line that says where it listens.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startIn(t, t.TempDir(), args...)
}

func startIn(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, exited: make(chan struct{})}
	p.cmd = command(dir, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port := make(chan string, 1)
	go p.readOutput(out, port)
	t.Cleanup(func() { p.cmd.Process.Kill(); <-p.exited })
	select {
	case p.addr = <-port:
	case <-p.exited:
		t.Fatalf("server ended at start: %s", &p.stderr)
	case <-time.After(20 * time.Second):
		t.Fatal("server does not start")
	}
	return p
}

var portLine = regexp.MustCompile(`Server started on port (\d+)`)

func (p *process) readOutput(out io.Reader, port chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		p.mu.Lock()
		p.stdout.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if m := portLine.FindStringSubmatch(lines.Text()); m != nil {
			port <- "127.0.0.1:" + m[1]
		}
	}
	p.cmd.Wait()
	close(p.exited)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stdout.String()
}

func (p *process) data() string { return filepath.Join(p.dir, "phase0_metrics.jsonl") }

// stop sends SIGTERM and returns the exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(40 * time.Second):
		p.t.Fatal("server does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) lines() []string {
	p.t.Helper()
	b, err := os.ReadFile(p.data())
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[:bytes.Count(b, []byte("\n"))]
}

// client never keeps an idle connection: in single mode it would hold up everybody.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

func (p *process) post(body string) (status int, answer string) {
	p.t.Helper()
	resp, err := client.Post("http://"+p.addr+"/metrics", "application/x-www-form-urlencoded", strings.NewReader(body))
	return p.read(resp, err)
}

func (p *process) get(path string) (status int, answer string) {
	p.t.Helper()
	resp, err := client.Get("http://" + p.addr + path)
	return p.read(resp, err)
}

func (p *process) read(resp *http.Response, err error) (int, string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// settle waits until everything that was accepted is in the file.
func (p *process) settle() {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, health := p.get("/health"); health == `{"status":"healthy","queue_size":0}` {
			return
		}
	}
	p.t.Fatal("queue is not drained")
}

// The walk through the seed's README.
func TestSeedCommands(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		for _, body := range []string{
			`{"name":"cpu_usage","value":85}`, `{"name":"memory_usage","value":75}`, `{"name":"request_latency","value":125.5}`,
		} {
			if status, answer := p.post(body); status != 202 || answer != `{"status":"accepted"}` {
				t.Errorf("POST %s: %d %s", body, status, answer)
			}
		}
		if status, answer := p.post(`{"metrics":[{"name":"a","value":1},{"name":"a","value":2},{"name":"b","value":3}]}`); status != 202 || answer != `{"status":"accepted","count":3}` {
			t.Errorf("batch: %d %s", status, answer)
		}
		p.settle()
		now := time.Now().UnixMilli()
		_, answer := p.get(fmt.Sprintf("/query?name=cpu_usage&start=%d&end=%d", now-300_000, now+1000))
		var rows []struct {
			Name      string
			Value     float64
			Timestamp int64
		}
		if err := json.Unmarshal([]byte(answer), &rows); err != nil || len(rows) != 1 {
			t.Fatalf("query: %s, %v", answer, err)
		}
		if r := rows[0]; r.Name != "cpu_usage" || r.Value != 85 || now-r.Timestamp > 60_000 {
			t.Errorf("query: %+v", r)
		}
		if want := fmt.Sprintf(`[{"name":"cpu_usage","value":85,"timestamp":%d}]`, rows[0].Timestamp); answer != want {
			t.Errorf("query: %s, want %s", answer, want)
		}
		if _, answer := p.get("/query?name=nobody"); answer != "[]" {
			t.Errorf("unknown name: %s", answer)
		}
		if _, metrics := p.get("/metrics"); !strings.Contains(metrics, "phase0_samples_accepted_total 6") ||
			!strings.Contains(metrics, "phase0_samples_stored_total 6") || !strings.Contains(metrics, "phase0_queue_depth 0") {
			t.Errorf("GET /metrics:\n%s", metrics)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
		if got := len(p.lines()); got != 6 {
			t.Errorf("%d lines in the file, want 6", got)
		}
	})
}

func TestStartUpText(t *testing.T) {
	p := start(t)
	p.stop()
	port := p.addr[strings.LastIndex(p.addr, ":")+1:]
	want := `=======================================
Phase 0: Monitoring Platform PoC
=======================================

[Mode] single: ingest=single queue=memory storage=jsonl query=scan alerting=poll
[Storage] Consumer started, writing to phase0_metrics.jsonl
[Alerting] Added rule: cpu_usage > 80.0 (window: 60s)
[Alerting] Added rule: memory_usage > 90.0 (window: 60s)
[Alerting] Added rule: error_rate > 5.0 (window: 30s)
[Alerting] Engine started, checking every 10 seconds

[Ingestion] Server started on port ` + port + `
[Ingestion] Endpoints:
  POST /metrics - Ingest metric
  GET  /query?name=<name>&start=<ts>&end=<ts> - Query metrics
  GET  /health - Health check
  GET  /alerts - Current alerts
  GET  /metrics - The server's own metrics
[Shutdown] Accepted 0 samples, stored 0 samples
Shutdown complete.
`
	if got := p.output(); got != want {
		t.Errorf("got:\n%s", got)
	}
}

// What cannot work is refused before anything listens, in one line, at once.
func TestRefusesToStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	dir := t.TempDir()
	badRules := filepath.Join(dir, "bad.yml")
	if err := os.WriteFile(badRules, []byte("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(x)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := startIn(t, dir)
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"-no-such-flag", 2, "no-such-flag"},
		{"8081 8082", 2, "8082"},
		{"70000", 2, "0 to 65535"},
		{"abc", 2, "abc"},
		{"-addr localhost", 2, "HOST:PORT"},
		{"-addr 127.0.0.1:70000", 2, "0 to 65535"},
		{"-addr 127.0.0.1:abc", 2, "0 to 65535"},
		{"-mode fast", 2, "concurrent, single"},
		{"-ingest fast", 2, "-ingest"},
		{"-queue fast", 2, "-queue"},
		{"-storage fast", 2, "-storage"},
		{"-query fast", 2, "-query"},
		{"-alerting fast", 2, "-alerting"},
		{"-queue-limit 5", 2, "-queue-limit"},
		{"-alert-interval 0s", 2, "-alert-interval"},
		{"-rate-limit 1000", 2, "-rate-limit"},
		{"-rate-limit 1/s -rate-burst -1", 2, "-rate-burst"},
		{"-rate-burst 5", 2, "-rate-limit"},
		{"-rate-limit 1/s -rate-key cookie", 2, "-rate-key"},
		{"-rate-limit 1/s -rate-key header:", 2, "header:NAME"},
		{"-pprof localhost", 2, "-pprof"},
		{"-pprof " + taken + " -data other.jsonl", 1, "-pprof"},
		{"-append-delay -1ms", 2, "-append-delay"},
		{"-flush-interval -1ms", 2, "-flush-interval"},
		{"-queue-bytes 4194303", 2, "-queue-bytes"},
		{"-mode concurrent -sync always", 2, "-sync is for -queue wal"},
		{"-wal-bytes 1073741824", 2, "-wal-bytes is for -queue wal"},
		{"-max-body 10000000000", 2, "-queue-bytes"},
		{"-alert-interval 10", 2, "alert-interval"},
		{"-webhook not-a-url", 2, "-webhook"},
		{"-addr " + taken + " -data other.jsonl", 1, "-addr"},
		{"-data missing/m.jsonl", 1, "missing/m.jsonl"},
		{"-data /proc/m.jsonl", 1, "/proc/m.jsonl"},
		{"-data .", 1, "-data"},
		{"-data . -mode concurrent", 1, "-data"},
		{"", 1, strconv.Itoa(first.cmd.Process.Pid)}, // same data as the first
		{"-rules missing.yml -data other.jsonl", 1, "missing.yml"},
		{"-rules bad.yml -data other.jsonl", 1, "bad.yml:5:"},
	} {
		args := strings.Fields(tc.args)
		if !strings.Contains(tc.args, "-addr") && !regexp.MustCompile(`^\w+( |$)`).MatchString(tc.args) {
			args = append(args, "-addr", "127.0.0.1:0")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := command(dir, args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
		cmd.Wait()
		stop()
		cancel()
		line := stderr.String()
		if cmd.ProcessState.ExitCode() != tc.code || strings.Count(line, "\n") != 1 || !strings.Contains(line, tc.says) || stdout.Len() > 0 {
			t.Errorf("server %s: exit %d, want %d; stderr %q should name %q; stdout %q", tc.args, cmd.ProcessState.ExitCode(), tc.code, line, tc.says, &stdout)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for flag, says := range map[string]string{"-h": "Usage:", "--help": "-shutdown-timeout", "-version": "server ", "--version": "go1."} {
		var stderr bytes.Buffer
		cmd := command(t.TempDir(), flag)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 || !strings.Contains(string(out), says) || strings.Contains(string(out), "%!") {
			t.Errorf("%s: %v, stderr %q, stdout %q", flag, err, &stderr, out)
		}
	}
}

// SIGTERM under load: what was answered 202 is in the file, and nothing that nobody
// sent.
func TestShutdownUnderLoad(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		var accepted, unanswered int
		var mu sync.Mutex
		var wg sync.WaitGroup
		transport := &http.Transport{DisableKeepAlives: mode == "single"}
		defer transport.CloseIdleConnections()
		load := &http.Client{Transport: transport, Timeout: 10 * time.Second}
		enough := make(chan struct{})
		for range 8 {
			wg.Go(func() {
				for {
					resp, err := load.Post("http://"+p.addr+"/metrics", "application/json", strings.NewReader(`{"name":"load","value":1}`))
					mu.Lock()
					switch {
					case err == nil && resp.StatusCode == 202:
						if accepted++; accepted == 500 {
							close(enough)
						}
					case err != nil:
						unanswered++
					}
					mu.Unlock()
					if err != nil {
						return
					}
					resp.Body.Close()
					if resp.StatusCode == 503 {
						return
					}
				}
			})
		}
		<-enough
		code := p.stop()
		wg.Wait()
		lines := len(p.lines())
		if code != 0 || lines < accepted || lines > accepted+unanswered {
			t.Errorf("exit %d, %d accepted, %d without an answer, %d lines\n%s", code, accepted, unanswered, lines, &p.stderr)
		}
		if want := fmt.Sprintf("[Shutdown] Accepted %d samples, stored %[1]d samples\nShutdown complete.\n", lines); !strings.HasSuffix(p.output(), want) {
			t.Errorf("output ends %q, want %q", p.output()[max(0, len(p.output())-200):], want)
		}
	})
}

// Silent connections and a request under way do not keep a server from ending.
func TestShutdownWithOpenConnections(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		if mode != "single" {
			kept, err := net.Dial("tcp", p.addr) // asked once, idle since
			if err != nil {
				t.Fatal(err)
			}
			defer kept.Close()
			fmt.Fprint(kept, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(kept), nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			silent, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
		}
		begin := time.Now()
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("shutdown waited %v for connections on which nothing was asked", took)
		}
	})
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := start(t)
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// A request that never ends keeps the first signal's shutdown waiting.
	fmt.Fprint(c, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	p.waitFor(func() bool { return p.connections() == 1 })
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.waitFor(func() bool { return refused(p.addr) })
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.stderr.String(), "second signal") {
		t.Errorf("second SIGTERM: %v, %s", p.cmd.ProcessState, &p.stderr)
	}
}

func (p *process) waitFor(ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatal("condition was not reached")
		}
	}
}

// connections counts the process's sockets beside the listening one.
func (p *process) connections() int {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.cmd.Process.Pid))
	n := -1
	for _, fd := range fds {
		if target, _ := os.Readlink(fd); strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

func refused(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err != nil
}

// A server that is started again, in another mode, reads what the first one wrote.
func TestRestartInAnotherMode(t *testing.T) {
	dir := t.TempDir()
	for i, mode := range []string{"single", "concurrent", "single"} {
		p := startIn(t, dir, "-mode", mode)
		p.post(fmt.Sprintf(`{"name":"r","value":%d}`, i))
		p.settle()
		_, answer := p.get("/query?name=r&limit=10")
		if got := strings.Count(answer, `"value"`); got != i+1 {
			t.Errorf("start %d (%s): %s", i, mode, answer)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// The file is what other tools are promised: exact values, one line per sample.
func TestHostileNamesRoundTrip(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		names := []string{"a\nb", `q"q`, `back\slash`, "nul\x00", "sep\u2028", "😀", strings.Repeat("x", 255), "a&b=c d;%"}
		values := []string{"1e-999", "5e-324", "-0", "1.7976931348623157e308", "0.10000000000000001"}
		for i, name := range names {
			quoted, _ := json.Marshal(name)
			if status, answer := p.post(fmt.Sprintf(`{"name":%s,"value":%s}`, quoted, values[i%len(values)])); status != 202 {
				t.Fatalf("%q: %d %s", name, status, answer)
			}
		}
		p.settle()
		for i, name := range names {
			_, answer := p.get("/query?name=" + url.QueryEscape(name))
			var rows []struct {
				Name  string
				Value json.Number
			}
			if err := json.Unmarshal([]byte(answer), &rows); err != nil || len(rows) != 1 || rows[0].Name != name {
				t.Fatalf("%q: %s, %v", name, answer, err)
			}
			want, _ := strconv.ParseFloat(values[i%len(values)], 64)
			if got, err := strconv.ParseFloat(rows[0].Value.String(), 64); err != nil || strconv.FormatFloat(got, 'x', -1, 64) != strconv.FormatFloat(want, 'x', -1, 64) {
				t.Errorf("%q: value %v, want %v", name, got, want)
			}
		}
		p.stop()
		if got := len(p.lines()); got != len(names) {
			t.Errorf("%d lines, want %d", got, len(names))
		}
	})
}

// A reader of stdout that goes away, as in `server | head -1`, takes nothing with it.
func TestClosedStdout(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		dir := t.TempDir()
		cmd := command(dir, "-mode", mode, "-addr", "127.0.0.1:0", "-alert-interval", "20ms")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := &process{t: t, cmd: cmd, dir: dir}
		lines := bufio.NewScanner(out)
		for p.addr == "" && lines.Scan() {
			if m := portLine.FindStringSubmatch(lines.Text()); m != nil {
				p.addr = "127.0.0.1:" + m[1]
			}
		}
		out.Close()
		p.post(`{"metrics":[{"name":"cpu_usage","value":85},{"name":"memory_usage","value":95}]}`)
		p.waitFor(func() bool { // alerts were printed to nobody, more than one
			_, metrics := p.get("/metrics")
			m := regexp.MustCompile(`phase0_notifications_failed_total (\d+)`).FindStringSubmatch(metrics)
			return m != nil && m[1] > "1"
		})
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || len(p.lines()) != 2 {
			t.Errorf("%v, %d lines: %s", err, len(p.lines()), &stderr)
		}
	})
}

func (p *process) evaluations() int { return p.counter("phase0_alert_evaluations_total") }

// counter is one of GET /metrics, 0 where it is not there.
func (p *process) counter(name string) int {
	_, metrics := p.get("/metrics")
	m := regexp.MustCompile("(?m)^" + name + ` (\d+)$`).FindStringSubmatch(metrics)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// Two names of one file are one file.
func TestLockFollowsLinks(t *testing.T) {
	first := start(t)
	if err := os.Symlink("phase0_metrics.jsonl", filepath.Join(first.dir, "link.jsonl")); err != nil {
		t.Fatal(err)
	}
	cmd := command(first.dir, "-addr", "127.0.0.1:0", "-data", "link.jsonl")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), strconv.Itoa(first.cmd.Process.Pid)) {
		t.Errorf("second server: %v, %s", err, out)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
