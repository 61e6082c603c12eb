package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"phase0/loadgen/record"
)

// Overload describes a trial in which a server, whose storage was slowed down to a
// capacity that the load generator can exceed by far, is offered several times that.
// The capacity is measured first, in the same process, with little more than it.
type Overload struct {
	// Delay slows storage down: an append of up to ten samples takes that long. 0
	// means 2 ms, a capacity of about 5,000 samples/s.
	Delay time.Duration
	// QueueLimit is the samples that a bounded queue holds; 0 means 10,000.
	QueueLimit int
	// Factor is how many times the capacity is offered; 0 means 10.
	Factor float64
	// Calibrate is how long the capacity is measured, Window how long it is exceeded.
	Calibrate, Window time.Duration
	// Recovery bounds the wait for an empty queue after the overload.
	// What a server holds then it must store within half a minute of SIGTERM, or the
	// trial is void: with an unbounded queue that is (Factor − 1) × Window of work.
	Recovery time.Duration
}

const (
	// overloadBatch is the samples of a request: the storage is to be overloaded, not
	// the path to the queue.
	overloadBatch = 10
	// delayedSamples is the most that the server appends at once with a delay.
	delayedSamples = 10
	// calibrateFactor over the nominal capacity fills the queue while it is measured.
	calibrateFactor = 1.5
	// calibrateDrain bounds the wait for an empty queue before the overload.
	calibrateDrain = 10 * time.Second
	// fillTime passes before, until the queue is surely not empty.
	fillTime      = 200 * time.Millisecond
	watchPause    = 20 * time.Millisecond
	recoverPause  = 2 * time.Millisecond
	overloadConns = 256
	// offeredAtLeast is the share of the planned overload that must have been sent.
	offeredAtLeast = 0.9
)

func (o Overload) withDefaults() Overload {
	if o.Delay == 0 {
		o.Delay = 2 * time.Millisecond
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = 10_000
	}
	if o.Factor == 0 {
		o.Factor = 10
	}
	return o
}

func (o Overload) nominal() float64 { return delayedSamples / o.Delay.Seconds() }

// Estimate implements Spec: the mean of what a bounded queue takes, which is soon
// drained, and an unbounded one, which stores all of the overload.
func (o Overload) Estimate() time.Duration {
	o = o.withDefaults()
	after := time.Duration((calibrateFactor - 1) * float64(fillTime+o.Calibrate))
	bounded := time.Duration(float64(o.QueueLimit) / o.nominal() * float64(time.Second))
	unbounded := time.Duration((o.Factor - 1) * float64(o.Window))
	return fillTime + o.Calibrate + after + o.Window + (bounded+unbounded)/2 + 3*processOverhead
}

// Run implements Spec.
func (o Overload) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	o = o.withDefaults()
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.overload(ctx, r, dir, arm, o) })
}

// flood is what is known of a trial of overload.
type flood struct {
	capacity  float64 // samples/s
	goodput   float64
	generated record.Result
	books     books
	recovery  time.Duration // 0 if not within the bound
	left      int64         // samples in the queue then
}

func (h *Harness) overload(ctx context.Context, r *Result, dir string, arm Arm, o Overload) error {
	// What the arm says of these stands last and counts.
	args := append([]string{"-append-delay", o.Delay.String(), "-queue-limit", strconv.Itoa(o.QueueLimit)}, arm.ServerArgs...)
	s, err := h.startServer(ctx, h.Placement.Server, dataFile(dir), args...)
	if err != nil {
		return err
	}
	r.ServerArgs = s.args
	var f flood
	err = h.flood(ctx, r, s, dir, arm, o, &f)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	ended, stopErr := s.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	r.judgeOverload(h.Limits, f)
	r.judgeBooks(f.books, ended, s.data)
	r.fillOverload(o, f, ended)
	return nil
}

func (h *Harness) flood(ctx context.Context, r *Result, s *server, dir string, arm Arm, o Overload, f *flood) (err error) {
	if f.capacity, err = h.calibrate(ctx, r, s, dir, arm, o, &f.books); err != nil {
		return fmt.Errorf("measure capacity: %w", err)
	}
	if took, left, err := awaitEmpty(ctx, s, time.Now(), calibrateDrain); err != nil || took == 0 {
		return errors.Join(err, fmt.Errorf("the queue still holds %d samples %v after the capacity was measured", left, calibrateDrain))
	}
	load := Load{Rate: int(f.capacity * o.Factor / overloadBatch), Connections: overloadConns}
	r.LoadArgs = append(load.args(o.Window, arm, r.Seed), "-batch", strconv.Itoa(overloadBatch))
	before := h.sampleMachine()
	cpuBefore, _ := s.cpu() // 0, like the machine's load, where unknown
	stored, err := watchFile(ctx, s.data, func() (err error) {
		f.generated, err = h.generate(ctx, dir, append(r.LoadArgs, s.endpoint().String())...)
		return err
	})
	if err != nil {
		return err
	}
	cpuAfter, _ := s.cpu()
	own := time.Duration(f.generated.Generator.CPUSeconds * float64(time.Second))
	r.Machine = h.sampleMachine().loadSince(before, cpuAfter-cpuBefore+own)
	f.books.add(f.generated.Accounting, overloadBatch)
	from := f.generated.Start
	to := from.Add(time.Duration(f.generated.WindowSeconds * float64(time.Second)))
	f.goodput = stored.rate(from, to)
	f.recovery, f.left, err = awaitEmpty(ctx, s, to, o.Recovery)
	return err
}

// calibrate measures what is stored per second while the queue is never empty.
func (h *Harness) calibrate(ctx context.Context, r *Result, s *server, dir string, arm Arm, o Overload, b *books) (float64, error) {
	load := Load{Rate: int(o.nominal() * calibrateFactor / overloadBatch), Connections: overloadConns}
	args := append(load.args(fillTime+o.Calibrate, arm, r.Seed), "-batch", strconv.Itoa(overloadBatch), s.endpoint().String())
	depths, stop := watchDepth(ctx, s)
	var g record.Result
	stored, err := watchFile(ctx, s.data, func() (err error) {
		g, err = h.generate(ctx, dir, args...)
		return err
	})
	stop()
	if err != nil {
		return 0, err
	}
	b.add(g.Accounting, overloadBatch)
	from, to := g.Start.Add(fillTime), g.Start.Add(fillTime+o.Calibrate)
	capacity := stored.rate(from, to)
	if capacity <= 0 {
		return 0, errors.New("nothing was stored")
	}
	return capacity, depths.neverEmpty(from, to)
}

// judgeOverload voids a trial in which the server was not overloaded as planned. That
// it could not follow is the finding.
func (r *Result) judgeOverload(limits Limits, f flood) {
	r.judgeMachine(limits)
	g := f.generated
	r.fillSigns(g)
	if g.Interrupted {
		r.voidf("load generator was interrupted")
	}
	if g.Verdict.Level != record.Valid {
		r.warnVerdict(g)
	}
	if g.AchievedRPS < offeredAtLeast*g.OfferedRPS {
		r.voidf("sent %.1f rps where %.1f were to be offered", g.AchievedRPS, g.OfferedRPS)
	}
}

func (r *Result) fillOverload(o Overload, f flood, ended exit) {
	g := f.generated
	r.Values[UnitCapacity] = f.capacity
	r.Values[UnitGoodput] = f.goodput
	r.Values[UnitGoodputShare] = f.goodput / f.capacity
	r.Values[UnitOffered] = g.OfferedRPS
	if g.Accounting.Scheduled > 0 {
		r.Values[UnitRefused] = float64(g.Accounting.StatusCodes["503"]) / float64(g.Accounting.Scheduled)
	}
	r.fillPercentile(g.ResponseTime, 0.99, UnitP99)
	if ended.peak > 0 {
		r.Values[UnitPeakMemory] = float64(ended.peak)
	}
	if f.recovery > 0 {
		r.Values[UnitRecover] = float64(f.recovery)
	} else {
		r.unavailable(UnitRecover, fmt.Sprintf("not recovered within %v: %d samples were still in the queue", o.Recovery, f.left))
	}
}
