package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Victim is the server that a fault befalls.
type Victim struct {
	PID  int
	Addr string // host:port on which it listens
	Dir  string // the trial's own directory
	Data string // the storage file in it
}

// Fault is something that befalls a server under load, or its surroundings. One
// value serves one trial; its methods are called in the order in which they stand
// here, none of them concurrently. Calm has them all and does nothing.
type Fault interface {
	// Prepare readies the directory before the server starts in it, and returns flags
	// for the server.
	Prepare(dir string) (args []string, err error)
	// Route returns the address to which the load goes: the victim's, or one in front
	// of it.
	Route(v Victim) (addr string, err error)
	// Strike begins the fault and returns when it is in force; Heal ends it. With a
	// signal Strike comes just before it, and Heal when the server is gone and the next
	// one has not begun.
	Strike(ctx context.Context, v Victim) error
	Heal(ctx context.Context, v Victim) error
	// Seen returns what shows that the fault was felt, or an error that says why it
	// was not: then the trial proves nothing. Broken promises that only the fault
	// itself can know of are told beside it.
	Seen(ctx context.Context, v Victim) (evidence string, broken []string, err error)
	// Close undoes Prepare and Route. It is called whatever went wrong before.
	Close() error
}

// Calm is no fault. Others embed it and replace what they need.
type Calm struct{}

// Prepare implements Fault.
func (Calm) Prepare(string) ([]string, error) { return nil, nil }

// Route implements Fault.
func (Calm) Route(v Victim) (string, error) { return v.Addr, nil }

// Strike implements Fault.
func (Calm) Strike(context.Context, Victim) error { return nil }

// Heal implements Fault.
func (Calm) Heal(context.Context, Victim) error { return nil }

// Seen implements Fault.
func (Calm) Seen(context.Context, Victim) (string, []string, error) { return "", nil, nil }

// Close implements Fault.
func (Calm) Close() error { return nil }

// Ordeal describes a trial in which a fault befalls the server under load. Afterwards
// what it accepted is counted as Loss counts it, by queries and from the file. Unlike
// Loss it judges nothing but whether the server came through: what a mode may lose is
// for the caller to say. It measures no speed, so that nothing voids it but a fault
// that was not felt.
type Ordeal struct {
	// Rate is in requests per second, each with one sample, open loop.
	Rate        int
	Connections int
	// The fault begins at random in the second half of Warmup, lasts for Hold, and the
	// load goes on for After.
	Warmup, Hold, After time.Duration
	// Timeout is how long a client waits for an answer.
	Timeout time.Duration
	// Signal, unless 0, ends the server after Strike, instead of Hold and After; it is
	// started again.
	Signal syscall.Signal
	Fault  Fault
	// MayEnd says that a server may end or stay unready after the fault until it is
	// started again.
	MayEnd bool
}

// Toll is what an ordeal cost. Counts are of samples.
type Toll struct {
	Sent      int64 `json:"sent"`
	Accepted  int64 `json:"accepted"`
	Refused   int64 `json:"refused"`   // 4xx
	Ambiguous int64 `json:"ambiguous"` // no answer, a broken one, or 5xx
	Recovered int64 `json:"recovered"` // ambiguous, and stored

	Lost       int64 `json:"lost"`       // accepted, and not there
	Duplicated int64 `json:"duplicated"` // there more than once
	Phantom    int64 `json:"phantom"`    // there, and never sent
	Zombie     int64 `json:"zombie"`     // there, and refused
	Torn       int64 `json:"torn"`       // stored lines that are no sample

	// LostSeconds is the loss in seconds of the accepted load.
	LostSeconds float64 `json:"lost_seconds"`
	// Moment is when the fault began, from the first request; Log what the durable queue's
	// directory held when the server had got a signal, in bytes.
	Moment time.Duration `json:"moment_ns"`
	Log    int64         `json:"log_bytes,omitempty"`
	// Fresh is the time from the start of the first process, which finds nothing, to its
	// first healthy answer.
	Fresh time.Duration `json:"fresh_ns"`
	// Ready is the time from the end of the fault, or from the start of the new process,
	// to the first healthy answer.
	Ready     time.Duration `json:"ready_ns"`
	Restarted bool          `json:"restarted"`
	// Starting is what the machine did while the new process got ready.
	Starting MachineLoad `json:"starting"`
	// Said are the states that /health told while the fault lasted, and how often;
	// "silent" where it did not answer.
	Said     map[string]int `json:"said,omitempty"`
	Evidence string         `json:"evidence,omitempty"`

	// Broken lists what no server may do under any fault; Void why the trial proves
	// nothing.
	Broken []string `json:"broken,omitempty"`
	Void   []string `json:"void,omitempty"`

	Seed       uint64   `json:"seed"`
	ServerArgs []string `json:"server_args"`
}

const (
	ordealStream = 0x6f726465
	// readyBound is how long a server may take after a fault.
	readyBound = 10 * time.Second
	// saidPause is the time between two questions for a server's health, saidTimeout
	// what it may take to answer.
	saidPause   = 20 * time.Millisecond
	saidTimeout = 500 * time.Millisecond
)

func (t *Toll) brokenf(format string, args ...any) {
	t.Broken = append(t.Broken, fmt.Sprintf(format, args...))
}

func (t *Toll) voidf(format string, args ...any) {
	t.Void = append(t.Void, fmt.Sprintf(format, args...))
}

// Estimate is about how long a trial takes.
func (o Ordeal) Estimate() time.Duration {
	return o.Warmup + o.Hold + o.After + afterTime + 4*processOverhead
}

// moment is when the fault begins, counted from the first request.
func (o Ordeal) moment(seed uint64) time.Duration {
	rng := rand.New(rand.NewPCG(seed, ordealStream))
	return o.Warmup/2 + time.Duration(rng.Float64()*float64(o.Warmup/2))
}

// Run runs one trial of the arm. An error means that nothing could be found out.
func (o Ordeal) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Toll, error) {
	t := Toll{Seed: seed, Said: map[string]int{}}
	err := h.inDir(func(dir string) error {
		err := o.in(ctx, h, arm, dir, &t)
		return errors.Join(err, o.Fault.Close())
	})
	return t, err
}

// ordeal is a trial under way.
type ordeal struct {
	Ordeal
	h             *Harness
	arm           Arm
	args          []string // of the server
	s             *server
	toll          *Toll
	before, after *ledgered
	elapsed       time.Duration // from the first request to the signal, or of the whole load
	closing       []exit        // of servers that ended as they should
}

func (o Ordeal) in(ctx context.Context, h *Harness, arm Arm, dir string, t *Toll) (err error) {
	extra, err := o.Fault.Prepare(dir)
	if err != nil {
		return fmt.Errorf("prepare fault: %w", err)
	}
	d := &ordeal{Ordeal: o, h: h, arm: arm, toll: t, before: newLedgered(), after: newLedgered()}
	d.before.timeout = o.Timeout
	d.args = append(append([]string{}, arm.ServerArgs...), extra...)
	addr, release := reserve()
	defer release()
	defer func() {
		if d.s != nil {
			d.s.kill()
		}
	}()
	if err := d.begin(ctx, addr, dataFile(dir)); err != nil {
		return err
	}
	t.ServerArgs = d.s.args
	if err := d.suffer(ctx, dir); err != nil {
		return err
	}
	return d.reckon(ctx)
}

// begin starts the first server.
func (d *ordeal) begin(ctx context.Context, addr, data string) (err error) {
	began := time.Now()
	if d.s, err = d.h.startServerAt(ctx, d.h.Placement.Server, addr, data, d.args...); err != nil {
		return err
	}
	err = awaitHealthy(ctx, d.s)
	d.toll.Fresh = time.Since(began)
	return err
}

func (d *ordeal) victim(dir string) Victim {
	return Victim{PID: d.s.pid(), Addr: d.s.addr, Dir: dir, Data: d.s.data}
}

// suffer lets the fault befall the server under load, and returns when the load is
// over and a server is ready.
func (d *ordeal) suffer(ctx context.Context, dir string) error {
	v := d.victim(dir)
	addr, err := d.Fault.Route(v)
	if err != nil {
		return fmt.Errorf("route load: %w", err)
	}
	to := d.s.endpoint()
	to.Host = addr
	loading, cancel := context.WithCancel(ctx)
	var load sync.WaitGroup
	var loadErr error
	began := time.Now()
	moment := d.moment(d.toll.Seed)
	d.toll.Moment = moment
	length := moment + d.Hold + d.After
	if d.Signal != 0 {
		length = moment + stopTimeout // it is cut off when the server is gone
	}
	load.Go(func() {
		loadErr = d.before.offer(loading, to, float64(d.Rate), length, d.Connections, d.toll.Seed)
	})
	defer func() { cancel(); load.Wait() }()
	pauseUntil(ctx, began.Add(moment))
	if d.Signal != 0 {
		d.elapsed = time.Since(began)
		err = d.end(ctx, v, func() { cancel(); load.Wait() })
	} else {
		err = d.befall(ctx, v)
	}
	load.Wait()
	if d.elapsed == 0 {
		d.elapsed = time.Since(began)
	}
	return errors.Join(err, loadErr, ctx.Err())
}

func pauseUntil(ctx context.Context, at time.Time) { pause(ctx, time.Until(at)) }

// end sends the signal, ends the load when the server is gone, so that none of it goes
// to the next one, and starts the server again.
func (d *ordeal) end(ctx context.Context, v Victim, endLoad func()) error {
	if err := d.Fault.Strike(ctx, v); err != nil {
		return fmt.Errorf("strike: %w", errors.Join(err, d.Fault.Heal(ctx, v)))
	}
	if d.Signal == syscall.SIGKILL {
		d.s.kill()
	} else if ended, err := d.s.stop(); err != nil {
		d.toll.brokenf("%v: %v", d.Signal, err)
	} else {
		d.closing = append(d.closing, ended)
	}
	endLoad()
	d.toll.Log = logBytes(v.Data)
	if err := d.Fault.Heal(context.WithoutCancel(ctx), v); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	if err := d.startAgain(ctx); err != nil {
		return err
	}
	d.see(ctx, v)
	return nil
}

// see asks the fault whether it was felt.
func (d *ordeal) see(ctx context.Context, v Victim) {
	evidence, broken, err := d.Fault.Seen(ctx, v)
	d.toll.Evidence = evidence
	d.toll.Broken = append(d.toll.Broken, broken...)
	if err != nil {
		d.toll.voidf("the fault was not felt: %v", err)
	}
}

// logBytes is what the files of a durable queue take; 0 without one.
func logBytes(data string) (sum int64) {
	files, _ := filepath.Glob(data + ".wal/*") // the pattern is sound
	for _, path := range files {
		if info, err := os.Stat(path); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// befall lets the fault begin, last and end, and waits until the server is ready.
func (d *ordeal) befall(ctx context.Context, v Victim) error {
	if err := d.Fault.Strike(ctx, v); err != nil {
		// Healing may be what undoes a half of it.
		return fmt.Errorf("strike: %w", errors.Join(err, d.Fault.Heal(ctx, v)))
	}
	stop := d.listen(ctx)
	pause(ctx, d.Hold)
	stop()
	// Whatever happens meanwhile, the fault must not stay.
	err := d.Fault.Heal(context.WithoutCancel(ctx), v)
	healed := time.Now()
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	ready := d.awaitReady(ctx)
	d.toll.Ready = time.Since(healed)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.see(ctx, v)
	if ready {
		return nil
	}
	return d.revive(ctx)
}

// revive starts a server again that did not come through by itself.
func (d *ordeal) revive(ctx context.Context) error {
	if ended := d.s.ended(); !d.MayEnd {
		if ended {
			d.toll.brokenf("the server ended: %s", d.s.stderr.lastLine())
		} else {
			d.toll.brokenf("the server was not healthy %v after the fault", readyBound)
		}
	}
	d.s.kill()
	return d.startAgain(ctx)
}

// startAgain starts the server on the same file and port and waits until it is ready.
func (d *ordeal) startAgain(ctx context.Context) (err error) {
	before, began := d.h.sampleMachine(), time.Now()
	addr, data := d.s.addr, d.s.data
	d.s, d.toll.Restarted = nil, true
	if d.s, err = d.h.startServerAt(ctx, d.h.Placement.Server, addr, data, d.args...); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	if err := awaitHealthy(ctx, d.s); err != nil {
		return err
	}
	d.toll.Ready = time.Since(began)
	if used, err := processCPU(d.s.pid()); err == nil {
		d.toll.Starting = d.h.sampleMachine().loadSince(before, used)
	}
	return nil
}

// ended reports whether the process has closed its output, which it does at its end.
func (s *server) ended() bool {
	select {
	case _, open := <-s.output.port:
		return !open
	default:
		return false
	}
}

// listen asks for the server's health again and again until stop is called.
func (d *ordeal) listen(ctx context.Context) (stop func()) {
	listening, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		client := newClient(false)
		client.Timeout = saidTimeout
		for listening.Err() == nil {
			said, err := askHealth(listening, client, d.s)
			switch {
			case listening.Err() != nil:
			case err != nil:
				d.toll.Said["silent"]++
			default:
				d.toll.Said[said.Status]++
			}
			pause(listening, saidPause)
		}
	})
	return func() { cancel(); all.Wait() }
}

// awaitReady reports whether the server says that it is healthy, in time.
func (d *ordeal) awaitReady(ctx context.Context) bool {
	client := newClient(false)
	client.Timeout = saidTimeout
	for deadline := time.Now().Add(readyBound); time.Now().Before(deadline) && ctx.Err() == nil && !d.s.ended(); pause(ctx, healthPause) {
		if said, err := askHealth(ctx, client, d.s); err == nil && said.Status == "healthy" {
			return true
		}
	}
	return false
}
