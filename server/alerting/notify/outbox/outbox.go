package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/disk"
)

// MinBytes is the least that Config.MaxBytes may be: some records of the largest size.
const MinBytes = 1 << 20

// segmentsPerOutbox is how many segments an outbox of full size has: what is dropped at a
// time, and what is kept although all receivers have it, is one of them.
const segmentsPerOutbox = 8

// Config is what an outbox needs. Active may be nil, everything else is required.
type Config struct {
	FS       disk.FS
	Dir      string // exists, and belongs to the outbox alone
	MaxBytes int64  // of the segments and of what was told
	// Receivers get every notification that is recorded once they are known. One that is
	// no longer among them loses its cursor.
	Receivers []notify.Receiver
	// Active returns the alerts that are true at present. Those of them that were told are
	// repeated to receivers that ask for it; without Active none are.
	Active func() []alerting.Alert
	Log    zerolog.Logger
}

// limits bound time and memory.
type limits struct {
	queue      int           // notifications that wait to be written
	queueBytes int64         // and their memory
	patience   time.Duration // for a disk that takes nothing, when the queue is full
	closing    time.Duration // for deliveries after Close was called; as long again for the disk
	minPause   time.Duration // bound of the first pause after a failure; it doubles
	maxPause   time.Duration
	maxAfter   time.Duration // what a receiver may ask for with Retry-After
}

func defaults() limits {
	return limits{
		queue: 50_000, queueBytes: 64 << 20,
		// Longer than disks are busy and machines are paused, and less than a shutdown may take.
		patience: 10 * time.Second,
		closing:  5 * time.Second,
		minPause: 100 * time.Millisecond, maxPause: 30 * time.Second, maxAfter: 5 * time.Minute,
	}
}

// Outbox implements alerting.Notifier. Create it with Open; nothing is written or sent
// before Start. All methods are safe for concurrent use.
type Outbox struct {
	cfg     Config
	limits  limits
	log     appender
	running sync.WaitGroup

	closing chan struct{} // closed by Close
	close   sync.Once
	ctx     context.Context
	giveUp  context.CancelFunc // ends deliveries under way

	telling sync.Mutex // held by who has notifications to queue, so that they stay in order

	mu       sync.Mutex
	started  bool
	closed   bool
	queue    queue
	arrived  chan struct{}     // has room for one: the queue is not empty
	lost     map[string]uint64 // by reason: what never reached the disk
	said     map[string]bool   // reasons of which the log has said so
	segments []segment         // oldest first
	bytes    int64             // of all segments, and of snapshots
	snapshot int64             // bytes of snapshots
	next     uint64            // sequence number of the next notification
	snapped  uint64            // the snapshot of told stands before this number
	told     told
	recorded chan struct{} // closed and replaced whenever next grows or there is room in the queue
	written  bool          // the writer has ended
	workers  []*worker

	writeErrors atomic.Uint64
	damaged     uint64 // bytes
}

// Open reads what a directory holds, cuts off a torn end and says so in the log. It
// changes nothing before everything was read.
func Open(cfg Config) (*Outbox, error) { return open(cfg, defaults()) }

func open(cfg Config, l limits) (*Outbox, error) {
	if cfg.MaxBytes < MinBytes {
		return nil, fmt.Errorf("open outbox: %d bytes are less than the least, %d", cfg.MaxBytes, MinBytes)
	}
	ctx, giveUp := context.WithCancel(context.Background())
	o := &Outbox{
		cfg: cfg, limits: l, log: appender{fs: cfg.FS, dir: cfg.Dir}, ctx: ctx, giveUp: giveUp,
		closing: make(chan struct{}), arrived: make(chan struct{}, 1), recorded: make(chan struct{}), next: 1,
		lost: map[string]uint64{diskFails: 0, diskHangs: 0, unfit: 0, ended: 0}, said: map[string]bool{},
	}
	for _, step := range []func() error{o.replay, o.openCursors, o.tidy} {
		if err := step(); err != nil {
			giveUp()
			return nil, fmt.Errorf("open outbox: %w", err)
		}
	}
	return o, nil
}

// replay reads the snapshot of told and the segments.
func (o *Outbox) replay() (err error) {
	var damaged int64
	if o.told, o.snapped, damaged, err = loadTold(o.cfg.FS, o.cfg.Dir); err != nil {
		return err
	}
	if o.snapshot, err = toldBytes(o.cfg.FS, o.cfg.Dir); err != nil {
		return err
	}
	o.bytes = o.snapshot
	o.next = max(o.next, o.snapped)
	found, err := numbered(o.cfg.FS, o.cfg.Dir, segmentSuffix)
	if err != nil {
		return err
	}
	least, torn := uint64(0), int64(0)
	for _, s := range found {
		s, bad, tail, err := readSegment(o.cfg.FS, s, least, func(r record) {
			if r.sequence >= o.snapped {
				o.told.apply(r)
			}
		})
		if err != nil {
			return err
		}
		damaged, torn, least = damaged+bad+torn, tail, s.next
		o.segments = append(o.segments, s)
		o.bytes += s.size
		o.next = max(o.next, s.next)
	}
	o.damaged = uint64(damaged)
	if damaged > 0 {
		o.cfg.Log.Error().Int64("bytes", damaged).Msg("outbox is damaged; what could not be read is lost")
	}
	if torn > 0 {
		o.cfg.Log.Warn().Int64("bytes", torn).Msg("outbox has a torn end, which is cut off")
	}
	return nil
}

// openCursors finds out where each receiver is. A new one gets what comes from now on.
func (o *Outbox) openCursors() error {
	for _, r := range o.cfg.Receivers {
		c, next, known, err := openCursor(o.cfg.FS, o.cfg.Dir, r.Name())
		if err != nil {
			return err
		}
		if !known {
			next = o.next
		}
		w := &worker{outbox: o, to: r, saved: c, cursor: min(next, o.next)}
		if len(o.segments) > 0 {
			w.cursor = max(w.cursor, o.segments[0].first)
		} else {
			w.cursor = o.next
		}
		o.workers = append(o.workers, w)
	}
	return nil
}

// tidy makes the directory agree with what was found in it. Only now is it changed.
func (o *Outbox) tidy() error {
	for _, w := range o.workers {
		if err := w.saved.rewrite(w.cursor); err != nil {
			return err
		}
	}
	if err := o.removeStrangers(); err != nil {
		return err
	}
	last := len(o.segments) - 1
	if last < 0 {
		return nil
	}
	if s := o.segments[last]; s.next > s.first {
		return o.log.resume(s)
	}
	// A segment without a record may be torn anywhere.
	o.bytes -= o.segments[last].size
	path := o.segments[last].path
	o.segments = o.segments[:last]
	return o.cfg.FS.Remove(path)
}

// removeStrangers removes the cursors of receivers that are no longer wanted, and what a
// crash left unfinished.
func (o *Outbox) removeStrangers() error {
	keep := map[string]bool{}
	for _, r := range o.cfg.Receivers {
		keep[r.Name()+cursorSuffix] = true
	}
	entries, err := o.cfg.FS.ReadDir(o.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if stale(e.Name()) && !keep[e.Name()] {
			err = errors.Join(err, o.cfg.FS.Remove(filepath.Join(o.cfg.Dir, e.Name())))
		}
	}
	return err
}

// Told implements alerting.Memory.
func (o *Outbox) Told() map[string]alerting.Notification {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[string]alerting.Notification, len(o.told))
	for identity, a := range o.told {
		all[identity] = a.Notification
	}
	return all
}

// Start begins to write and to deliver. It is called at most once.
func (o *Outbox) Start() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.started = true
	o.running.Go(o.write)
	for _, w := range o.workers {
		o.running.Go(w.run)
	}
}

// Close implements alerting.Notifier. What is queued is written; deliveries that succeed
// go on for at most five seconds, and what is left is sent by the next outbox on this
// directory. A disk that does not answer for five more is left alone with the goroutines
// that wait for it. It may be called more than once.
func (o *Outbox) Close() { o.close.Do(o.shut) }

func (o *Outbox) shut() {
	o.mu.Lock()
	o.closed = true
	started := o.started
	o.mu.Unlock()
	close(o.closing)
	done := make(chan struct{})
	go func() { o.running.Wait(); close(done) }()
	for range 2 {
		select {
		case <-done:
			o.giveUp()
			o.end(started)
			return
		case <-time.After(o.limits.closing):
			o.giveUp()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lose(o.queue.count, diskHangs, nil)
	o.cfg.Log.Error().Msg("outbox was not closed: its disk does not answer")
}

// end releases what is left when no goroutine runs any more.
func (o *Outbox) end(started bool) {
	err := o.log.seal()
	for _, w := range o.workers {
		err = errors.Join(err, w.close())
		if waiting := o.next - w.cursor; started && waiting > 0 {
			o.cfg.Log.Info().Str("receiver", w.to.Name()).Uint64("notifications", waiting).Msg("not delivered yet; kept for the next start")
		}
	}
	if err != nil {
		o.cfg.Log.Warn().Err(err).Msg("outbox was not closed cleanly")
	}
}

// pause waits for up to the bound of that attempt, evenly spread (full jitter), and for
// at least the time given. It returns false when Close was called meanwhile.
func (o *Outbox) pause(attempt int, least time.Duration) bool {
	bound := o.limits.maxPause
	if attempt < 20 {
		bound = min(bound, o.limits.minPause<<attempt)
	}
	timer := time.NewTimer(min(least, o.limits.maxAfter) + rand.N(bound))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-o.closing:
		return false
	}
}
