package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
)

// Windows are filled beside the consumer, which goes on storing. The storage file only grows,
// and between two batches it holds exactly what was observed; so its size at such a moment
// says how far somebody has read. First each metric is asked for within that size, then what
// has come since is read line by line, until it is little. The rest is read while the consumer
// is held, and the new windows take the place of the old ones.
const (
	// shortTail is what may be read while the consumer is held: some thousand samples.
	shortTail = 1 << 20
	// maxRounds bounds how often what has come since is read beside the consumer. Reading is
	// faster than writing, so each round is shorter than the last; where it is not, the
	// consumer is held.
	maxRounds = 8
	// gateTimeout bounds the wait for a batch under way to be stored.
	gateTimeout = 2 * time.Second
	// firstPause and longestPause are between two attempts to catch up.
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

var (
	// errBehind says that samples are stored and not evaluated yet.
	errBehind = errors.New("alerting is behind and reads from storage what it has missed; nothing is evaluated until then")
	// errBusy is returned when storage did not take a batch in time.
	errBusy = fmt.Errorf("storage is %w with a batch; try again", alerting.ErrBusy)
	// errFilling is returned for rules that come while others are made ready.
	errFilling = fmt.Errorf("alerting is %w reading what is stored; try again", alerting.ErrBusy)
	// errReplaced is returned when what was read of the storage file counts no more.
	errReplaced = errors.New("storage file was replaced or cut while it was read")
)

// filling makes a core of what is stored, in as many attempts as that takes: what was read in
// one is not read again in the next.
type filling struct {
	rules []rule.Rule
	after uint64      // refills of the engine before it
	core  *core       // nil until it has begun
	left  []string    // metrics that are not read yet
	file  fs.FileInfo // nil when there was none
	mark  int64       // how many of its bytes the core knows, but for the metrics left
	at    int64       // the time until which the past was played
	most  int         // samples that follow holds at once
	sieve sieve
}

// refill makes f's core the one that works. After an error it may be called again.
func (e *Engine) refill(ctx context.Context, f *filling) error {
	if f.core == nil || f.after != e.refills {
		if err := e.prepare(ctx, f); err != nil {
			return err
		}
	}
	if err := f.readMetrics(ctx, e.cfg.Query); err != nil {
		return err
	}
	for range maxRounds {
		long, err := e.follow(ctx, f)
		if err != nil {
			return err
		}
		if !long {
			break
		}
	}
	return e.swap(ctx, f)
}

// prepare begins a filling anew.
func (e *Engine) prepare(ctx context.Context, f *filling) error {
	view, err := e.look(ctx)
	if err != nil {
		return err
	}
	defer view.Close()
	*f = filling{rules: f.rules, after: e.refills, core: newCore(f.rules, e.cfg.Limits, e.cfg.Repeat), most: e.cfg.maxTail, at: e.cfg.now().UnixNano()}
	if err := f.check(view); err != nil {
		f.core = nil
		return err
	}
	f.mark = view.Size()
	f.core.muted = true
	e.mu.Lock()
	f.core.told = e.core.known()
	e.mu.Unlock()
	for name := range f.core.metrics {
		f.left = append(f.left, name)
	}
	slices.Sort(f.left)
	f.sieve.use(&f.core.metrics)
	return nil
}

// look opens storage between two batches.
func (e *Engine) look(ctx context.Context) (storage.View, error) {
	if err := e.hold(ctx); err != nil {
		return nil, err
	}
	defer e.Stored()
	return e.cfg.Store.Open()
}

// hold keeps the consumer from its next batch, until Stored.
func (e *Engine) hold(ctx context.Context) error {
	select {
	case e.gate <- struct{}{}:
		return nil
	case <-time.After(gateTimeout):
		return errBusy
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// check demands that the file in view is the one that was read, with more at its end.
func (f *filling) check(view storage.View) error {
	now, err := view.Stat()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at storage file: %w", err)
	}
	if f.mark > 0 && (now == nil || !disk.SameFile(f.file, now) || view.Size() < f.mark) {
		f.core = nil
		return errReplaced
	}
	f.file = now
	return nil
}

// readMetrics reads what was stored when the filling began.
func (f *filling) readMetrics(ctx context.Context, engine query.Engine) error {
	for ; len(f.left) > 0; f.left = f.left[1:] {
		name := f.left[0]
		var samples []past
		var labels []sample.Labels
		if f.mark > 0 { // 0 would stand for all of the file
			var err error
			samples, labels, err = f.core.metrics[name].read(ctx, engine, name, f.mark, milliseconds(f.at))
			if err != nil {
				return fmt.Errorf("read samples of %q: %w", name, err)
			}
		}
		f.core.fill(name, samples, labels, f.at)
	}
	return nil
}

// follow reads what has come since, if that is long; otherwise it is left to swap.
func (e *Engine) follow(ctx context.Context, f *filling) (long bool, err error) {
	view, err := e.look(ctx)
	if err != nil {
		return false, err
	}
	defer view.Close()
	if view.Size()-f.mark <= e.cfg.shortTail {
		return false, nil
	}
	return true, f.follow(ctx, view, e.cfg.now().UnixNano())
}

// swap reads the rest, puts the new windows in the place of the old ones, and tells what has
// changed.
func (e *Engine) swap(ctx context.Context, f *filling) error {
	if err := e.hold(ctx); err != nil {
		return err
	}
	release := sync.OnceFunc(e.Stored)
	defer release()
	view, err := e.cfg.Store.Open()
	if err != nil {
		return err
	}
	defer view.Close()
	if err := f.follow(ctx, view, e.cfg.now().UnixNano()); err != nil {
		return err
	}
	e.turn.Lock()
	c := f.core
	c.reconcile(e.core, f.at)
	for _, m := range c.metrics {
		m.verdicts = nil // the next sieve counts its own
	}
	e.mu.Lock()
	c.evaluations += e.core.evaluations
	c.refused += e.core.refused
	c.alertsRefused += e.core.alertsRefused
	c.budget.Dropped += e.core.budget.Dropped
	e.cfg.Rules = f.rules
	e.install(c)
	e.last = f.at
	e.refills++
	e.mu.Unlock()
	e.inbox.take(nil) // it is all in storage
	e.behind.Store(false)
	e.begun.Store(true)
	e.cause.Store(nil)
	release()
	e.inbox.ring()             // the next step may be due sooner
	e.tell(time.Unix(0, f.at)) // gives turn back
	return nil
}

// SetRules puts other rules in the place of the present ones, all of them or, with an error,
// none. Alerts of rules that have not changed keep their state. Until it returns the present
// ones stay at work.
func (e *Engine) SetRules(ctx context.Context, rules []rule.Rule) error {
	if !e.begun.Load() {
		return fmt.Errorf("%w; try again", alerting.ErrStarting)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	select {
	case e.filler <- struct{}{}:
		defer func() { <-e.filler }()
	case <-time.After(gateTimeout):
		return errFilling
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.refill(ctx, &filling{rules: rules})
}

// catchUp fills the windows, however often it has to try. It ends early with the engine.
func (e *Engine) catchUp() {
	begun, failed := time.Now(), 0
	f := &filling{}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := e.tryToCatchUp(f)
		if e.ctx.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		failed++
		e.failures.Add(1)
		e.cause.Store(&err)
		e.cfg.Log.Error().Err(err).Dur("again_after_ms", pause).Msg("alerting cannot read what is stored, and evaluates nothing until it can")
		select {
		case <-time.After(pause):
		case <-e.ctx.Done():
			return
		}
	}
	if failed > 0 {
		e.cfg.Log.Info().Int("attempts_failed", failed).Dur("took_ms", time.Since(begun)).Msg("alerting has read what is stored")
	}
}

func (e *Engine) tryToCatchUp(f *filling) error {
	for waiting := true; waiting; {
		select {
		case e.filler <- struct{}{}:
			defer func() { <-e.filler }()
			waiting = false
		case <-e.inbox.bell: // also when windows are full
		case <-e.ctx.Done():
			return e.ctx.Err()
		}
		if !e.behind.Load() {
			return nil // other rules were set meanwhile; more of them may be on their way
		}
	}
	if f.core == nil || f.after != e.refills {
		f.rules = e.cfg.Rules
	}
	return e.refill(e.ctx, f)
}

// Behind tells why alerts may be missing at present, nil when everything that was observed is
// being evaluated. The error wraps alerting.ErrStarting until that was so once.
func (e *Engine) Behind() error {
	if !e.behind.Load() {
		return nil
	}
	what := errBehind
	if !e.begun.Load() {
		what = alerting.ErrStarting
	}
	if cause := e.cause.Load(); cause != nil {
		return fmt.Errorf("%w: %w", what, *cause)
	}
	return what
}
