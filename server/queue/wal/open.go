package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
)

// Open finds out what the log holds that the storage file lacks, brings the end of the
// storage file in order, and begins a new segment. It runs before the storage file is
// opened for appending.
func Open(cfg Config) (*Queue, error) {
	begin := time.Now()
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = segmentBytes
	}
	if cfg.checkpointSamples == 0 {
		cfg.checkpointSamples = CheckpointSamples
	}
	if cfg.checkpointBytes == 0 {
		cfg.checkpointBytes = checkpointBytes
	}
	if least := MinSegments * cfg.SegmentBytes; cfg.Bytes < least {
		return nil, fmt.Errorf("log of %d bytes is too small; the least are %d", cfg.Bytes, least)
	}
	mem, err := bounded.New(cfg.Limit)
	if err != nil {
		return nil, err
	}
	q := &Queue{cfg: cfg, dir: Dir(cfg.Data), mem: mem, others: newOthers()}
	q.free.L = &q.mu
	q.gathering = q.spare()
	if err := q.recover(); err != nil {
		return nil, fmt.Errorf("open log: %w", errors.Join(err, q.left.close(), q.cursor.close(), q.others.close()))
	}
	q.lastMark = time.Now().Add(q.left.begin()) // a checkpoint would wait for it
	q.found.Took = time.Since(begin)
	return q, nil
}

func (q *Queue) recover() error {
	if err := makeDir(q.cfg.FS, q.dir); err != nil {
		return err
	}
	c, damaged, err := readCursor(q.cfg.FS, q.dir)
	if errors.Is(err, fs.ErrNotExist) {
		c, err = q.begin()
	}
	if err != nil {
		return err
	}
	if q.segments, err = listSegments(q.cfg.FS, q.dir); err != nil {
		return err
	}
	if q.aside, err = listAside(q.cfg.FS, q.dir); err != nil {
		return err
	}
	if q.cursor, err = openCursor(q.cfg.FS, q.dir, c); err != nil {
		return err
	}
	kept, err := q.reconcile(c)
	if err != nil {
		return err
	}
	end, err := q.survey(c, kept.next)
	if err != nil {
		return err
	}
	q.found.Truncated += int64(damaged * slotBytes) // a slot is torn when a crash interrupts its write
	q.found.Cut = kept.cut
	q.replay.next, q.replay.total = kept.next, q.found.Samples
	q.next, q.memory, q.acked = end, end, kept.next
	return q.openLog(end)
}

func makeDir(fsys disk.FS, dir string) error {
	if err := fsys.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent(dir))
}

// begin makes the cursor of a new log. What is in the storage file belongs to it; a line
// without an end gets one.
func (q *Queue) begin() (cursor, error) {
	if found, err := listSegments(q.cfg.FS, q.dir); err != nil || len(found) > 0 {
		return cursor{}, errors.Join(fmt.Errorf("%s has segments and no cursor; nobody knows what of them is stored", q.dir), err)
	}
	size, err := q.endLine()
	if err != nil {
		return cursor{}, err
	}
	mark, err := q.settle(0, size)
	if err != nil {
		return cursor{}, err
	}
	c := cursor{mark: mark}
	if err := createCursor(q.cfg.FS, q.dir, c); err != nil {
		return cursor{}, err
	}
	c, _, err = readCursor(q.cfg.FS, q.dir)
	return c, err
}

// endLine makes sure that the storage file exists and ends with a line, and returns its size.
func (q *Queue) endLine() (size int64, err error) {
	f, err := q.cfg.FS.OpenFile(q.cfg.Data, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return info.Size(), err
	}
	_, err = f.WriteAt([]byte{'\n'}, info.Size())
	return info.Size() + 1, err
}

// reconcile compares storage file and log from the cursor on. After a crash it is unknown
// whether what is kept of the file is on the disk, even if it can be read, so it is written
// once more, and the cursor moves when it was synced. As long as the log has it all, the next
// checkpoint may do that: until then the file is as one to which a process has just appended,
// more may be appended, and a start does not wait for the disk. Otherwise nothing is added to
// it before.
func (q *Queue) reconcile(c cursor) (reconciled, error) {
	f, err := q.cfg.FS.OpenFile(q.cfg.Data, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) && c.mark.Size == 0 {
		return reconciled{next: c.next}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return reconciled{}, gone(q.cfg.Data, c)
	}
	if err != nil {
		return reconciled{}, err
	}
	kept, err := reconcile(f, c, newReader(q.cfg.FS, q.dir, q.segments, c.next), q.cfg.Progress)
	if err := errors.Join(err, f.Close()); err != nil {
		return reconciled{}, fmt.Errorf("%s: %w", q.cfg.Data, err)
	}
	if kept.size == c.mark.Size && kept.cut == 0 {
		return kept, nil
	}
	if kept.ours {
		q.beyondBytes = kept.size - c.mark.Size
		q.left, err = q.rewrite(c.mark.Size, kept.size)
		return kept, err
	}
	mark, err := q.settle(c.mark.Size, kept.size)
	if err != nil {
		return reconciled{}, err
	}
	return kept, q.cursor.write(cursor{next: kept.next, mark: mark})
}

// rewrite makes the storage file size bytes long, and writes those from some offset on
// again, so that a sync by the same file, which is left open, brings them to the disk.
func (q *Queue) rewrite(from, size int64) (leftover, error) {
	f, err := q.cfg.FS.OpenFile(q.cfg.Data, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return leftover{}, err
	}
	if err := q.overwrite(f, from, size); err != nil {
		return leftover{}, errors.Join(err, f.Close())
	}
	return leftover{file: f, from: from, to: size}, nil
}

func (q *Queue) overwrite(f disk.File, from, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	for at := from; at < size; at += tellBytes {
		if err := q.cfg.Progress.told("rewrite", at-from, size-from); err != nil {
			return err
		}
		if err := disk.Rewrite(f, at, min(at+tellBytes, size)); err != nil {
			return err
		}
	}
	return nil
}

// settle does the same and makes the file durable.
func (q *Queue) settle(from, size int64) (disk.Mark, error) {
	left, err := q.rewrite(from, size)
	if err != nil {
		return disk.Mark{}, err
	}
	defer left.file.Close()
	if err := left.file.Sync(); err != nil {
		return disk.Mark{}, err
	}
	if err := q.cfg.FS.SyncDir(parent(q.cfg.Data)); err != nil {
		return disk.Mark{}, err
	}
	return disk.MarkOf(left.file, size)
}

// survey reads the whole log once, counts, and returns the number behind its last sample.
func (q *Queue) survey(c cursor, stored uint64) (end uint64, err error) {
	found, end, err := survey(newReader(q.cfg.FS, q.dir, q.segments, c.next), stored, q.cfg.Progress, tellRecords)
	q.found = found
	return end, err
}

// survey reads from the cursor on, as damage to what the file has since then is damage, too;
// the samples before the number stored are in the file and need neither be given out nor be
// missed. It tells progress each time it has gone over so many records.
func survey(r *reader, stored uint64, tell Progress, records int) (found Recovery, end uint64, err error) {
	lacking := func(from, to uint64) uint64 { return max(to, stored) - max(from, stored) }
	for {
		done, total := r.bytes()
		if err := tell.told("log", done, total); err != nil {
			return Recovery{}, 0, err
		}
		skimmed := r.expected
		r.skim(records)
		next := r.expected
		found.Samples += lacking(skimmed, next)
		rec, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			found.Corrupt, found.Truncated = r.damage.Corrupt, r.damage.Truncated
			found.Segments = len(r.segments)
			for _, s := range r.segments {
				found.Bytes += s.size
			}
			end = max(r.expected, stored)
			found.Behind = end - r.expected
			return found, end, nil
		case err != nil:
			return Recovery{}, 0, err
		case rec.payload == nil:
			found.Lost += lacking(rec.first, rec.end())
		default:
			found.Samples += lacking(max(rec.first, next), rec.end())
		}
	}
}

// openLog prepares for writing, in a segment of its own: what a crash left at the end of
// another one stays as it is.
func (q *Queue) openLog(next uint64) error {
	q.log.fsys, q.log.dir, q.log.policy, q.log.most, q.log.segment = q.cfg.FS, q.dir, q.cfg.Sync, q.cfg.Bytes, q.cfg.SegmentBytes
	for _, s := range q.segments {
		q.log.number = max(q.log.number, s.number)
		q.log.held.Add(s.size)
	}
	q.dropConsumed(q.cursor.last.next)
	if err := q.syncSegments(); err != nil {
		return err
	}
	q.replay.reader = newReader(q.cfg.FS, q.dir, q.segments, q.acked)
	opened, err := q.log.open(next, 0)
	if errors.Is(err, queue.ErrFull) {
		return nil // pushes are refused until the consumer has made room
	}
	if err != nil {
		return err
	}
	q.segments = append(q.segments, *opened)
	q.dropConsumed(q.cursor.last.next) // what is behind may not be on the disk
	return nil
}

// syncSegments brings what a killed process has written to the disk: it was promised to be
// there by now.
func (q *Queue) syncSegments() error {
	if q.cfg.Sync.None {
		return nil
	}
	for i, s := range q.segments {
		if err := q.cfg.Progress.told("sync", int64(i), int64(len(q.segments))); err != nil {
			return err
		}
		f, err := q.cfg.FS.OpenFile(segmentPath(q.dir, s.number), os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
