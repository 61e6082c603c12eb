package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

const (
	connections  = 64
	capacityTime = 5 * time.Second
	share        = 0.7 // of the capacity
	patience     = 60 * time.Second
	samplePause  = time.Second
	askTimeout   = 5 * time.Second
	maxAnswer    = 4 << 20
	// grace is the time around a kill in which a query may fail.
	grace = 3 * time.Second
)

// resources are what must stay flat, by the metric that tells it.
var resources = map[string]string{"memory": "process_resident_memory_bytes", "descriptors": "process_open_fds", "goroutines": "go_goroutines"}

// rig is a server with all that is done to it.
type rig struct {
	bin, dir string
	addr     string
	server   *lab.Process
	hook     *http.Server
	serving  sync.WaitGroup
	hookURL  string
	calls    atomic.Int64 // of the webhook

	quiet             atomic.Int64 // until this time, in Unix ns, queries may fail
	asked, unanswered atomic.Int64
}

const rules = `groups:
  - name: soak
    rules:
      - alert: SoakBeats
        expr: avg_over_time(soak_beat[30s]) > 0
`

func (r *rig) listen() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.hookURL = "http://" + listener.Addr().String() + "/hook"
	r.hook = &http.Server{ReadTimeout: askTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, q.Body, maxAnswer)) // it is counted, whatever it says
		r.calls.Add(1)
	})}
	r.serving.Go(func() { _ = r.hook.Serve(listener) })
	return os.WriteFile(filepath.Join(r.dir, "rules.yml"), []byte(rules), 0o600)
}

// start starts the server, on the port of the last one if there was one.
func (r *rig) start(ctx context.Context) error {
	addr := r.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	p, err := lab.Start(ctx, lab.Command{
		Path: filepath.Join(r.bin, "server"), Patience: patience, Ready: regexp.MustCompile(`Server started on port (\d+)`),
		Args: []string{
			"-mode", "concurrent", "-queue", "wal", "-sync", "always", "-addr", addr, "-data", filepath.Join(r.dir, "soak.jsonl"),
			"-rules", filepath.Join(r.dir, "rules.yml"), "-alerting", "stream", "-webhook", r.hookURL,
		},
	})
	if err != nil {
		return err
	}
	r.server, r.addr = p, net.JoinHostPort("127.0.0.1", p.Said)
	return nil
}

// kill ends the server as a crash would, and starts it again.
func (r *rig) kill(ctx context.Context) error {
	r.quiet.Store(time.Now().Add(grace).UnixNano())
	_ = syscall.Kill(r.server.PID(), syscall.SIGKILL)
	r.server.Kill()
	r.server = nil
	err := r.start(ctx)
	r.quiet.Store(time.Now().Add(grace).UnixNano())
	return err
}

// load runs loadgen and returns its report; not every run of it is valid, since the
// server dies under it.
func (r *rig) load(ctx context.Context, args ...string) (record.Result, error) {
	var result record.Result
	out := filepath.Join(r.dir, "load.json")
	args = append(args, "-quiet", "-c", strconv.Itoa(connections), "-o", out, "http://"+r.addr+"/metrics")
	cmd := exec.CommandContext(ctx, filepath.Join(r.bin, "loadgen"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = patience
	words, err := cmd.CombinedOutput()
	code := cmd.ProcessState.ExitCode()
	if err != nil && code != 3 && code != 4 && code != lab.ExitInterrupted {
		return result, fmt.Errorf("loadgen: %w: %.300s", err, words)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return result, fmt.Errorf("loadgen: %w: %.300s", err, words)
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return result, fmt.Errorf("read loadgen's report: %w", err)
	}
	return result, os.Remove(out)
}

// reading is a look at the resources.
type reading struct {
	at     time.Time
	values map[string]float64
}

// look asks the server for its resources, pushes a beat and queries it.
func (r *rig) look(ctx context.Context) (reading, bool) {
	now := reading{at: time.Now(), values: map[string]float64{}}
	base := "http://" + r.addr
	text, err := ask(ctx, http.MethodGet, base+"/metrics", nil)
	for name, metric := range resources {
		m := regexp.MustCompile(`(?m)^` + metric + ` (\S+)$`).FindSubmatch(text)
		if m == nil {
			err = errors.Join(err, fmt.Errorf("no metric %s", metric))
			continue
		}
		v, parseErr := strconv.ParseFloat(string(m[1]), 64)
		now.values[name], err = v, errors.Join(err, parseErr)
	}
	_, beatErr := ask(ctx, http.MethodPost, base+"/metrics", strings.NewReader(`{"name":"soak_beat","value":1}`))
	start := time.Now().Add(-time.Minute).UnixMilli()
	_, queryErr := ask(ctx, http.MethodGet, fmt.Sprintf("%s/query?name=soak_beat&start=%d&agg=avg,p99", base, start), nil)
	r.asked.Add(1)
	if err := errors.Join(err, beatErr, queryErr); err != nil {
		if ctx.Err() == nil && time.Now().UnixNano() > r.quiet.Load() {
			r.unanswered.Add(1)
		}
		return now, false
	}
	return now, true
}

func ask(ctx context.Context, method, url string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return text, err
}

// close ends what still runs.
func (r *rig) close() {
	if r.server != nil {
		r.server.Kill()
	}
	if r.hook != nil {
		_ = r.hook.Close() // nobody waits for what is under way
		r.serving.Wait()
	}
}
