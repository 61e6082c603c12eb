package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// database is another time-series database.
type database struct {
	name    string
	program string // also its Debian package, unless pack names that
	pack    string
	// promise is what an answer of 2xx means.
	promise string
	start   func(ctx context.Context, r *rig, out *run, dir string) (*subject, error)
}

// Promises of all arms, by what is written in the reports' rows.
const (
	promiseOurs     = "a 202: the sample is in the queue, at most one flush from the file; not synced. kill -9 loses what is queued"
	promiseBare     = "nothing: the body is read and dropped"
	promiseVictoria = "a 204: the sample is in a buffer in memory, in a part on disk after a second or so; kill -9 loses what is not"
	promiseInflux   = "a 204: the sample is in the write-ahead log and synced (fsync), the package's default"
)

func promise(arm string) string {
	switch arm {
	case armBare:
		return promiseBare
	case armConcurrent, armGenerated:
		return promiseOurs
	}
	return databases()[arm].promise
}

// databases lists them by arm.
func databases() map[string]database {
	return map[string]database{
		armVictoria: {name: "VictoriaMetrics", program: "victoria-metrics", promise: promiseVictoria, start: startVictoria},
		armInflux:   {name: "InfluxDB", program: "influxd", pack: "influxdb", promise: promiseInflux, start: startInflux},
	}
}

// askVersion asks Debian's packages, or else names the path.
func (d database) askVersion(ctx context.Context, path string) string {
	pack := d.pack
	if pack == "" {
		pack = d.program
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if text, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", pack).Output(); err == nil && len(text) > 0 {
		return "Debian " + strings.TrimSpace(string(text))
	}
	return "of unknown version, " + path
}

func startVictoria(ctx context.Context, r *rig, out *run, dir string) (*subject, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := r.launch(ctx, out, r.placement.Server, "victoria-metrics", []string{
		"-httpListenAddr=" + addr, "-storageDataPath=" + filepath.Join(dir, "data"), "-retentionPeriod=1", "-loggerLevel=ERROR",
	}, nil)
	if err != nil {
		return nil, err
	}
	s := &subject{process: p, base: "http://" + addr, target: "/write", protocol: lineBody, between: difference}
	s.position = s.metric("vm_rows_inserted_total")
	s.allocated = s.metric("go_memstats_alloc_bytes_total")
	return s, s.orKill(s.answers(ctx, "/health"))
}

// orKill ends a process that did not come up.
func (s *subject) orKill(err error) error {
	if err != nil {
		s.process.Kill()
	}
	return err
}

// influxConfig leaves everything at the package's defaults but where things are, and
// turns off what would add work of its own: reports, monitoring, a log line for each
// request.
const influxConfig = `reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
  dir = "%s/meta"
[data]
  dir = "%s/data"
  wal-dir = "%s/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:%d"
  log-enabled = false
[logging]
  level = "error"
`

func startInflux(ctx context.Context, r *rig, out *run, dir string) (*subject, error) {
	port, err1 := freePort()
	internal, err2 := freePort()
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf(influxConfig, internal, dir, dir, dir, port)
	if err3 := os.WriteFile(config, []byte(text), 0o600); err1 != nil || err2 != nil || err3 != nil {
		return nil, fmt.Errorf("prepare influxd: %w %w %w", err1, err2, err3)
	}
	p, err := r.launch(ctx, out, r.placement.Server, "influxd", []string{"-config", config}, nil)
	if err != nil {
		return nil, err
	}
	s := &subject{process: p, base: fmt.Sprintf("http://127.0.0.1:%d", port), target: "/write?db=phase0", protocol: lineBody, between: difference}
	vars := func(ctx context.Context) (points, allocated float64, err error) {
		text, _, err := get(ctx, client(), s.url("/debug/vars"))
		if err != nil {
			return 0, 0, err
		}
		return influxVars(text)
	}
	s.position = func(ctx context.Context) (float64, error) {
		points, _, err := vars(ctx)
		return points, err
	}
	s.allocated = func(ctx context.Context) (float64, error) {
		_, allocated, err := vars(ctx)
		return allocated, err
	}
	if err := s.orKill(s.answers(ctx, "/ping")); err != nil {
		return nil, err
	}
	_, _, err = ask(ctx, client(), http.MethodPost, s.url("/query?q="+url.QueryEscape("CREATE DATABASE phase0")))
	return s, s.orKill(err)
}
