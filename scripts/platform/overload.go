package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

// The server that is overloaded.
const (
	appendDelay = 2500 * time.Microsecond // for at most 10 samples
	// nominal is what that makes of its capacity, samples per second. Ten times as many
	// requests are still fewer than one core can answer on thousands of connections, some
	// 46,000 a second: with more, HTTP would be overloaded and not storage.
	nominal = 4000
	// queueLimit is less than what is stored within the time in which the queue is to
	// be drained.
	queueLimit = 4 * nominal
	// maxConns leaves some for health checks and probes.
	overConnections = 2000
	maxConns        = overConnections + 100
	overFactor      = 10
	watchEvery      = 100 * time.Millisecond
	drainPatience   = 30 * time.Second
	queueBytes      = 8 << 20
	bodiesBytes     = 8 << 20
	// connectionBytes is what a connection may take whose bodies fit into the first
	// buffer for them, as here: a header buffer of 16 KiB, a body buffer and a write
	// buffer of 4 KiB each, a stack of 8 KiB. What larger bodies take is bounded by
	// -max-bodies.
	connectionBytes = 32 << 10
	// heapFactor is what Go's garbage collector lets a heap grow to by default before
	// it collects.
	heapFactor = 2
)

func overloadArgs() []string {
	return []string{
		"-mode", "concurrent", "-append-delay", appendDelay.String(), "-queue-limit", strconv.Itoa(queueLimit),
		"-queue-bytes", strconv.Itoa(queueBytes), "-max-bodies", strconv.Itoa(bodiesBytes), "-max-conns", strconv.Itoa(maxConns),
	}
}

// memoryBound is what the configured limits allow beyond the idle server.
func memoryBound(idle int64) int64 {
	return idle + heapFactor*(maxConns*connectionBytes+queueBytes+bodiesBytes)
}

// overload measures a lowered capacity and then offers ten times as much.
func (r *rig) overload(ctx context.Context, out *run, dir string) error {
	s, err := r.startServer(ctx, out, r.placement.Server, filepath.Join(dir, "phase0_metrics.jsonl"), overloadArgs()...)
	if err != nil {
		return err
	}
	result, err := r.overloaded(ctx, out, s, dir)
	if _, stopErr := s.stop(); err != nil || stopErr != nil {
		return errors.Join(err, stopErr)
	}
	shares(out, result)
	return ledger(out, result)
}

func (r *rig) overloaded(ctx context.Context, out *run, s *subject, dir string) (record.Result, error) {
	idle, _, err := lab.ProcessMemory(s.process.PID())
	if err != nil {
		return record.Result{}, err
	}
	out.Values[unitBound] = float64(memoryBound(idle))
	capacity, err := r.capacity(ctx, out, s, dir)
	if err != nil {
		return record.Result{}, fmt.Errorf("measure capacity: %w", err)
	}
	out.Values[unitCapacity] = capacity
	l := load{url: s.url("/metrics"), seconds: time.Duration(r.options.overload) * time.Second}
	l.args = []string{
		"-rps", strconv.Itoa(int(overFactor * capacity)), "-c", strconv.Itoa(overConnections), "-verify", "-verify-wait", drainPatience.String(),
		"-seed", strconv.FormatUint(r.options.seed+uint64(out.Round), 10),
	}
	out.Commands = append(out.Commands, fmt.Sprint("loadgen ", l.command()))
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	w := watcher{subject: s, began: time.Now()}
	w.start(watching)
	result, err := r.generate(ctx, dir, l)
	cancel()
	w.wait()
	if err != nil {
		return result, err
	}
	return result, w.fill(out, result.Start.Sub(w.began).Seconds(), l.seconds.Seconds(), result.ElapsedSeconds)
}

// capacity offers somewhat more than can be stored and counts what is; then it waits
// until the queue is empty again.
func (r *rig) capacity(ctx context.Context, out *run, s *subject, dir string) (float64, error) {
	window := time.Duration(r.options.seconds) * time.Second
	l := load{url: s.url("/metrics"), args: []string{"-rps", strconv.Itoa(nominal * 3 / 2), "-c", "64"}, seconds: warmup + window + margin}
	out.Commands = append(out.Commands, fmt.Sprint("loadgen ", l.command()))
	loaded := r.offer(ctx, dir, l)
	pause(ctx, warmup)
	first, err1 := r.read(ctx, s)
	pause(ctx, window)
	second, err2 := r.read(ctx, s)
	_, err3 := loaded()
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	samples, err := s.between(first.position, second.position)
	if err != nil {
		return 0, err
	}
	deadline := time.Now().Add(drainPatience)
	for {
		depth, err := depthOf(ctx, client(), s)
		if err == nil && depth == 0 {
			return samples / second.at.Sub(first.at).Seconds(), nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return 0, fmt.Errorf("queue holds %d samples after %v: %w", depth, drainPatience, errors.Join(err, ctx.Err()))
		}
		pause(ctx, watchEvery)
	}
}

// depthOf asks /health how many samples are queued.
func depthOf(ctx context.Context, c *http.Client, s *subject) (int64, error) {
	text, _, err := get(ctx, c, s.url("/health"))
	if err != nil {
		return -1, err
	}
	var health struct {
		QueueSize *int64 `json:"queue_size"`
	}
	if err := json.Unmarshal(text, &health); err != nil || health.QueueSize == nil {
		return -1, fmt.Errorf("parse /health: %.60q: %w", text, errors.Join(err, errMissing))
	}
	return *health.QueueSize, nil
}

// watcher looks at an overloaded server ten times a second: at its memory and file
// without asking it, at its queue through /health, and at what a refused client is
// told.
type watcher struct {
	subject *subject
	began   time.Time

	workers sync.WaitGroup
	mu      sync.Mutex
	memory  []moment
	depths  []moment
	refused int // probes answered with 503
	noRetry int // of them, without Retry-After
	err     error
}

func (w *watcher) start(ctx context.Context) {
	c := &http.Client{Timeout: requestTimeout}
	for _, look := range []func(){w.lookAtMemory, func() { w.lookAtDepth(ctx, c) }, func() { w.probe(ctx, c) }} {
		w.workers.Go(func() {
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				look()
				pause(ctx, watchEvery)
			}
		})
	}
}

func (w *watcher) wait() { w.workers.Wait() }

func (w *watcher) seconds() float64 { return time.Since(w.began).Seconds() }

func (w *watcher) lookAtMemory() {
	now, _, err1 := lab.ProcessMemory(w.subject.process.PID())
	stored, err2 := size(w.subject.data)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := errors.Join(err1, err2); err != nil {
		w.err = err
		return
	}
	w.memory = append(w.memory, moment{Seconds: w.seconds(), Memory: now, Stored: int64(stored)})
}

func (w *watcher) lookAtDepth(ctx context.Context, c *http.Client) {
	depth, err := depthOf(ctx, c, w.subject)
	if ctx.Err() != nil {
		return // asked too late
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		depth = -1
	}
	w.depths = append(w.depths, moment{Seconds: w.seconds(), Depth: depth})
}

// probe posts a sample of its own and looks at the refusal.
func (w *watcher) probe(ctx context.Context, c *http.Client) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.subject.url("/metrics"), strings.NewReader(`{"name":"probe","value":1}`))
	if err != nil {
		return
	}
	answer, err := c.Do(request)
	if err != nil {
		return // the generator counts what gets no answer
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		return
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused++
	if err != nil || seconds < 1 {
		w.noRetry++
	}
}

// fill derives the figures; the load began so many seconds after the watching, was
// due within length, and had its last answer after elapsed: requests that were late
// are sent, and overload the server, beyond the time in which they were due.
func (w *watcher) fill(out *run, start, length, elapsed float64) error {
	if w.err != nil {
		return fmt.Errorf("watch server: %w", w.err)
	}
	over := start + max(length, elapsed)
	drained, ok := drainedAt(w.depths, over)
	if ok {
		out.Values[unitDrain] = (drained - over) * 1e9
	} else {
		out.warnf("not seen to be drained")
		drained = over + drainPatience.Seconds()
	}
	out.Values[unitMemory] = float64(peak(w.memory, start, drained))
	out.Values[unitProbes], out.Values[unitNoRetry] = float64(w.refused), float64(w.noRetry)
	out.Trace = merged(w.memory, w.depths)
	first, last := at(w.memory, start), at(w.memory, start+length)
	lines, err := w.subject.between(float64(first.Stored), float64(last.Stored))
	if err != nil {
		return err
	}
	out.Values[unitGoodput] = lines / (last.Seconds - first.Seconds)
	out.Values[unitShare] = out.Values[unitGoodput] / out.Values[unitCapacity]
	return nil
}

// drainedAt returns when the queue was first seen empty after the load's end.
func drainedAt(depths []moment, end float64) (float64, bool) {
	for _, m := range depths {
		if m.Seconds >= end && m.Depth == 0 {
			return m.Seconds, true
		}
	}
	return 0, false
}

// peak is the largest memory between two instants.
func peak(memory []moment, from, to float64) int64 {
	var most int64
	for _, m := range memory {
		if m.Seconds >= from && m.Seconds <= to {
			most = max(most, m.Memory)
		}
	}
	return most
}

// at returns the last moment not after an instant, or the first.
func at(memory []moment, instant float64) moment {
	var found moment
	for i, m := range memory {
		if i > 0 && m.Seconds > instant {
			break
		}
		found = m
	}
	return found
}

// merged gives each look at memory the depth seen last.
func merged(memory, depths []moment) []moment {
	all := make([]moment, len(memory))
	next, depth := 0, int64(0)
	for i, m := range memory {
		for next < len(depths) && depths[next].Seconds <= m.Seconds {
			depth = depths[next].Depth
			next++
		}
		m.Depth = depth
		all[i] = m
	}
	return all
}

// shares says what became of what was offered.
func shares(out *run, result record.Result) {
	a := result.Accounting
	offered := float64(a.Scheduled)
	if offered == 0 {
		out.Void = "nothing was offered"
		return
	}
	accepted, refused := float64(a.StatusCodes["202"]), float64(a.StatusCodes["503"])
	out.Values[unitAccepted], out.Values[unitRefused] = accepted/offered, refused/offered
	out.Values[unitOther] = (offered - accepted - refused) / offered
	if result.Verdict.Level != record.Valid {
		out.warnf("load generator: %s: %s", result.Verdict.Level, strings.Join(result.Verdict.Reasons, "; "))
	}
}

// ledger takes over what reading back found.
func ledger(out *run, result record.Result) error {
	v := result.Verification
	if v == nil {
		return errors.New("loadgen did not verify")
	}
	out.Values[unitLost] = float64(v.Lost)
	out.Values[unitWrong] = float64(v.Lost + v.Duplicated + v.Phantom + v.Zombie)
	out.Values[unitVerified] = float64(v.Accepted)
	if v.Unchecked > 0 || !v.Drained {
		out.warnf("ledger: %s", v.Summary())
	}
	return nil
}
