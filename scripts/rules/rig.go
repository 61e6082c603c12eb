package main

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	patience    = 60 * time.Second // for a server to start
	overtime    = 30 * time.Second // that loadgen may take beyond its run
	settleTime  = 30 * time.Second // until everything that was accepted is stored and evaluated
	margin      = 400 * time.Millisecond
	watchEvery  = 100 * time.Millisecond
	settleEvery = 10 * time.Millisecond
	connections = 16 // of the closed loop
)

// rig starts servers and loads.
type rig struct {
	options   options
	placement trial.Placement
	dir       string // scratch
}

// subject is a running server.
type subject struct {
	process *lab.Process
	base    string // http://host:port
	pprof   string // the same of its profiles
	data    string // storage file
	dir     string
}

var ready = regexp.MustCompile(`^\[Ingestion\] Server started on port (\d+)`)

// start starts a server with the rules of a cell.
func (r *rig) start(ctx context.Context, c cell, dir string) (*subject, error) {
	if err := os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(c.rules()), 0o600); err != nil {
		return nil, fmt.Errorf("write rules: %w", err)
	}
	profiles, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{
		"-mode", "concurrent", "-alerting", "stream", "-addr", "127.0.0.1:0", "-data", "phase0_metrics.jsonl",
		"-rules", "rules.yml", "-pprof", profiles,
	}
	path, args := lab.OnCores(r.placement, r.placement.Server, filepath.Join(r.options.bin, "server"), args)
	p, err := lab.Start(ctx, lab.Command{Path: path, Args: args, Dir: dir, Ready: ready, Patience: patience})
	if err != nil {
		return nil, err
	}
	return &subject{
		process: p, base: "http://127.0.0.1:" + p.Said, pprof: "http://" + profiles, dir: dir,
		data: filepath.Join(dir, "phase0_metrics.jsonl"),
	}, nil
}

// freeAddress returns one that was free a moment ago: where the profiles are is said in a
// line of its own, and only one line is waited for.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// one measures a cell. What goes wrong with it voids it.
func (r *rig) one(ctx context.Context, c cell) outcome {
	out := outcome{cell: c, Start: time.Now().UTC()}
	before := lab.ReadMachine()
	dir, err := os.MkdirTemp(r.dir, "cell-")
	if err == nil {
		err = errors.Join(r.measure(ctx, &out, dir), os.RemoveAll(dir))
	}
	out.Machine = lab.ReadMachine().Since(before)
	reason := out.Machine.Disturbed()
	out.disturbed = reason != "" || out.Void != ""
	switch {
	case err != nil:
		out.Void = strings.ReplaceAll(err.Error(), r.dir, "DIR")
	case out.Void == "":
		out.Void = reason
	}
	return out
}

// measure starts a server, loads it, and counts what it has in the end.
func (r *rig) measure(ctx context.Context, out *outcome, dir string) error {
	s, err := r.start(ctx, out.cell, dir)
	if err != nil {
		return err
	}
	err = r.load(ctx, out, s)
	_, _, stopErr := s.process.Stop()
	if err := errors.Join(err, stopErr); err != nil {
		return err
	}
	lines, err := countLines(s.data)
	out.Books.Stored = lines
	return err
}

// load does all that is done to a server.
func (r *rig) load(ctx context.Context, out *outcome, s *subject) (err error) {
	if out.Empty, err = s.memory(ctx); err != nil {
		return err
	}
	if out.Books.Accepted, err = s.fill(ctx, r.options); err != nil {
		return fmt.Errorf("fill windows: %w", err)
	}
	if _, err = s.settle(ctx); err != nil {
		return err
	}
	open := []string{"-rps", strconv.FormatFloat(float64(r.options.rate)/float64(out.Batch), 'f', -1, 64)}
	out.Steady, err = r.phase(ctx, out, s, r.options.steady(out.cell), open)
	if err != nil {
		return err
	}
	if out.Full, err = s.memory(ctx); err != nil {
		return err
	}
	if out.FlatOut {
		closed := []string{"-model", "closed", "-c", strconv.Itoa(connections)}
		most, err := r.phase(ctx, out, s, time.Duration(r.options.flatOut)*time.Second, closed)
		if err != nil {
			return err
		}
		out.Most = &most
	}
	return s.audit(ctx, out)
}

// phase offers load once and reads the counters between two instants in it.
func (r *rig) phase(ctx context.Context, out *outcome, s *subject, length time.Duration, args []string) (phase, error) {
	body := filepath.Join(s.dir, "body")
	if err := os.WriteFile(body, []byte(out.body()), 0o600); err != nil {
		return phase{}, fmt.Errorf("write body: %w", err)
	}
	loaded := r.offer(ctx, s, append(args, "-d", (length+2*margin).String(), "-body", "@"+body))
	pause(ctx, margin)
	p, err := s.watch(ctx, length)
	result, loadErr := loaded()
	if err := errors.Join(err, loadErr); err != nil {
		return p, err
	}
	ended := time.Now()
	if _, err := s.settle(ctx); err != nil {
		return p, err
	}
	p.Drain = time.Since(ended).Seconds()
	a := result.Accounting
	out.Books.Accepted += a.Accepted * int64(out.Batch)
	out.Books.Unknown += (a.TimedOut + a.Failed + a.Open) * int64(out.Batch)
	p.Offered = float64(a.Scheduled*int64(out.Batch)) / (length + 2*margin).Seconds()
	p.Refused = (a.Answered - a.Accepted) * int64(out.Batch)
	if result.Verdict.Level == record.Invalid {
		out.Void = fmt.Sprintf("load generator: %v", result.Verdict.Reasons)
	}
	return p, nil
}

// offer starts the load generator; the returned function waits for its result.
func (r *rig) offer(ctx context.Context, s *subject, args []string) (wait func() (record.Result, error)) {
	type ended struct {
		result record.Result
		err    error
	}
	done := make(chan ended, 1)
	go func() {
		result, err := r.generate(ctx, s, args)
		done <- ended{result, err}
	}()
	return func() (record.Result, error) { e := <-done; return e.result, e.err }
}

// notValid is loadgen's exit code for a run that it judges itself unfit.
const notValid = 3

func (r *rig) generate(ctx context.Context, s *subject, args []string) (record.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience+overtime+time.Duration(3*r.options.seconds+r.options.flatOut)*time.Second)
	defer cancel()
	name := filepath.Join(s.dir, "load.json")
	args = append(args, "-seed", strconv.FormatUint(r.options.seed, 10), "-quiet", "-o", name, s.base+"/metrics")
	path, args := lab.OnCores(r.placement, r.placement.Generator, filepath.Join(r.options.bin, "loadgen"), args)
	if _, _, err := lab.Run(ctx, path, args, notValid); err != nil {
		return record.Result{}, err
	}
	file, err := os.Open(filepath.Clean(name))
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

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
