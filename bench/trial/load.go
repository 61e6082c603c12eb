package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
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
	// Batch is how many samples a request carries; 0 counts as 1.
	Batch int
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
	if l.Batch > 1 {
		args = append(args, "-batch", strconv.Itoa(l.Batch))
	}
	return append(args, arm.LoadArgs...)
}

// window is what was seen around the measured run of the load generator.
type window struct {
	generated  record.Result
	serverCPU  time.Duration // of the server's process
	coreBusy   time.Duration // of its core, interrupts included; 0 where not pinned
	cpuErr     error
	memory     int64 // resident set of the idle server, bytes
	memoryErr  error
	queueDepth float64
	depthErr   error
	log        logWatch
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
	return h.runAny(arm, seed, func(r *Result, dir string) error { return h.load(ctx, r, dir, arm, l, company{}) })
}

// company is what some kinds of trial do beside the measured window of a load. All
// of it is optional.
type company struct {
	prepared int64    // lines that the file has before
	args     []string // of the load generator
	// run lasts about as long as the window.
	run func(ctx context.Context, s target) error
	// enter adds samples that run sent to the books.
	enter func(b *books)
	fill  func(r *Result, g record.Result)
}

func (h *Harness) load(ctx context.Context, r *Result, dir string, arm Arm, load Load, with company) error {
	s, err := h.startTarget(ctx, h.Placement.Server, dir, arm)
	if err != nil {
		return err
	}
	r.ServerArgs, r.LoadArgs = s.shownArgs(), append(load.args(load.Window, arm, r.Seed), with.args...)
	b := books{prepared: with.prepared}
	w := window{log: logWatch{on: arm.Durable()}}
	err = h.offer(ctx, r, s, dir, arm, load, with, &b, &w)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	ended, stopErr := s.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	limits := h.Limits
	if arm.URL != "" {
		limits.Foreign = 1 // its own CPU time counts as that of other programs
	}
	r.judgeLoad(limits, load, w)
	if arm.Foreign() {
		r.Accepted = b.accepted // nothing else is known of what it did with them
	} else {
		r.judgeBooks(b, ended, dataFile(dir))
	}
	r.fillLoad(w, b, ended)
	if with.fill != nil {
		with.fill(r, w.generated)
	}
	return nil
}

// offer warms the server up and measures one window.
func (h *Harness) offer(ctx context.Context, r *Result, s target, dir string, arm Arm, load Load, with company, b *books, w *window) error {
	w.memory, _, w.memoryErr = s.memory()
	where := s.endpoint()
	warm, err := h.generate(ctx, dir, append(load.args(load.Warmup, arm, r.Seed), where.String())...)
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	b.add(warm.Accounting, samplesOf(warm))
	if load.SlowClient {
		slow := &slowClient{to: where}
		stop := slow.start(ctx)
		defer func() {
			stop()
			b.addSlow(slow)
		}()
	}
	err = h.measure(ctx, r, s, w, func() error {
		return accompany(ctx, s, with.run, func(ctx context.Context) (err error) {
			w.generated, err = h.generate(ctx, dir, append(r.LoadArgs, where.String())...)
			return err
		})
	})
	b.add(w.generated.Accounting, samplesOf(w.generated))
	if with.enter != nil {
		with.enter(b)
	}
	return err
}

// accompany runs beside, if there is any, and main at the same time. The failure of
// either ends the other.
func accompany(ctx context.Context, s target, beside func(context.Context, target) error, main func(context.Context) error) error {
	if beside == nil {
		return main(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var besides sync.WaitGroup
	var besideErr error
	besides.Go(func() {
		if besideErr = beside(ctx, s); besideErr != nil {
			cancel()
		}
	})
	err := main(ctx)
	if err != nil {
		cancel()
	}
	besides.Wait()
	if besideErr != nil {
		return besideErr
	}
	return err
}

// measure runs the load generator between two readings of the machine and the
// server.
func (h *Harness) measure(ctx context.Context, r *Result, s target, w *window, generate func() error) error {
	w.log.begin(ctx, s)
	before := h.sampleMachine()
	cpuBefore, cpuErr := s.cpu()
	if err := generate(); err != nil {
		return err
	}
	cpuAfter, err := s.cpu()
	after := h.sampleMachine()
	w.log.end(ctx, s)
	w.cpuErr = errors.Join(cpuErr, err)
	w.serverCPU = cpuAfter - cpuBefore
	w.coreBusy = after.serverBusySince(before, len(h.Placement.Server))
	own := time.Duration(w.generated.Generator.CPUSeconds * float64(time.Second))
	r.Machine = after.loadSince(before, w.serverCPU+own)
	if ours, ok := s.(*server); ok {
		w.queueDepth, w.depthErr = queueDepth(ctx, ours)
	} else {
		w.depthErr = ErrForeign
	}
	return nil
}

// samplesOf is how many samples a request of the run carried.
func samplesOf(g record.Result) int64 { return int64(max(1, g.Batch)) }

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
	if g.Batch > 1 {
		r.Values[UnitSamples] = g.AcceptedRPS * float64(g.Batch)
	}
	r.Values[UnitOffered] = g.OfferedRPS
	r.fillPercentile(g.ResponseTime, 0.5, UnitP50)
	r.fillPercentile(g.ResponseTime, 0.99, UnitP99)
	r.fillUsage(w, b, ended)
	r.fillLog(w.log, g)
	switch {
	case errors.Is(w.depthErr, ErrForeign):
		r.unavailable(UnitQueueDepth, w.depthErr.Error())
	case w.depthErr != nil:
		r.warnf("queue depth unknown: %v", w.depthErr)
	default:
		r.Values[UnitQueueDepth] = w.queueDepth
	}
}

// fillUsage derives what the server used, or why that is not known.
func (r *Result) fillUsage(w window, b books, ended exit) {
	g := w.generated
	if ended.peak > 0 {
		r.Values[UnitPeakMemory] = float64(ended.peak)
	} else if w.memoryErr != nil {
		r.unavailable(UnitPeakMemory, w.memoryErr.Error())
	}
	if w.memory > 0 && b.accepted > 0 {
		r.Values[UnitMemPerSample] = float64(max(0, ended.peak-w.memory)) / float64(b.accepted)
	} else if w.memoryErr != nil {
		r.unavailable(UnitMemPerSample, w.memoryErr.Error())
	}
	switch {
	case w.cpuErr != nil:
		r.unavailable(UnitCPUPerSample, w.cpuErr.Error())
	case g.Accounting.Accepted > 0:
		r.Values[UnitCPUPerSample] = float64(w.serverCPU) / float64(g.Accounting.Accepted*samplesOf(g))
	}
	switch {
	case errors.Is(w.cpuErr, errUnknown):
		r.unavailable(UnitServerBusy, w.cpuErr.Error()) // nor is its core
	case w.coreBusy > 0 && g.WindowSeconds > 0:
		r.Values[UnitServerBusy] = min(1, w.coreBusy.Seconds()/g.WindowSeconds)
	}
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
	prepared int64 // lines that the file had before
	accepted int64 // answered with 2xx
	unknown  int64 // sent, without an answer
	slowBad  int64 // slow requests that failed
}

// add enters requests of batch samples each.
func (b *books) add(a record.Accounting, batch int64) {
	b.accepted += a.Accepted * batch
	b.unknown += (a.TimedOut + a.Failed + a.Open) * batch
}

func (b *books) addSlow(c *slowClient) {
	b.accepted += c.accepted
	b.unknown += c.unknown
	b.slowBad += c.unknown
}
