package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"phase0/loadgen/record"
)

// Load describes a trial in which requests are offered to the server.
type Load struct {
	// Rate is in requests per second, open loop; 0 means closed loop, in which every
	// connection sends its next request when the last was answered.
	Rate           int
	Connections    int
	Warmup, Window time.Duration
	// SlowClient adds a client on a connection of its own whose bodies take
	// SlowBody each, one after another.
	SlowClient bool
}

// args returns the load generator's flags for one phase of the trial.
func (l Load) args(d time.Duration, arm Arm, seed uint64) []string {
	args := []string{"-d", d.String(), "-c", strconv.Itoa(l.Connections), "-seed", strconv.FormatUint(seed, 10)}
	if l.Rate > 0 {
		args = append(args, "-model", "open", "-rps", strconv.Itoa(l.Rate))
	} else {
		args = append(args, "-model", "closed")
	}
	return append(args, arm.LoadArgs...)
}

// window is what was seen around the measured run of the load generator.
type window struct {
	generated  record.Result
	serverCPU  time.Duration // of the server's process
	coreBusy   time.Duration // of its core, interrupts included; 0 where not pinned
	cpuKnown   bool
	memory     int64 // resident set of the idle server, bytes
	queueDepth float64
	depthErr   error
}

// Estimate implements Spec.
func (l Load) Estimate() time.Duration {
	d := l.Warmup + l.Window + processOverhead
	if l.SlowClient {
		d += SlowBody
	}
	return d
}

// Run implements Spec.
func (l Load) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.load(ctx, r, dir, arm, l) })
}

func (h *Harness) load(ctx context.Context, r *Result, dir string, arm Arm, load Load) error {
	s, err := h.startServer(ctx, h.Placement.Server, dataFile(dir), arm.ServerArgs...)
	if err != nil {
		return err
	}
	r.ServerArgs, r.LoadArgs = s.args, load.args(load.Window, arm, r.Seed)
	var b books
	var w window
	err = h.offer(ctx, r, s, dir, arm, load, &b, &w)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	ended, stopErr := s.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	h.judgeLoad(r, load, w)
	r.judgeBooks(b, ended, s.data)
	r.fillLoad(w, b, ended)
	return nil
}

// offer warms the server up and measures one window.
func (h *Harness) offer(ctx context.Context, r *Result, s *server, dir string, arm Arm, load Load, b *books, w *window) error {
	w.memory, _, _ = processMemory(s.pid()) // 0 where the platform does not tell
	warm, err := h.generate(ctx, dir, append(load.args(load.Warmup, arm, r.Seed), s.url("/metrics"))...)
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	b.add(warm.Accounting)
	if load.SlowClient {
		slow := &slowClient{addr: s.addr}
		stop := slow.start(ctx)
		defer func() {
			stop()
			b.addSlow(slow)
		}()
	}
	err = h.measure(ctx, r, s, w, func() (err error) {
		w.generated, err = h.generate(ctx, dir, append(r.LoadArgs, s.url("/metrics"))...)
		return err
	})
	b.add(w.generated.Accounting)
	return err
}

// measure runs the load generator between two readings of the machine and the
// server.
func (h *Harness) measure(ctx context.Context, r *Result, s *server, w *window, generate func() error) error {
	before := h.sampleMachine()
	cpuBefore, cpuErr := processCPU(s.pid())
	if err := generate(); err != nil {
		return err
	}
	cpuAfter, err := processCPU(s.pid())
	after := h.sampleMachine()
	w.cpuKnown = cpuErr == nil && err == nil
	w.serverCPU = cpuAfter - cpuBefore
	w.coreBusy = after.server.busy() - before.server.busy()
	own := time.Duration(w.generated.Generator.CPUSeconds * float64(time.Second))
	r.Machine = after.loadSince(before, w.serverCPU+own)
	w.queueDepth, w.depthErr = queueDepth(ctx, s)
	return nil
}

func queueDepth(ctx context.Context, s *server) (float64, error) {
	text, err := get(ctx, newClient(false), s.url("/metrics"))
	if err != nil {
		return 0, err
	}
	return parseMetric(text, "phase0_queue_depth")
}

// fillLoad derives the trial's scalars.
func (r *Result) fillLoad(w window, b books, ended exit) {
	g := w.generated
	r.Values[UnitRPS] = g.AcceptedRPS
	r.Values[UnitOffered] = g.OfferedRPS
	r.fillPercentile(g.ResponseTime, 0.5, UnitP50)
	r.fillPercentile(g.ResponseTime, 0.99, UnitP99)
	r.Values[UnitPeakMemory] = float64(ended.peak)
	if w.memory > 0 && b.accepted > 0 {
		r.Values[UnitMemPerSample] = float64(max(0, ended.peak-w.memory)) / float64(b.accepted)
	}
	if w.cpuKnown && g.Accounting.Accepted > 0 {
		r.Values[UnitCPUPerSample] = float64(w.serverCPU) / float64(g.Accounting.Accepted)
	}
	if w.coreBusy > 0 && g.WindowSeconds > 0 {
		r.Values[UnitServerBusy] = min(1, w.coreBusy.Seconds()/g.WindowSeconds)
	}
	if w.depthErr != nil {
		r.warnf("queue depth unknown: %v", w.depthErr)
		return
	}
	r.Values[UnitQueueDepth] = w.queueDepth
}

func (r *Result) fillPercentile(d record.Distribution, quantile float64, unit string) {
	p, ok := d.At(quantile)
	switch {
	case !ok:
		r.unavailable(unit, "not reported by loadgen")
	case p.Unavailable != "":
		r.unavailable(unit, p.Unavailable)
	default:
		r.Values[unit] = float64(p.NS)
		if p.AtLeast {
			r.AtLeast = append(r.AtLeast, unit)
		}
	}
}

func (r *Result) unavailable(unit, why string) {
	if r.Unavailable == nil {
		r.Unavailable = map[string]string{}
	}
	r.Unavailable[unit] = why
}

// books counts what clients know about their samples.
type books struct {
	accepted int64 // answered with 2xx
	unknown  int64 // sent, without an answer
	slowBad  int64 // slow requests that failed
}

func (b *books) add(a record.Accounting) {
	b.accepted += a.Accepted
	b.unknown += a.TimedOut + a.Failed + a.Open
}

func (b *books) addSlow(c *slowClient) {
	b.accepted += c.accepted
	b.unknown += c.unknown
	b.slowBad += c.unknown
}
