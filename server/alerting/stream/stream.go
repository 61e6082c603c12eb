// Package stream is the alerting engine that evaluates samples as they come in, before they
// are stored, and again when time alone changes what is true: a sample leaves its window,
// one of the future enters it, "for" has passed. Nothing is looked at in between.
//
// An Engine is told of each batch by the consumer (Observe, Stored), copies what its rules
// read and evaluates in a goroutine of its own. At every instant its rules are true of the
// same series as those of package poll, over the same samples. Each transition is told once.
//
// When the engine starts, when rules change, when the clock goes back and when evaluation
// fell so far behind that samples had to be left out, the windows are filled from storage and
// the past that decides about the present is played again, without telling anybody. Samples
// are stored meanwhile: see refill.go. While rules change the old ones stay at work; in the
// other cases evaluation rests, and Behind tells why.
package stream

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
)

const (
	// maxPending bounds the samples that wait for their evaluation.
	maxPending = 1 << 16
	// maxWait is how long a batch waits for room among them.
	maxWait = time.Second
	// maxSleep bounds how late a step of the system's clock is noticed when no sample comes.
	maxSleep = 5 * time.Second
	// clockSlack is how far the clock may go back without a word: it stands still instead.
	clockSlack = time.Second
	// maxGroup bounds the notifications that wait for the others of their group.
	maxGroup = 10_000
)

// Config is what the engine needs. Every field is required unless it says otherwise.
type Config struct {
	Rules []rule.Rule
	Query query.Engine
	// Store is what Query reads.
	Store    interface{ Open() (storage.View, error) }
	Notifier alerting.Notifier
	// Memory is what was told before; nil when nobody knows, then what fires is told again.
	Memory alerting.Memory
	Limits Limits
	// Repeat is how often an alert that goes on firing is told again; 0 tells it once.
	Repeat time.Duration
	// GroupWait is how long a notification waits for others; 0 tells what one evaluation
	// found together.
	GroupWait time.Duration
	Log       zerolog.Logger

	// now is time.Now, and the others are the constants of their name, but in tests.
	now       func() time.Time
	shortTail int64
	maxTail   int
}

// Engine implements alerting.Engine. Create it with New.
type Engine struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	loop   sync.WaitGroup
	start  sync.Once

	// gate is held by the consumer from before a batch is observed until it is stored, and
	// for moments by whoever fills windows: then storage holds exactly what was observed.
	gate  chan struct{}
	names atomic.Pointer[map[string]*metric] // of metrics that rules read, for the sieve
	sieve sieve
	inbox inbox

	// behind: the windows lack what is in storage, as they do at first. Nothing is evaluated.
	behind   atomic.Bool
	begun    atomic.Bool           // they have been filled once
	filler   chan struct{}         // held by whoever fills them
	cause    atomic.Pointer[error] // why the last attempt to catch up failed
	failures atomic.Uint64         // of such attempts

	turn sync.Mutex // held by who steps the core, until it has telling
	wait []alerting.Notification
	due  time.Time // of wait

	// telling is held while the notifier and the log are told, who may wait for a disk; it is
	// taken before turn is given back, so all is told in the order of the steps. Whoever
	// waits for it holds turn, but not gate, and of the two who tell one holds filler: so no
	// swap waits meanwhile for turn, with gate, and storage waits for nobody who is told.
	telling sync.Mutex
	said    reached // in the log

	mu      sync.Mutex // guards the core, also for those who only look
	core    *core
	last    int64 // time of the last step
	refills uint64
}

// New returns an engine that Start sets going.
func New(cfg Config) *Engine {
	if cfg.now == nil {
		cfg.now = time.Now
	}
	cfg.shortTail, cfg.maxTail = cmp.Or(cfg.shortTail, shortTail), cmp.Or(cfg.maxTail, maxTail)
	ctx, cancel := context.WithCancel(context.Background())
	e := &Engine{cfg: cfg, ctx: ctx, cancel: cancel, gate: make(chan struct{}, 1), filler: make(chan struct{}, 1), inbox: newInbox()}
	e.behind.Store(true)
	e.install(newCore(cfg.Rules, cfg.Limits, cfg.Repeat))
	return e
}

// install makes c the core; mu is held, or nobody else knows e yet.
func (e *Engine) install(c *core) {
	e.core = c
	e.names.Store(&c.metrics) // never changed after newCore
}

// Start implements alerting.Engine. It fills the windows from storage, which takes as long
// as reading so much of it does, and tells what has changed since somebody was told last.
// Batches that are observed before are in storage by then.
func (e *Engine) Start() { e.start.Do(func() { e.loop.Go(e.run) }) }

// remember takes over what was told before; nobody else touches the core yet.
func (e *Engine) remember() {
	if e.cfg.Memory == nil {
		return
	}
	for identity, n := range e.cfg.Memory.Told() {
		e.core.told[identity] = &told{notification: n}
	}
}

// Observe takes a batch that is about to be stored, and copies it. It waits at most a second
// if evaluation is behind. Stored must follow before the next batch. Both belong to one
// goroutine.
func (e *Engine) Observe(samples []sample.Sample) {
	select {
	case e.gate <- struct{}{}:
	case <-e.ctx.Done():
		return
	}
	if e.behind.Load() {
		return // it will be read from storage
	}
	e.sieve.use(e.names.Load())
	if !e.inbox.put(e.ctx, samples, &e.sieve) {
		e.behind.Store(true) // windows are filled from storage, so nothing is lost
		e.inbox.ring()
	}
}

// Stored says that the batch of the last Observe is in storage, or was given up.
func (e *Engine) Stored() {
	select {
	case <-e.gate:
	default: // the engine was closed meanwhile
	}
}

func (e *Engine) run() {
	timer := time.NewTimer(maxSleep)
	defer timer.Stop()
	e.remember()
	var batch []sample.Sample
	for e.ctx.Err() == nil {
		var next time.Time
		batch, next = e.evaluate(batch[:0])
		clear(batch) // names and labels may go
		timer.Reset(min(max(next.Sub(e.cfg.now()), 0), maxSleep))
		select {
		case <-e.inbox.bell:
		case <-timer.C:
		case <-e.ctx.Done():
			return
		}
	}
}

// evaluate makes one step over what has come in, for which it leaves the memory of empty. It
// returns the batch and when the next step is due.
func (e *Engine) evaluate(empty []sample.Sample) (batch []sample.Sample, next time.Time) {
	now := e.cfg.now()
	if e.wentBack(now) {
		e.behind.Store(true) // the windows are ahead
	}
	if e.behind.Load() {
		e.flush()
		e.catchUp()
		return empty, e.cfg.now()
	}
	e.turn.Lock()
	// Not before: whoever fills the windows from storage, where it is as well, drops it.
	batch = e.inbox.take(empty)
	e.mu.Lock()
	at := max(now.UnixNano(), e.last)
	for i := range batch {
		e.core.add(&batch[i], at)
	}
	e.core.step(at)
	e.last = at
	due := e.core.timers.next()
	e.mu.Unlock()
	return batch, time.Unix(0, min(due, e.tell(now)))
}

// wentBack reports whether the clock did.
func (e *Engine) wentBack(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.UnixNano() < e.last-clockSlack.Nanoseconds()
}

// tell passes on what the core has found, and gives turn back, which the caller holds. It
// returns when what waits for its group is due.
func (e *Engine) tell(now time.Time) (due int64) {
	e.mu.Lock()
	out := e.core.out
	e.core.out = nil
	full := e.core.reached
	e.mu.Unlock()
	if len(e.wait) == 0 {
		e.due = now.Add(e.cfg.GroupWait)
	}
	e.wait = append(e.wait, out...)
	var ready []alerting.Notification
	if !now.Before(e.due) || len(e.wait) >= maxGroup {
		ready, e.wait = e.wait, nil
	}
	due = never
	if len(e.wait) > 0 {
		due = e.due.UnixNano()
	}
	e.handOver(ready, full)
	return due
}

// handOver gives turn back and tells the notifier and the log, which may take its time.
func (e *Engine) handOver(ready []alerting.Notification, full reached) {
	if len(ready) == 0 && full == (reached{}) {
		e.turn.Unlock()
		return
	}
	e.telling.Lock()
	defer e.telling.Unlock()
	e.turn.Unlock()
	e.sayReached(full)
	if len(ready) > 0 {
		e.cfg.Notifier.Notify(ready)
	}
}

// Close implements alerting.Engine. What still waits for its group is told.
func (e *Engine) Close() {
	e.cancel()
	e.loop.Wait()
	e.filler <- struct{}{} // SetRules under way ends with the engine's context
	<-e.filler
	e.flush()
}

// flush tells what waits for its group.
func (e *Engine) flush() {
	e.turn.Lock()
	ready := e.wait
	e.wait = nil
	e.handOver(ready, reached{})
}

// Stats implements alerting.Engine.
func (e *Engine) Stats() alerting.Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.core
	return alerting.Stats{
		Evaluations: c.evaluations, EvaluationErrors: e.failures.Load(), Series: c.series, Samples: c.limits.Samples - c.budget.Left,
		Instances: c.instances, Active: len(c.active), AlertsRefused: c.alertsRefused,
		SamplesRefused: c.refused, SamplesDropped: c.budget.Dropped, Waiting: e.inbox.len(), Refills: e.refills, Deliveries: e.cfg.Notifier.Stats(),
	}
}
