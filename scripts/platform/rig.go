package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"phase0/bench/trial"
	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

// Bounds.
const (
	patience       = 2 * time.Minute // for a server that reads a large file first
	requestTimeout = time.Minute     // of the rig's own requests
	maxAnswer      = 64 << 20
	overtime       = 2 * time.Minute // that loadgen may take beyond its run, to verify
)

// rig starts servers and loads.
type rig struct {
	options   options
	placement trial.Placement
	dir       string              // scratch
	others    map[string]database // by arm, those that are there
	files     files
}

// present reports whether an arm can be measured.
func (r *rig) present(arm string) bool {
	_, other := databases()[arm]
	_, found := r.others[arm]
	return !other || found
}

// look finds the other databases and says which are missing.
func (r *rig) look(ctx context.Context, stdout io.Writer) []presence {
	r.others = map[string]database{}
	var found []presence
	for _, arm := range []string{armVictoria, armInflux} {
		d := databases()[arm]
		path, err := exec.LookPath(d.program)
		version := ""
		if err == nil {
			version = d.askVersion(ctx, path)
			r.others[arm] = d
		}
		shown := version
		if err != nil {
			shown = "missing"
		}
		fmt.Fprintf(stdout, "%-17s %s\n", d.name, shown)
		found = append(found, presence{d.name, version})
	}
	return found
}

func (r *rig) path(program string) string { return filepath.Join(r.options.bin, program) }

// check refuses to begin where the programs of this project are missing.
func (r *rig) check() error {
	for _, p := range []string{"server", "loadgen", "bareserver"} {
		if _, err := os.Stat(r.path(p)); err != nil {
			return fmt.Errorf("find %s: %w: build it with scripts/platform.sh", p, err)
		}
	}
	return nil
}

// one does a run. What goes wrong with it voids it.
func (r *rig) one(ctx context.Context, j job) run {
	out := run{job: j, Start: time.Now().UTC(), Values: map[string]float64{}}
	before := lab.ReadMachine()
	dir, err := os.MkdirTemp(r.dir, "run-")
	if err == nil {
		err = errors.Join(r.measure(ctx, &out, dir), os.RemoveAll(dir))
	}
	out.Machine = lab.ReadMachine().Since(before)
	for i, c := range out.Commands {
		out.Commands[i] = strings.ReplaceAll(strings.ReplaceAll(c, dir, "DIR"), r.dir, "DIR")
	}
	switch reason := out.Machine.Disturbed(); {
	case err != nil:
		out.Void = strings.ReplaceAll(err.Error(), r.dir, "DIR")
	case reason != "":
		out.Void = reason
	}
	return out
}

func (r *rig) measure(ctx context.Context, out *run, dir string) error {
	switch out.Experiment {
	case scanning:
		return r.scan(ctx, out)
	case overloading:
		return r.overload(ctx, out, dir)
	case slowClients:
		return r.slow(ctx, out, dir)
	}
	return r.ingest(ctx, out, dir)
}

// load is one run of the generator.
type load struct {
	url     string
	args    []string // of the kind of load
	seconds time.Duration
}

// notValid is loadgen's exit code for a run that it judges itself unfit, and
// notKept that for a server that lost samples; both are in the result.
const (
	notValid = 3
	notKept  = 4
)

// generate runs the load generator and returns its result.
func (r *rig) generate(ctx context.Context, dir string, l load) (record.Result, error) {
	sub, err := os.MkdirTemp(dir, "loadgen-")
	if err != nil {
		return record.Result{}, fmt.Errorf("create report: %w", err)
	}
	name := filepath.Join(sub, "report.json")
	ctx, cancel := context.WithTimeout(ctx, l.seconds+overtime)
	defer cancel()
	path, args := lab.OnCores(r.placement, r.placement.Generator, r.path("loadgen"), append(l.command(), "-quiet", "-o", name, l.url))
	if _, _, err := lab.Run(ctx, path, args, notValid, notKept); err != nil {
		return record.Result{}, err
	}
	file, err := os.Open(name)
	if err != nil {
		return record.Result{}, fmt.Errorf("read loadgen's report: %w", err)
	}
	defer file.Close()
	result, err := record.Read(file)
	if err != nil {
		return record.Result{}, fmt.Errorf("read loadgen's report: %w", err)
	}
	return result, nil
}

func (l load) command() []string {
	return append([]string{"-d", l.seconds.String()}, l.args...)
}

// client makes the rig's own requests, each on a connection of its own.
func client() *http.Client {
	return &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
}

// get returns the body of a 2xx answer and its header.
func get(ctx context.Context, c *http.Client, url string) ([]byte, http.Header, error) {
	return ask(ctx, c, http.MethodGet, url)
}

func ask(ctx context.Context, c *http.Client, method, url string) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	answer, err := c.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	if answer.StatusCode/100 != 2 {
		return nil, nil, fmt.Errorf("ask %s: status %d: %.200s", url, answer.StatusCode, body)
	}
	return body, answer.Header, nil
}

// freePort returns a port that was free a moment ago, for programs that cannot
// choose one themselves.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	return port, ln.Close()
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
