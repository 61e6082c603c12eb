package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
)

// Loss describes a trial in which the server gets a signal under load and is started
// again on the same file and port. What it accepted before is counted twice: by its
// own answers to queries and by reading the file. Requests that were under way are
// ambiguous, neither accepted nor lost.
//
// Samples lost to SIGKILL are the price of a mode, unless its queue is durable. Samples
// lost to SIGTERM are a fault, and so are those that the server loses after it is back:
// Result.Lost counts them.
type Loss struct {
	// Rate is in requests per second, each with one sample, open loop.
	Rate        int
	Connections int
	// The signal falls at random into Window, which begins after Warmup.
	Warmup, Window time.Duration
	// Signal is SIGKILL or SIGTERM; 0 means SIGKILL.
	Signal syscall.Signal
}

const (
	lossStream = 0x6c6f7373
	// readyTimeout bounds the wait for a server that was started again.
	readyTimeout = 30 * time.Second
	healthPause  = time.Millisecond
	// afterRate and afterTime are the load by which a restarted server shows that it
	// still stores what it accepts, also behind a torn line.
	afterRate = 500
	afterTime = 100 * time.Millisecond
)

// Estimate implements Spec.
func (l Loss) Estimate() time.Duration {
	return l.Warmup + l.Window/2 + afterTime + 4*processOverhead
}

func (l Loss) signal() syscall.Signal {
	if l.Signal == 0 {
		return syscall.SIGKILL
	}
	return l.Signal
}

// moment is when the signal is sent, counted from the first request.
func (l Loss) moment(seed uint64) time.Duration {
	rng := rand.New(rand.NewPCG(seed, lossStream))
	return l.Warmup + time.Duration(rng.Float64()*float64(l.Window))
}

// Run implements Spec. The load comes from this process, so an arm's LoadArgs are
// refused.
func (l Loss) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	if len(arm.LoadArgs) > 0 {
		return newResult(arm, seed), ErrLoadArgs
	}
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.loss(ctx, r, dir, arm, l) })
}

// crash is what is known of a trial of loss.
type crash struct {
	before, after *ledgered
	elapsed       time.Duration // from the first request to the signal
	ready         time.Duration // from the start of the new process to its first healthy answer
	asked, again  record.Verification
	durable       bool
	ended         exit // of the first server, where it was asked to end
}

func (h *Harness) loss(ctx context.Context, r *Result, dir string, arm Arm, l Loss) error {
	addr, release := reserve()
	defer release()
	s, err := h.startServerAt(ctx, h.Placement.Server, addr, dataFile(dir), arm.ServerArgs...)
	if err != nil {
		return err
	}
	r.ServerArgs = s.args
	c := crash{before: newLedgered(), after: newLedgered(), durable: arm.Durable()}
	err = c.strike(ctx, s, l, r.Seed)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	if err != nil {
		s.kill()
		r.voidf("%v", err)
		return nil
	}
	before, began := h.sampleMachine(), time.Now()
	if s, err = h.startServerAt(ctx, h.Placement.Server, s.addr, s.data, arm.ServerArgs...); err != nil {
		if ctx.Err() == nil {
			r.voidf("start again after %v: %v", l.signal(), err)
		}
		return ctx.Err()
	}
	err = c.check(ctx, s, began, r.Seed)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	cpu, _ := s.cpu() // 0, like the machine's load, where unknown
	r.Machine = h.sampleMachine().loadSince(before, cpu)
	_, stopErr := s.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	r.judgeMachine(h.Limits)
	r.fillLoss(c, l, s.data)
	return nil
}

// strike offers load until the moment of the signal and goes on until the server is
// gone. The server is gone afterwards if the error is nil.
func (c *crash) strike(ctx context.Context, s *server, l Loss, seed uint64) error {
	loading, cancel := context.WithCancel(ctx)
	var load sync.WaitGroup
	var loadErr error
	broken := make(chan struct{})
	moment := l.moment(seed)
	began := time.Now()
	load.Go(func() {
		defer close(broken)
		// Long enough for the slowest way to end; it is cut off when the server is gone.
		loadErr = c.before.offer(loading, s.endpoint(), float64(l.Rate), moment+stopTimeout, l.Connections, seed)
	})
	defer func() { cancel(); load.Wait() }()
	select {
	case <-time.After(time.Until(began.Add(moment))):
	case <-broken:
		return fmt.Errorf("load ended before the signal: %w", errors.Join(loadErr, ctx.Err()))
	case <-ctx.Done():
		return ctx.Err()
	}
	c.elapsed = time.Since(began)
	if l.signal() == syscall.SIGKILL {
		s.kill()
		return nil
	}
	var err error
	c.ended, err = s.stop()
	return err
}

// check waits until the new server is healthy, compares what it answers with the
// ledger, and lets it take some more samples.
func (c *crash) check(ctx context.Context, s *server, began time.Time, seed uint64) (err error) {
	if err := awaitHealthy(ctx, s); err != nil {
		return err
	}
	c.ready = time.Since(began)
	if c.asked, err = c.before.ask(ctx, s); err != nil {
		return err
	}
	if err := c.after.offer(ctx, s.endpoint(), afterRate, afterTime, 4, seed); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	c.again, err = c.after.ask(ctx, s)
	return err
}

// awaitHealthy returns when GET /health says so.
func awaitHealthy(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := newClient(false)
	for {
		said, err := askHealth(ctx, client, s)
		if err == nil && said.Status == "healthy" {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("server is not healthy within %v: status %.40q, last error: %w", readyTimeout, said.Status, errors.Join(err, ctx.Err()))
		}
		pause(ctx, healthPause)
	}
}

// fillLoss counts from the file and compares. Data is no longer written to.
func (r *Result) fillLoss(c crash, l Loss, data string) {
	first, err := c.before.readBack(data)
	second, err2 := c.after.readBack(data)
	if err := errors.Join(err, err2); err != nil {
		r.voidf("%v", err)
		return
	}
	if words := first.disagrees(c.asked); words != "" {
		r.voidf("two counts differ: %s", words)
	}
	if words := second.disagrees(c.again); words != "" {
		r.voidf("two counts differ after the restart: %s", words)
	}
	if !c.asked.Drained || !c.again.Drained {
		r.voidf("the server had not drained when it was asked")
	}
	r.judgeStrays("", first)
	r.judgeStrays(" after the restart", second)
	counts, restarted := c.before.book.Counts(), c.after.book.Counts()
	r.Accepted, r.Stored = counts.Accepted+restarted.Accepted, first.lines-first.torn
	if counts.Accepted == 0 {
		r.voidf("no sample was accepted before the signal")
		return
	}
	if l.signal() != syscall.SIGKILL {
		r.judgeClosing(c.ended, counts)
	}
	if c.durable || l.signal() != syscall.SIGKILL {
		r.Lost += first.lost
	}
	if c.durable {
		r.judgeTwice(first.duplicated + second.duplicated)
	}
	r.Lost += second.lost
	if r.Lost > 0 {
		r.voidf("LOST: %d samples that no crash explains", r.Lost)
	}
	r.Values[UnitLost] = float64(first.lost)
	r.Values[UnitRestarted] = float64(restarted.Accepted)
	r.Values[UnitDuplicated] = float64(first.duplicated)
	r.Values[UnitAmbiguous] = float64(counts.Ambiguous)
	r.Values[UnitTorn] = float64(first.torn)
	r.Values[UnitReady] = float64(c.ready)
	r.Values[UnitLostSeconds] = float64(first.lost) / (float64(counts.Accepted) / c.elapsed.Seconds())
}

// judgeStrays voids a trial whose file holds samples that nobody sent or that were
// refused.
func (r *Result) judgeStrays(when string, b readBack) {
	if b.phantom > 0 || b.zombie > 0 {
		r.voidf("the file holds %d samples that were never sent and %d that were refused%s", b.phantom, b.zombie, when)
	}
}

// judgeClosing compares the ledger with what a server said that was asked to end.
func (r *Result) judgeClosing(ended exit, counts ledger.Counts) {
	if ended.accepted < counts.Accepted || ended.accepted > counts.Accepted+counts.Ambiguous {
		r.voidf("closing line says %d accepted, clients saw %d and %d without an answer", ended.accepted, counts.Accepted, counts.Ambiguous)
	}
}
