package wal

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"phase0/server/disk"
	"phase0/server/queue"
)

// segments are at most this long, unless a group does not fit.
const segmentBytes = 16 << 20

// log is the end of the log that is written. Its methods belong to whoever has the
// queue's turn, except for the counters.
type log struct {
	fsys    disk.FS
	dir     string
	policy  Policy
	most    int64 // bytes of all segments
	segment int64 // bytes of one

	file   disk.File // nil when there is no segment to write to
	number uint64    // of the last segment, whether it worked or not
	at     int64     // where the next record goes
	synced int64     // everything before it is on the disk
	size   int64

	held      atomic.Int64 // bytes of all segments
	syncs     atomic.Uint64
	syncNanos atomic.Int64
}

// write appends the records of a group, whose first sample has that number, and syncs them
// if that is the policy. After an error the segment is given up and nothing of the group
// counts. Opened tells of the segment that was begun for it, if any.
func (l *log) write(group []byte, first uint64) (opened *segment, err error) {
	if l.file == nil || l.at+int64(len(group)) > l.size {
		if opened, err = l.open(first, int64(len(group))); err != nil {
			return nil, err
		}
	}
	for rest := group; len(rest) > 0; {
		rest = sealRecord(rest, l.number, l.synced)
	}
	if _, err = l.file.WriteAt(group, l.at); err == nil {
		l.at += int64(len(group))
		if l.policy.always() {
			err = l.sync()
		}
		if err == nil {
			return opened, nil
		}
		l.at -= int64(len(group))
	}
	l.abandon()
	return opened, fmt.Errorf("write log: %w", err)
}

// sync brings what was written to the disk. Its failure is final for the segment: what
// the kernel has dropped a second one does not bring back.
func (l *log) sync() error {
	if l.synced == l.at {
		return nil
	}
	if err := l.timedSync(l.file); err != nil {
		return err
	}
	l.synced = l.at
	return nil
}

func (l *log) timedSync(f disk.File) error {
	begin := time.Now()
	err := f.Sync()
	l.syncs.Add(1)
	l.syncNanos.Add(int64(time.Since(begin)))
	return err
}

// open begins a segment with room for a group. The one before is complete on the disk by
// then, since the new one's header says so.
func (l *log) open(first uint64, room int64) (*segment, error) {
	size := max(l.segment, segmentHeaderBytes+room)
	if l.held.Load()+size > l.most {
		return nil, queue.ErrFull
	}
	if l.file != nil {
		if err := l.seal(); err != nil {
			l.abandon()
			return nil, fmt.Errorf("complete segment %d of the log: %w", l.number, err)
		}
	}
	l.number++ // a number is tried once: what an attempt left behind is not overwritten
	f, err := l.create(segmentHeader{number: l.number, first: first}, size)
	if err != nil {
		_ = l.fsys.Remove(segmentPath(l.dir, l.number)) // an empty segment does no harm
		return nil, fmt.Errorf("begin segment %d of the log: %w", l.number, err)
	}
	l.file, l.at, l.synced, l.size = f, segmentHeaderBytes, segmentHeaderBytes, size
	l.held.Add(size)
	return &segment{number: l.number, size: size, first: first, known: true}, nil
}

func (l *log) create(h segmentHeader, size int64) (disk.File, error) {
	f, err := l.fsys.OpenFile(segmentPath(l.dir, h.number), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	if err := l.fill(f, h, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (l *log) fill(f disk.File, h segmentHeader, size int64) error {
	if err := f.Allocate(size); err != nil {
		return err
	}
	if _, err := f.WriteAt(h.appendTo(nil), 0); err != nil {
		return err
	}
	if err := l.timedSync(f); err != nil {
		return err
	}
	return l.fsys.SyncDir(l.dir)
}

// seal ends a segment that was written to its end.
func (l *log) seal() error {
	if !l.policy.None {
		if err := l.sync(); err != nil {
			return err
		}
	}
	f := l.file
	l.file = nil
	return f.Close()
}

// abandon gives a segment up after an error. What was written in vain is cut off if that
// still works; if not, the next segment's header says that it does not count.
func (l *log) abandon() {
	if l.file == nil {
		return
	}
	if l.file.Truncate(l.at) == nil {
		_ = l.file.Sync()
	}
	_ = l.file.Close()
	l.file = nil
}
