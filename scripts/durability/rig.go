package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"phase0/bench/trial"
	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

// Bounds.
const (
	patience   = time.Minute // for a server to start
	askTimeout = 10 * time.Second
	maxAnswer  = 4 << 20
	overtime   = 2 * time.Minute // that loadgen may take beyond its run, to verify
)

// rig starts servers and loads.
type rig struct {
	options   options
	placement trial.Placement
	dir       string // scratch
}

func (r *rig) path(program string) string { return filepath.Join(r.options.bin, program) }

// check refuses to begin where the programs of this project are missing.
func (r *rig) check() error {
	for _, p := range []string{"server", "loadgen"} {
		if _, err := os.Stat(r.path(p)); err != nil {
			return fmt.Errorf("find %s: %w: build it with scripts/durability.sh", p, err)
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
		out.Commands[i] = strings.ReplaceAll(c, dir, "DIR")
	}
	switch reason := out.Machine.Disturbed(); {
	case err != nil:
		out.Void = strings.ReplaceAll(err.Error(), dir, "DIR")
	case reason != "":
		out.Void = reason
	}
	return out
}

var ready = regexp.MustCompile(`^\[Ingestion\] Server started on port (\d+)`)

func (r *rig) measure(ctx context.Context, out *run, dir string) error {
	data := filepath.Join(dir, "phase0_metrics.jsonl")
	flags := append(out.arm.flags(), "-addr", "127.0.0.1:0", "-data", data)
	out.Commands = append(out.Commands, strings.Join(append([]string{"server"}, flags...), " "))
	path, args := lab.OnCores(r.placement, r.placement.Server, r.path("server"), flags)
	server, err := lab.Start(ctx, lab.Command{Path: path, Args: args, Ready: ready, Patience: patience})
	if err != nil {
		return err
	}
	base := "http://127.0.0.1:" + server.Said
	w, err := r.window(ctx, out, server, base, dir)
	_, _, stopErr := server.Stop()
	if err := errors.Join(err, stopErr); err != nil {
		return err
	}
	w.fill(out)
	lines, err := countLines(data)
	if err != nil {
		return err
	}
	w.audit(out, lines)
	return nil
}

// window warms up, offers load, and reads the counters while the load goes on.
func (r *rig) window(ctx context.Context, out *run, server *lab.Process, base, dir string) (counted, error) {
	var w counted
	var err error
	if w.warmup, err = r.generate(ctx, base, dir, r.load(out, warmup)); err != nil {
		return w, fmt.Errorf("warm up: %w", err)
	}
	args := r.load(out, time.Duration(r.options.seconds)*time.Second+2*margin)
	if out.Load != loadBatch {
		args = append(args, "-verify")
	}
	out.Commands = append(out.Commands, strings.Join(append([]string{"loadgen"}, args...), " "))
	type ended struct {
		result record.Result
		err    error
	}
	done := make(chan ended, 1)
	go func() {
		result, err := r.generate(ctx, base, dir, args)
		done <- ended{result, err}
	}()
	pause(ctx, margin)
	w.first, err = r.look(ctx, server, base)
	pause(ctx, time.Duration(r.options.seconds)*time.Second)
	var secondErr error
	w.second, secondErr = r.look(ctx, server, base)
	load := <-done
	w.load = load.result
	return w, errors.Join(err, secondErr, load.err)
}

// load is the generator's command line but for where to.
func (r *rig) load(out *run, d time.Duration) []string {
	args := []string{"-d", d.String(), "-c", strconv.Itoa(connections), "-seed", strconv.FormatUint(r.options.seed+uint64(out.Round), 10)}
	switch out.Load {
	case loadSteady:
		return append(args, "-rps", strconv.Itoa(r.options.rate), "-arrivals", "poisson")
	case loadBatch:
		return append(args, "-model", "closed", "-batch", strconv.Itoa(batchSize))
	}
	return append(args, "-model", "closed")
}

// notValid is loadgen's exit code for a run that it judges itself unfit, and notKept that
// for a server that lost samples; both are in the result.
const (
	notValid = 3
	notKept  = 4
)

// generate runs the load generator and returns its result.
func (r *rig) generate(ctx context.Context, base, dir string, args []string) (record.Result, error) {
	name := filepath.Join(dir, "load.json")
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.options.seconds)*time.Second+overtime)
	defer cancel()
	all := append(append([]string{}, args...), "-quiet", "-o", name, base+"/metrics")
	path, all := lab.OnCores(r.placement, r.placement.Generator, r.path("loadgen"), all)
	if _, _, err := lab.Run(ctx, path, all, notValid, notKept); err != nil {
		return record.Result{}, err
	}
	file, err := os.Open(filepath.Clean(name))
	if err != nil {
		return record.Result{}, fmt.Errorf("read loadgen's report: %w", err)
	}
	result, err := record.Read(file)
	if err := errors.Join(err, file.Close(), os.Remove(name)); err != nil {
		return record.Result{}, fmt.Errorf("read loadgen's report: %w", err)
	}
	return result, nil
}

// reading is what the counters say at one instant.
type reading struct {
	at                        time.Time
	accepted, syncs, syncTime float64 // syncTime in seconds
	cpu, core                 time.Duration
	known                     bool // the two
}

func (r *rig) look(ctx context.Context, server *lab.Process, base string) (x reading, err error) {
	// Asking takes time, and an answer is about some instant in between: half way.
	before := time.Now()
	text, err := ask(ctx, base+"/metrics")
	x.at = before.Add(time.Since(before) / 2)
	if err != nil {
		return x, err
	}
	var core bool
	x.core, core = lab.CoreWork(r.placement.Server)
	var cpuErr error
	x.cpu, cpuErr = lab.ProcessCPU(server.PID())
	x.known = core && cpuErr == nil
	var ok bool
	if x.accepted, ok = metric(text, "phase0_samples_accepted_total"); !ok {
		return x, errors.New("read metrics: no count of accepted samples")
	}
	x.syncs, _ = metric(text, "phase0_wal_syncs_total") // not there without a log
	x.syncTime, _ = metric(text, "phase0_wal_sync_seconds_total")
	return x, nil
}

// metric reads a family without labels from Prometheus' text format.
func metric(text []byte, name string) (float64, bool) {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			v, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
			return v, err == nil
		}
	}
	return 0, false
}

func ask(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: askTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: status %d", url, answer.StatusCode)
	}
	return text, nil
}

// countLines counts the line ends of a file.
func countLines(path string) (lines int64, err error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return 0, fmt.Errorf("count lines: %w", err)
	}
	defer file.Close()
	buffer := make([]byte, 1<<20)
	for {
		n, err := file.Read(buffer)
		lines += int64(bytes.Count(buffer[:n], []byte("\n")))
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return 0, fmt.Errorf("count lines: %w", err)
		}
	}
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
