package outbox

import (
	"errors"
	"strings"

	"phase0/server/alerting"
)

// maxWrite bounds what is encoded and written at a time.
const maxWrite = 1 << 20

// write is the goroutine that records. It ends when Close was called and the queue is
// empty, or cannot be written.
func (o *Outbox) write() {
	defer o.noteWritten()
	for {
		select {
		case <-o.arrived:
			o.writeAll(o.take())
		case <-o.closing:
			o.writeAll(o.take()) // nothing comes after it
			return
		}
	}
}

func (o *Outbox) take() []alerting.Notification {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.queue.waiting
	o.queue.waiting = nil
	return taken
}

// noteWritten tells the workers that nothing more is coming.
func (o *Outbox) noteWritten() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written = true
	o.wake()
}

// wake is called with mu held.
func (o *Outbox) wake() {
	close(o.recorded)
	o.recorded = make(chan struct{})
}

// writeAll records notifications, many with one sync.
func (o *Outbox) writeAll(all []alerting.Notification) {
	for len(all) > 0 {
		next := o.next // only this goroutine changes it
		var content []byte
		var records []record
		for len(all) > 0 && int64(len(content)) < min(maxWrite, o.share()) {
			n := min(len(all), maxBatch)
			content, records, next = o.encode(content, records, next, all[:n])
			all = all[n:]
		}
		if len(records) > 0 && !o.commit(content, records) {
			o.giveUpQueue()
			return
		}
	}
}

// share is how large a segment may be.
func (o *Outbox) share() int64 { return o.cfg.MaxBytes / segmentsPerOutbox }

// giveUpQueue counts what could not be written before the end.
func (o *Outbox) giveUpQueue() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lose(o.queue.count, diskFails, o.queue.failed)
	o.queue = queue{}
}

// encode appends a batch as one record, or as two when it is too large for one.
func (o *Outbox) encode(content []byte, records []record, next uint64, batch []alerting.Notification) ([]byte, []record, uint64) {
	payload, err := encode(batch)
	switch half := len(batch) / 2; {
	case err == nil:
		r := record{next, batch}
		return appendRecord(content, next, payload), append(records, r), r.end()
	case half == 0:
		o.mu.Lock()
		o.queue.gone(batch)
		o.lose(1, unfit, err)
		o.wake()
		o.mu.Unlock()
		return content, records, next
	default:
		content, records, next = o.encode(content, records, next, batch[:half])
		return o.encode(content, records, next, batch[half:])
	}
}

// commit writes and syncs records until it succeeds, and shows them to the workers. It
// returns false when the disk fails still after Close was called.
func (o *Outbox) commit(content []byte, records []record) bool {
	for attempt := 0; ; attempt++ {
		err := o.makeRoom(int64(len(content)))
		if err == nil {
			err = o.log.append(content)
		}
		if err == nil {
			if o.publish(int64(len(content)), records) || attempt > 0 {
				o.cfg.Log.Info().Msg("outbox can be written again")
			}
			return true
		}
		o.noteFailure(err)
		if attempt == 0 {
			o.cfg.Log.Error().Err(err).Msg("outbox cannot be written; trying again")
		}
		if !o.pause(attempt, 0) {
			return false
		}
	}
}

func (o *Outbox) noteFailure(err error) {
	o.writeErrors.Add(1)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue.failed = err
}

// publish shows records that are on disk. It reports whether notifications were lost because
// they were not.
func (o *Outbox) publish(size int64, records []record) (recovered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range records {
		o.told.apply(r)
		o.next = r.end()
		o.queue.gone(r.batch)
	}
	o.queue.failed = nil
	recovered = o.said[diskFails] || o.said[diskHangs]
	o.said[diskFails], o.said[diskHangs] = false, false
	s := &o.segments[len(o.segments)-1]
	s.next = o.next
	s.size += size
	o.bytes += size
	o.wake()
	return recovered
}

// makeRoom sees to it that so many bytes can be appended within the limits.
func (o *Outbox) makeRoom(size int64) error {
	if o.log.file != nil && o.log.size > int64(len(magic)) && o.log.size+size > o.share() {
		if err := o.log.seal(); err != nil {
			o.cfg.Log.Warn().Err(err).Msg("outbox segment was not closed cleanly")
		}
	}
	if o.log.file == nil {
		if err := o.rotate(); err != nil {
			return err
		}
	}
	o.drop(size)
	return nil
}

// rotate begins a segment, remembers what was told so far, and removes segments that are
// no longer needed.
func (o *Outbox) rotate() error {
	s, err := o.log.begin(o.next)
	if err != nil {
		return err
	}
	o.mu.Lock()
	if last := len(o.segments) - 1; last >= 0 && o.segments[last].first == s.first {
		o.bytes -= o.segments[last].size // its first write failed, and s has its name
		o.segments = o.segments[:last]
	}
	o.segments = append(o.segments, s)
	o.bytes += s.size
	all := o.told.sorted()
	o.mu.Unlock()
	if err := o.remember(all); err != nil {
		// The segments say it as well; they are kept for as long.
		o.cfg.Log.Warn().Err(err).Msg("what was told could not be written down")
		return nil
	}
	o.sweep()
	return nil
}

// remember writes a snapshot of what was told, for which it makes room: for a moment there
// are two of them.
func (o *Outbox) remember(all []toldAlert) error {
	content, left, err := snapshot(all, o.cfg.MaxBytes/toldPart)
	if err != nil {
		return err
	}
	if left > 0 {
		o.cfg.Log.Warn().Int("alerts", left).Msg("what was told takes more than a quarter of the outbox; after a restart these are told again")
	}
	o.drop(int64(len(content)))
	err = saveTold(o.cfg.FS, o.cfg.Dir, content, o.next)
	size, sizeErr := toldBytes(o.cfg.FS, o.cfg.Dir) // as it is, whatever went wrong
	o.mu.Lock()
	defer o.mu.Unlock()
	if sizeErr == nil {
		o.bytes += size - o.snapshot
		o.snapshot = size
	}
	if err == nil {
		o.snapped = o.next
	}
	return errors.Join(err, sizeErr)
}

// sweep removes the segments that all receivers have.
func (o *Outbox) sweep() {
	o.mu.Lock()
	needed := o.snapped
	for _, w := range o.workers {
		needed = min(needed, w.cursor)
	}
	removed := o.cut(func(s segment) bool { return s.next <= needed })
	o.mu.Unlock()
	o.remove(removed)
}

// drop removes the oldest segments when size more bytes would be too many, and moves the
// cursors of the receivers that do not have them.
func (o *Outbox) drop(size int64) {
	o.mu.Lock()
	removed := o.cut(func(segment) bool { return o.bytes+size > o.cfg.MaxBytes })
	if len(removed) > 0 {
		for _, w := range o.workers {
			w.skip(o.segments[0].first, "outbox is full; the oldest notifications are dropped")
		}
	}
	o.mu.Unlock()
	o.remove(removed)
}

// cut takes segments off the front, never the last one. It is called with mu held.
func (o *Outbox) cut(unneeded func(segment) bool) (removed []segment) {
	for len(o.segments) > 1 && unneeded(o.segments[0]) {
		removed = append(removed, o.segments[0])
		o.bytes -= o.segments[0].size
		o.segments = o.segments[1:]
	}
	return removed
}

func (o *Outbox) remove(segments []segment) {
	for _, s := range segments {
		if err := o.cfg.FS.Remove(s.path); err != nil {
			o.cfg.Log.Warn().Err(err).Msg("outbox segment was not removed; the next start tries again")
		}
	}
}

// stale tells whether a file of the directory is one that only its owner keeps.
func stale(name string) bool {
	return strings.HasSuffix(name, cursorSuffix) || strings.HasSuffix(name, unfinished)
}
