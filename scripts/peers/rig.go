package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/lab"
	"phase0/scripts/refserver/tally"
)

// Bounds of processes.
const (
	startTimeout = 10 * time.Second
	// overtime is how long a client may take beyond its run.
	overtime = 30 * time.Second
)

// rig starts the server and the clients.
type rig struct {
	server    string            // path of refserver
	clients   map[string]string // paths by tool
	placement trial.Placement
	dir       string // scratch
}

// ready is the first line of refserver.
var ready = regexp.MustCompile(`^listening on (\S+)`)

// serve starts a server and returns its URL and a function that stops it and
// returns what it counted.
func (r rig) serve(ctx context.Context, args []string) (url string, stop func() (tally.Tally, lab.Cost, error), err error) {
	path, args := lab.OnCores(r.placement, r.placement.Server, r.server, args)
	p, err := lab.Start(ctx, lab.Command{Path: path, Args: args, Ready: ready, Patience: startTimeout})
	if err != nil {
		return "", nil, fmt.Errorf("start server: %w", err)
	}
	return "http://" + p.Said + "/metrics", func() (tally.Tally, lab.Cost, error) { return stopServer(p) }, nil
}

func stopServer(p *lab.Process) (tally.Tally, lab.Cost, error) {
	output, used, err := p.Stop()
	if err != nil {
		return tally.Tally{}, used, fmt.Errorf("stop server: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	t, err := tally.Parse(lines[len(lines)-1])
	return t, used, err
}

// load runs a client and returns what it left behind and its cost. The line is
// its command line.
func (r rig) load(ctx context.Context, t tool, c call) (o output, used lab.Cost, line []string, err error) {
	for name, text := range inputs(c.url) {
		if err := os.WriteFile(c.file(name), []byte(text), 0o600); err != nil {
			return o, used, nil, fmt.Errorf("write input: %w", err)
		}
	}
	line = append([]string{t.name}, t.args(c)...)
	limited, cancel := context.WithTimeout(ctx, time.Duration(c.seconds)*time.Second+overtime)
	defer cancel()
	if o.stdout, used, err = r.execute(limited, t, line[1:]); err != nil {
		return o, used, line, err
	}
	if t.report != nil {
		first, second := t.report(c)
		if o.stdout, _, err = r.execute(ctx, t, first); err != nil {
			return o, used, line, err
		}
		o.file, _, err = r.execute(ctx, t, second)
		return o, used, line, err
	}
	if t.result == nil || t.result(c) == "" {
		return o, used, line, nil
	}
	o.file, err = os.ReadFile(filepath.Clean(t.result(c)))
	if err != nil {
		return o, used, line, fmt.Errorf("read result of %s: %w", t.name, err)
	}
	return o, used, line, nil
}

// notValid is loadgen's exit code for a run that it judges itself unfit; the
// verdict is in the result.
const notValid = 3

func (r rig) execute(ctx context.Context, t tool, args []string) ([]byte, lab.Cost, error) {
	var allowed []int
	if t.name == "loadgen" {
		allowed = []int{notValid}
	}
	path, args := lab.OnCores(r.placement, r.placement.Generator, r.clients[t.name], args)
	return lab.Run(ctx, path, args, allowed...)
}

// readStamps reads the file that a server wrote.
func readStamps(path string) ([]int64, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("read stamps: %w", err)
	}
	defer file.Close()
	_, stamps, err := tally.Read(io.Reader(file))
	return stamps, err
}
