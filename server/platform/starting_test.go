package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/queue"
	"phase0/server/queue/wal"
)

// slowLog is a queue whose log is read until it is let go, or fails.
type slowLog struct {
	begun chan struct{}
	ends  chan error
}

func (s slowLog) open(c wal.Config) (queue.Queue, error) {
	for told := false; ; told = true {
		if err := c.Progress("log", 25e6, 100e6); err != nil {
			return nil, err
		}
		if !told {
			close(s.begun)
		}
		select {
		case err := <-s.ends:
			if err != nil {
				return nil, err
			}
			return queues["bounded"](c)
		case <-time.After(time.Millisecond):
		}
	}
}

// rig is a platform that reads its log.
type rig struct {
	t      *testing.T
	p      *Platform
	log    slowLog
	stdout lockedBuffer
	stderr lockedBuffer
	cancel context.CancelFunc
	ended  chan error
	client *http.Client
}

func startRig(t *testing.T, mode string) *rig {
	t.Helper()
	r := &rig{t: t, log: slowLog{begun: make(chan struct{}), ends: make(chan error, 1)}, ended: make(chan error, 1)}
	queues["slow"] = r.log.open
	t.Cleanup(func() { delete(queues, "slow") })
	cfg := Defaults()
	cfg.Components, cfg.Queue = presets[mode], "slow"
	cfg.Addr, cfg.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl")
	var err error
	if r.p, err = Open(cfg, &r.stdout, zerolog.New(&r.stderr)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.ended <- r.p.Run(ctx) }()
	r.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	<-r.log.begun
	return r
}

func (r *rig) ask(method, path, body string) (*http.Response, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.p.Addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(answer)
}

// lockedBuffer is written and read by several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// awaitHealthy returns when the platform is healthy.
func awaitHealthy(t *testing.T, p *Platform) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		resp, err := client.Get("http://" + p.Addr() + "/health")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatal("not healthy")
}

func inBothModes(t *testing.T, f func(t *testing.T, mode string)) {
	for _, mode := range []string{"single", "concurrent"} {
		t.Run(mode, func(t *testing.T) { f(t, mode) })
	}
}

// While the log is read, health tells how far, and everything else is refused with a code
// and a time to come back; then it is served.
func TestAnswersWhileTheLogIsRead(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		r := startRig(t, mode)
		for deadline := time.Now().Add(10 * time.Second); r.stderr.String() == "" && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		}
		resp, body := r.ask("GET", "/health", "")
		var said struct {
			Status    string  `json:"status"`
			QueueSize *int    `json:"queue_size"`
			Step      string  `json:"step"`
			Percent   int     `json:"percent"`
			Done      int64   `json:"done_bytes"`
			Total     int64   `json:"total_bytes"`
			Left      float64 `json:"seconds_left"`
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil || resp.StatusCode != 503 || said.Status != "starting" ||
			said.QueueSize == nil || *said.QueueSize != 0 || said.Step != "log" || said.Percent != 25 || said.Done != 25e6 || said.Total != 100e6 || said.Left <= 0 {
			t.Errorf("health: %d %s, %v", resp.StatusCode, body, err)
		}
		if resp, body := r.ask("HEAD", "/health", ""); resp.StatusCode != 503 || body != "" {
			t.Errorf("HEAD /health: %d %s", resp.StatusCode, body)
		}
		for _, asked := range []struct{ method, path, body string }{
			{"POST", "/metrics", `{"name":"a","value":1}`}, {"POST", "/metrics", strings.Repeat("x", 100_000)}, {"GET", "/metrics", ""},
			{"GET", "/query?name=a", ""}, {"GET", "/alerts", ""}, {"GET", "/api/v1/rules", ""}, {"GET", "/api/v1/alerts", ""}, {"POST", "/-/reload", ""},
		} {
			resp, body := r.ask(asked.method, asked.path, asked.body)
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, `"code":"starting"`) {
				t.Errorf("%s %s: %d %v %s", asked.method, asked.path, resp.StatusCode, resp.Header, body)
			}
		}
		for path, status := range map[string]int{"/nothing": 404, "/query": 405} {
			if resp, body := r.ask("POST", path, ""); resp.StatusCode != status {
				t.Errorf("POST %s: %d %s, want %d", path, resp.StatusCode, body, status)
			}
		}
		if r.stdout.String() != "" {
			t.Errorf("printed before there was anything to say:\n%s", r.stdout.String())
		}
		r.log.ends <- nil
		r.eventually("/health", `{"status":"healthy","queue_size":0}`)
		if resp, body := r.ask("POST", "/metrics", `{"name":"a","value":1,"timestamp":2}`); resp.StatusCode != 202 {
			t.Errorf("afterwards: %d %s", resp.StatusCode, body)
		}
		r.eventually("/query?name=a", `[{"name":"a","value":1,"timestamp":2}]`)
		if _, body := r.ask("GET", "/metrics", ""); !strings.Contains(body, `phase0_requests_rejected_total{code="starting"} 8`) {
			t.Error("what was refused is not counted")
		}
		r.cancel()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		if said := r.stderr.String(); !strings.Contains(said, `"step":"log","percent":25,"mb":25,"of_mb":100,"seconds_left":`) {
			t.Errorf("the log tells no progress: %s", said)
		}
	})
}

func (r *rig) eventually(path, want string) {
	r.t.Helper()
	got := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, got = r.ask("GET", path, ""); got == want {
			return
		}
	}
	r.t.Errorf("%s: %s, want %s", path, got, want)
}

// A start that is told to end does so at once and without an error; one that fails says why.
func TestStartEnds(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		r := startRig(t, mode)
		begin := time.Now()
		r.cancel()
		if err := <-r.ended; err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("told to end: %v after %v", err, time.Since(begin))
		}
		if got := r.stdout.String(); !strings.HasSuffix(got, "[Shutdown] Accepted 0 samples, stored 0 samples\nShutdown complete.\n") {
			t.Errorf("prints\n%s", got)
		}
		if _, err := r.client.Get("http://" + r.p.Addr() + "/health"); err == nil {
			t.Error("still listens")
		}

		r = startRig(t, mode)
		refused := fmt.Errorf("open log: %w", wal.ErrForeign)
		r.log.ends <- refused
		if err := <-r.ended; !errors.Is(err, wal.ErrForeign) {
			t.Errorf("a log that is refused: %v", err)
		}
		if r.stdout.String() != "" {
			t.Errorf("prints\n%s", r.stdout.String())
		}
	})
}

// A start that does not end because the disk does not answer is left alone.
func TestStartHangs(t *testing.T) {
	let := make(chan struct{})
	queues["stuck"] = func(c wal.Config) (queue.Queue, error) { <-let; return queues["memory"](c) }
	defer delete(queues, "stuck")
	cfg := Defaults()
	cfg.Queue, cfg.ShutdownTimeout = "stuck", 50*time.Millisecond
	cfg.Addr, cfg.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl")
	p, err := Open(cfg, io.Discard, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); !errors.Is(err, errStartHangs) {
		t.Errorf("Run: %v", err)
	}
	close(let)
	<-p.complete
	_ = p.server.Shutdown(t.Context())
	p.release()
}

// The rules can be read again once they are in use; a signal that comes sooner waits.
func TestReloadWhileStarting(t *testing.T) {
	r := startRig(t, "single")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.p.Reload(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the log is read: %v", err)
	}
	reloaded := make(chan error, 1)
	go func() { reloaded <- r.p.Reload(t.Context()) }()
	r.log.ends <- nil
	if err := <-reloaded; err != nil {
		t.Errorf("afterwards: %v", err)
	}
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// Left over time is that of the pace so far.
func TestEstimate(t *testing.T) {
	for _, tc := range []struct {
		took        time.Duration
		done, total int64
		want        time.Duration
	}{
		{0, 10, 100, -1}, {time.Second, 0, 100, -1}, {time.Second, 25, 100, 3 * time.Second}, {time.Second, 100, 100, 0},
	} {
		if got := estimate(tc.took, tc.done, tc.total); got != tc.want {
			t.Errorf("%d of %d after %v: %v, want %v", tc.done, tc.total, tc.took, got, tc.want)
		}
	}
}
