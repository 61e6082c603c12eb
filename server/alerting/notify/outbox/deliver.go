package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/disk"
)

// worker delivers to one receiver. Its goroutine is run; what mu of the outbox guards
// says so.
type worker struct {
	outbox *Outbox
	to     notify.Receiver
	saved  *cursor

	cursor                         uint64 // guarded by mu: the next notification to deliver
	sent, refused, retries, missed uint64 // guarded by mu

	file  disk.File // of the segment being read
	first uint64    // that segment
	scan  scanner

	refreshed time.Time
	failing   bool // the last attempt failed, and the log says so
	unsaved   bool // the cursor cannot be written, and the log says so
}

// run delivers until there is no more and Close was called.
func (w *worker) run() {
	w.refreshed = time.Now()
	for {
		r, ok := w.next()
		if !ok || !w.deliver(r) {
			return
		}
	}
}

// next waits for the next record, and refreshes meanwhile.
func (w *worker) next() (record, bool) {
	for attempt := 0; w.outbox.ctx.Err() == nil; {
		w.refresh()
		s, end, recorded, more := w.position()
		if end == 0 {
			if !more || !w.wait(recorded) {
				return record{}, false
			}
			continue
		}
		r, err := w.read(s, end)
		switch {
		case err == nil:
			return r, true
		case err == io.EOF:
			w.skipTo(s.next, "outbox is damaged; what could not be read is lost")
		default:
			if attempt++; attempt == 1 {
				w.outbox.cfg.Log.Error().Err(err).Str("receiver", w.to.Name()).Msg("outbox cannot be read; trying again")
			}
			if !w.outbox.pause(attempt, 0) {
				return record{}, false
			}
		}
	}
	return record{}, false
}

// position returns the segment where the cursor is and where its records end, 0 when
// the receiver has everything; then recorded tells of more, unless there will be none.
func (w *worker) position() (s segment, end int64, recorded <-chan struct{}, more bool) {
	o := w.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.cursor < o.next {
		for _, s := range o.segments {
			if w.cursor < s.next {
				return s, s.size, nil, true
			}
		}
	}
	return segment{}, 0, o.recorded, !o.written
}

// wait returns false when the outbox was closed and is not about to record more.
func (w *worker) wait(recorded <-chan struct{}) bool {
	var due <-chan time.Time
	if r, ok := w.to.(notify.Refresher); ok {
		timer := time.NewTimer(time.Until(w.refreshed.Add(r.Interval())))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-recorded:
	case <-due:
	case <-w.outbox.ctx.Done():
		return false
	}
	return true
}

// read returns the first record of a segment that is not behind the cursor.
func (w *worker) read(s segment, end int64) (record, error) {
	if w.file == nil || w.first != s.first {
		if err := w.closeFile(); err != nil {
			return record{}, err
		}
		file, err := w.outbox.cfg.FS.OpenFile(s.path, os.O_RDONLY, 0)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				err = io.EOF // dropped meanwhile, or removed by a stranger
			}
			return record{}, err
		}
		w.file, w.first, w.scan = file, s.first, scanner{r: file, at: int64(len(magic)), least: s.first}
	}
	for {
		r, err := w.scan.next(end)
		if err != nil {
			return record{}, err
		}
		w.skipTo(r.sequence, "outbox is damaged; what could not be read is lost")
		if keep := w.rest(&r); keep {
			return r, nil
		}
	}
}

// rest cuts off what is behind the cursor.
func (w *worker) rest(r *record) bool {
	w.outbox.mu.Lock()
	defer w.outbox.mu.Unlock()
	if r.end() <= w.cursor {
		return false
	}
	if w.cursor > r.sequence {
		r.batch = r.batch[w.cursor-r.sequence:]
		r.sequence = w.cursor
	}
	return true
}

// deliver tries until the receiver has the record or refuses it; it returns false when
// Close was called meanwhile.
func (w *worker) deliver(r record) bool {
	for attempt := 0; ; attempt++ {
		err := w.to.Deliver(w.outbox.ctx, batchOf(r.batch))
		switch {
		case err == nil:
			w.noteSuccess()
			w.done(r, &w.sent)
			return true
		case errors.Is(err, notify.ErrRefused) && len(r.batch) > 1:
			return w.deliverEach(r) // one of them may be what it refuses
		case errors.Is(err, notify.ErrRefused):
			w.outbox.cfg.Log.Error().Err(err).Str("receiver", w.to.Name()).Str("key", r.batch[0].Key).Msg("notification was refused; it is given up")
			w.done(r, &w.refused)
			return true
		}
		w.noteFailure(err)
		var retry *notify.RetryError
		var after time.Duration
		if errors.As(err, &retry) {
			after = retry.After
		}
		if !w.outbox.pause(attempt, after) {
			return false
		}
	}
}

func (w *worker) deliverEach(r record) bool {
	for i := range r.batch {
		if !w.deliver(record{r.sequence + uint64(i), r.batch[i : i+1]}) {
			return false
		}
	}
	return true
}

// batchOf names a batch by its notifications, so that it has the same key each time.
func batchOf(notifications []alerting.Notification) notify.Batch {
	b := notify.Batch{Key: notifications[0].Key, Notifications: notifications}
	if len(notifications) > 1 {
		h := sha256.New()
		for _, n := range notifications {
			h.Write([]byte(n.Key + "\n"))
		}
		b.Key = hex.EncodeToString(h.Sum(nil)[:16])
	}
	return b
}

// noteFailure counts a failed attempt, and logs when a receiver begins to fail.
func (w *worker) noteFailure(err error) {
	w.outbox.mu.Lock()
	w.retries++
	w.outbox.mu.Unlock()
	if !w.failing {
		w.failing = true
		w.outbox.cfg.Log.Error().Err(err).Str("receiver", w.to.Name()).Msg("delivery failed; trying again until it succeeds")
	}
}

func (w *worker) noteSuccess() {
	if w.failing {
		w.failing = false
		w.outbox.cfg.Log.Info().Str("receiver", w.to.Name()).Msg("delivery works again")
	}
}

// done moves the cursor behind a record.
func (w *worker) done(r record, count *uint64) {
	o := w.outbox
	o.mu.Lock()
	*count += uint64(len(r.batch))
	if w.cursor > r.sequence { // dropped while it was under way, and not missed after all
		w.missed -= min(w.cursor, r.end()) - r.sequence
	}
	w.cursor = max(w.cursor, r.end())
	next := w.cursor
	passed := len(o.segments) > 1 && o.segments[0].next <= next
	o.mu.Unlock()
	if err := w.saved.save(next); err != nil && !w.unsaved {
		w.unsaved = true
		o.cfg.Log.Warn().Err(err).Str("receiver", w.to.Name()).Msg("cursor cannot be written; after a crash deliveries are repeated")
	} else if err == nil {
		w.unsaved = false
	}
	if passed {
		o.sweep()
	}
}

func (w *worker) skipTo(next uint64, why string) {
	w.outbox.mu.Lock()
	defer w.outbox.mu.Unlock()
	w.skip(next, why)
}

// skip moves the cursor over notifications that cannot be delivered. It is called with
// mu held.
func (w *worker) skip(next uint64, why string) {
	if w.cursor >= next {
		return
	}
	missed := next - w.cursor
	w.missed += missed
	w.cursor = next
	w.outbox.cfg.Log.Error().Str("receiver", w.to.Name()).Uint64("notifications", missed).Msg(why)
}

func (w *worker) close() error { return errors.Join(w.saved.close(), w.closeFile()) }

func (w *worker) closeFile() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	return file.Close()
}
