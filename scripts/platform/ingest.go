package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

// countLimit is by how much samples counted at the server may differ from the
// generator's accepted ones, which are from a somewhat longer time, before it is
// remarked.
const countLimit = 0.1

// ingest offers load in a closed loop and counts samples between two instants.
func (r *rig) ingest(ctx context.Context, out *run, dir string) error {
	s, err := r.start(ctx, out, dir)
	if err != nil {
		return err
	}
	w, err := r.window(ctx, out, s, dir)
	if _, stopErr := s.stop(); err != nil || stopErr != nil {
		return errors.Join(err, stopErr)
	}
	// Lines are counted only now, so that counting does not disturb.
	samples, err := s.between(w.first.position, w.second.position)
	if err != nil {
		return err
	}
	w.fill(out, samples)
	return nil
}

// reading is what the counters say at one instant.
type reading struct {
	at        time.Time
	position  float64
	cpu, core time.Duration // CPU time of the process, and work of its core
	allocated float64
	known     struct{ cpu, core, allocated bool }
}

func (r *rig) read(ctx context.Context, s *subject) (reading, error) {
	var x reading
	var err error
	// Asking takes time, and an answer is about some instant in between: half way.
	before := time.Now()
	x.position, err = s.position(ctx)
	x.at = before.Add(time.Since(before) / 2)
	if err != nil {
		return x, err
	}
	x.core, x.known.core = lab.CoreWork(r.placement.Server)
	var cpuErr error
	x.cpu, cpuErr = lab.ProcessCPU(s.process.PID())
	x.known.cpu = cpuErr == nil
	if s.allocated != nil {
		if x.allocated, err = s.allocated(ctx); err != nil {
			return x, err
		}
		x.known.allocated = true
	}
	return x, nil
}

// counted is a window between two readings, and the load around it.
type counted struct {
	first, second reading
	depth         float64
	hasDepth      bool
	memory        int64
	load          record.Result
}

// window warms up, offers load, and reads the counters while the load goes on.
func (r *rig) window(ctx context.Context, out *run, s *subject, dir string) (counted, error) {
	var w counted
	l := load{url: s.url(s.target), args: r.closedLoop(out, s, dir)}
	if s.protocol != generated {
		if err := os.WriteFile(filepath.Join(dir, "body"), []byte(s.protocol.template(out.shape)), 0o600); err != nil {
			return w, fmt.Errorf("write body: %w", err)
		}
	}
	l.seconds = warmup
	if _, err := r.generate(ctx, dir, l); err != nil {
		return w, fmt.Errorf("warm up: %w", err)
	}
	l.seconds = time.Duration(r.options.seconds)*time.Second + 2*margin
	out.Commands = append(out.Commands, fmt.Sprint("loadgen ", l.command()))
	loaded := r.offer(ctx, dir, l)
	err := r.count(ctx, s, &w)
	var loadErr error
	w.load, loadErr = loaded()
	return w, errors.Join(err, loadErr)
}

// offer starts the load generator; the returned function waits for its result.
func (r *rig) offer(ctx context.Context, dir string, l load) (wait func() (record.Result, error)) {
	type ended struct {
		result record.Result
		err    error
	}
	done := make(chan ended, 1)
	go func() {
		result, err := r.generate(ctx, dir, l)
		done <- ended{result, err}
	}()
	return func() (record.Result, error) { e := <-done; return e.result, e.err }
}

// count takes the two readings, and the depth of our queue right after the second.
func (r *rig) count(ctx context.Context, s *subject, w *counted) (err error) {
	pause(ctx, margin)
	if w.first, err = r.read(ctx, s); err != nil {
		return err
	}
	pause(ctx, time.Duration(r.options.seconds)*time.Second)
	if w.second, err = r.read(ctx, s); err != nil {
		return err
	}
	if s.data != "" {
		if w.depth, err = s.metric("phase0_queue_depth")(ctx); err != nil {
			return err
		}
		w.hasDepth = true
	}
	_, w.memory, err = lab.ProcessMemory(s.process.PID())
	return err
}

func (r *rig) closedLoop(out *run, s *subject, dir string) []string {
	args := []string{"-model", "closed", "-c", strconv.Itoa(out.shape.connections), "-seed", strconv.FormatUint(r.options.seed+uint64(out.Round), 10)}
	if s.protocol == generated {
		return append(args, "-batch", strconv.Itoa(out.shape.samples))
	}
	return append(args, "-body", "@"+filepath.Join(dir, "body"), "-H", "Content-Type: "+s.protocol.contentType())
}

// fill derives the figures.
func (w counted) fill(out *run, samples float64) {
	seconds := w.second.at.Sub(w.first.at).Seconds()
	set := func(unit string, v float64, known bool) {
		if known {
			out.Values[unit] = v
		}
	}
	rate := samples / seconds
	set(unitSamples, rate, true)
	set(unitRequests, rate/float64(out.shape.samples), true)
	set(unitCPU, float64(w.second.cpu-w.first.cpu)/samples, w.second.known.cpu && w.first.known.cpu && samples > 0)
	set(unitBusy, min(1, (w.second.core-w.first.core).Seconds()/seconds), w.second.known.core && w.first.known.core)
	set(unitAllocated, (w.second.allocated-w.first.allocated)/samples, w.second.known.allocated && samples > 0)
	set(unitDepth, w.depth, w.hasDepth)
	set(unitDepthShare, w.depth/samples, w.hasDepth && samples > 0)
	set(unitMemory, float64(w.memory), w.memory > 0)
	if p, ok := w.load.ResponseTime.At(0.99); ok && p.Unavailable == "" {
		set(unitP99, float64(p.NS), true)
	}
	w.doubt(out, rate)
}

// doubt remarks what makes figures less certain, and voids a run without load.
func (w counted) doubt(out *run, rate float64) {
	a := w.load.Accounting
	accepted := w.load.AcceptedRPS * float64(out.shape.samples)
	switch {
	case a.Accepted == 0 || rate == 0:
		out.Void = fmt.Sprintf("%d requests accepted, %.0f samples/s stored", a.Accepted, rate)
	case rate < accepted*(1-countLimit) || rate > accepted*(1+countLimit):
		out.warnf("the generator saw %.0f samples/s accepted", accepted)
	}
	if refused := a.Answered - a.Accepted; refused > 0 {
		out.warnf("%d of %d requests refused", refused, a.Scheduled)
	}
	if n := a.Errors(); n > 0 {
		out.warnf("%d of %d requests without an answer", n, a.Scheduled)
	}
	if busy, ok := out.Values[unitBusy]; ok && busy < busyLimit {
		out.warnf("the server's core was %.0f %% busy", busy*100)
	}
}

// busyLimit is the share below which the server's core had time left, so that more
// might have been had from it.
const busyLimit = 0.9
