package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"phase0/server/disk"
)

// checkpointEvery is the time between two checkpoints, as long as the log has room and
// little is beyond the cursor. It spreads the cost of the file's sync.
const checkpointEvery = time.Second

// CheckpointSamples and checkpointBytes bound what is in the storage file beyond the cursor,
// to two batches, also when crashes follow each other so closely that none reaches its first
// checkpoint. All of it is formatted, compared and written once more at the next start: 0.2
// to 0.4 µs for a sample of a short line. So a start after kill -9 takes what reading the log
// does, and about half a second.
const (
	CheckpointSamples = 1 << 20
	checkpointBytes   = 128 << 20 // lines of names and labels that are long
)

// Due implements queue.Durable.
func (q *Queue) Due() bool {
	switch beyond := q.acked - q.cursor.last.next; {
	case beyond == 0:
		return false
	case beyond >= q.cfg.checkpointSamples, q.beyondBytes >= q.cfg.checkpointBytes:
		return true
	default:
		return time.Since(q.lastMark) >= checkpointEvery || q.log.held.Load() > q.cfg.Bytes/2
	}
}

// Checkpoint implements queue.Durable.
func (q *Queue) Checkpoint(mark disk.Mark) error {
	if err := q.left.sync(); err != nil {
		return fmt.Errorf("sync storage file: %w", err)
	}
	q.lastMark, q.beyondBytes = time.Now(), 0
	if err := q.cursor.write(cursor{next: q.acked, mark: mark}); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropConsumed(q.acked)
	return nil
}

// dropConsumed removes the segments whose samples are all before next, which a later
// segment's header tells; one that is damaged it sets aside. A removal that fails is tried
// again the next time, and one that a crash undoes does no harm.
func (q *Queue) dropConsumed(next uint64) {
	for len(q.segments) > 1 && consumed(q.segments[1:], next) {
		s := q.segments[0]
		if err := q.drop(s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			q.cfg.Log.Warn().Err(err).Msg("consumed segment of the log cannot be removed")
			return
		}
		q.log.held.Add(-s.size)
		q.segments = q.segments[1:]
	}
}

func (q *Queue) drop(s segment) error {
	if s.damaged {
		return q.setAside(s)
	}
	return q.cfg.FS.Remove(segmentPath(q.dir, s.number))
}

func consumed(later []segment, next uint64) bool {
	for _, s := range later {
		if s.known {
			return s.first <= next
		}
	}
	return false
}
