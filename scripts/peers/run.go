package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"phase0/bench/pulse"
	"phase0/scripts/lab"
	"phase0/scripts/refserver/tally"
)

// Limits of what counts.
const (
	// busyLimit is the share of its core from which the server may be what holds a
	// client back.
	busyLimit = 0.9
	// countLimit is by how much a client's figures may differ from what arrived.
	countLimit = 0.01
)

// run is one finished run. Figures that an experiment does not need are 0.
type run struct {
	job
	Start   time.Time   `json:"start"`   // UTC
	Command []string    `json:"command"` // DIR stands for the scratch directory
	Server  tally.Tally `json:"server"`
	Claim   claim       `json:"claim"`
	Cost    lab.Cost    `json:"cost"` // the client's

	ServerCost lab.Cost `json:"server_cost"` // from its start to its end
	Machine    lab.Load `json:"machine"`
	// Slow is the share of the run in which the machine was slow (package pulse), where a
	// schedule is kept.
	Slow float64 `json:"slow,omitempty"`

	RPS           float64 `json:"rps"`                // by the server's count and clock
	CPUPerRequest float64 `json:"cpu_per_request_ns"` // of the client

	Truth     *truth     `json:"truth,omitempty"`
	Deviation *deviation `json:"deviation,omitempty"`

	// Void says why the run is not used; Flags are doubts about the client's own
	// figures.
	Void string `json:"void,omitempty"`
	// ServerBound: it is void for no other reason than that the server was too busy,
	// so that RPS is a lower bound.
	ServerBound bool     `json:"server_bound,omitempty"`
	Flags       []string `json:"flags,omitempty"`
}

// one does a run. What goes wrong with it voids it.
func (r rig) one(ctx context.Context, t tool, j job) run {
	out := run{job: j, Start: time.Now().UTC()}
	before := lab.ReadMachine()
	err := r.measure(ctx, t, &out)
	out.Machine = lab.ReadMachine().Since(before)
	switch reason := out.Machine.Disturbed(); {
	case err != nil:
		out.Void = err.Error()
	case reason != "":
		out.Void, out.ServerBound = reason, false
	}
	return out
}

func (r rig) measure(ctx context.Context, t tool, out *run) error {
	dir, err := os.MkdirTemp(r.dir, "run-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left lies among temporary files
	file := filepath.Join(dir, "stamps")
	url, stop, err := r.serve(ctx, out.server(file))
	if err != nil {
		return err
	}
	c := call{url: url, seconds: out.Seconds, rate: out.Rate, latency: out.Experiment == stalling, pool: connections, dir: dir}
	if out.Experiment == steadiness {
		c.pool = steadyPool
	}
	left, used, command, slow, loadErr := r.watched(ctx, t, c, out.Experiment)
	out.Slow = slow.Share()
	out.Cost = used
	for _, word := range command {
		out.Command = append(out.Command, strings.ReplaceAll(word, dir, "DIR"))
	}
	// The server is stopped in any case.
	if out.Server, out.ServerCost, err = stop(); err != nil {
		return err
	}
	if loadErr != nil {
		return loadErr
	}
	if out.Claim, err = t.parse(left); err != nil {
		return err
	}
	if out.Server.Requests < 2 {
		return fmt.Errorf("only %d requests arrived", out.Server.Requests)
	}
	if out.stamped() {
		stamps, err := readStamps(file)
		if err != nil {
			return err
		}
		out.compare(stamps, slow)
	}
	out.derive()
	return nil
}

// watched runs the client, and takes the machine's pulse where a schedule is to be kept.
func (r rig) watched(ctx context.Context, t tool, c call, experiment string) (left output, used lab.Cost, command []string, slow pulse.Slowness, err error) {
	if experiment == pacing || experiment == steadiness {
		taken := pulse.Start()
		defer func() { slow = taken.End() }()
	}
	left, used, command, err = r.load(ctx, t, c)
	return left, used, command, slow, err
}

// onServersClock reports whether the machine was slow at a moment that the server stamped.
func onServersClock(slow pulse.Slowness) func(ns int64) bool {
	now, at, known := lab.Monotonic()
	return func(ns int64) bool { return known && slow.Met(now.Add(time.Duration(ns-at))) }
}

// compare sets the stamps against the claim or the schedule.
func (r *run) compare(stamps []int64, slow pulse.Slowness) {
	switch r.Experiment {
	case stalling:
		r.Truth = truthOf(r.job, r.Server, stamps)
	case pacing:
		r.Deviation = deviationOf(stamps, r.Rate, onServersClock(slow))
	}
}

// derive computes the figures and judges them.
func (r *run) derive() {
	s := r.Server
	r.RPS = float64(s.Requests-1) / (float64(s.LastNS-s.FirstNS) / 1e9)
	r.CPUPerRequest = r.Cost.Seconds() * 1e9 / float64(s.Requests)
	if s.BusyShare >= busyLimit {
		r.Void, r.ServerBound = fmt.Sprintf("server %.0f %% busy", s.BusyShare*100), true
	}
	flag := func(format string, args ...any) { r.Flags = append(r.Flags, fmt.Sprintf(format, args...)) }
	if beyond(float64(r.Claim.Requests), float64(s.Requests), countLimit) {
		flag("claims %d requests, %d arrived", r.Claim.Requests, s.Requests)
	}
	if r.Experiment == closedLoop && beyond(r.Claim.RPS, r.RPS, countLimit) {
		flag("claims %.0f requests/s, %.0f arrived", r.Claim.RPS, r.RPS)
	}
	if r.Experiment == steadiness && beyond(r.RPS, float64(r.Rate), countLimit) {
		flag("rate not held: %.0f of %d requests/s", r.RPS, r.Rate)
	}
	if r.Claim.Failed > 0 {
		flag("%d requests failed by the client's count", r.Claim.Failed)
	}
	if r.Claim.Verdict != "" && r.Claim.Verdict != "VALID" {
		flag("judges its own run %s", r.Claim.Verdict)
	}
}

func beyond(a, b, limit float64) bool { return math.Abs(a-b) > limit*b }

// String is the line of progress.
func (r run) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-6s round %d  %-10s", r.Experiment, r.Round+1, r.Client)
	if r.Rate > 0 {
		fmt.Fprintf(&text, " %6d rps", r.Rate)
	}
	if r.RPS > 0 {
		fmt.Fprintf(&text, "  %.0f arrived/s, %.1f µs CPU per request, server %.0f %% busy", r.RPS, r.CPUPerRequest/1e3, r.Server.BusyShare*100)
	}
	if r.Void != "" {
		fmt.Fprintf(&text, "  VOID: %s", r.Void)
	}
	for _, f := range r.Flags {
		fmt.Fprintf(&text, "  (%s)", f)
	}
	return text.String()
}
