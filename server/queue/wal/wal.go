// Package wal is a durable queue: a log in segment files (FORMAT.md) under a bounded queue
// in memory. A push is written to the log, and synced, before it is answered and before
// the consumer sees it. All pushes that wait share one write and one sync: the first of
// them to find nobody writing lets the others come along who are ready to, for a moment, and
// does it for all of them, while those who come meanwhile gather for the next. A push alone
// is a group of one.
//
// After a restart Pop first gives out what the log holds and the storage file does not.
// The cursor tells how far the file is; it moves at checkpoints, when the file was synced.
// What the file holds beyond the cursor is compared with the log, so that nothing is
// stored twice. Segments are removed when the cursor is past them; those that were damaged
// are set aside instead, for whoever wants to know why.
//
// A write or sync that fails is final for its segment: the pushes are refused, and so are
// all others until a new segment could be begun, which is tried once a second.
//
// The consumer's methods are Pop, Ack, Due and Checkpoint; everything else is safe for
// concurrent use. One process may use a directory; the lock of the storage file sees to it.
package wal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
)

// MinSegments is how many segments Config.Bytes has room for at least.
const MinSegments = 8

// MinBytes is the least that Config.Bytes may be with segments of the usual size.
const MinBytes = MinSegments * segmentBytes

// retryAfter is how long after a failure a new segment is tried.
const retryAfter = time.Second

// gatherAtMost bounds how long a group waits for those who are ready to come along. With one
// core the answers to 32 pushes take as long.
const gatherAtMost = 200 * time.Microsecond

// Config is what a queue needs.
type Config struct {
	FS    disk.FS
	Data  string        // path of the storage file
	Limit bounded.Limit // of what is in memory
	Bytes int64         // of all segments, at least MinBytes
	// SegmentBytes is the size of a segment; 0 is 16 MiB. Bytes are at least MinSegments of them.
	SegmentBytes int64
	Sync         Policy
	Progress     Progress // of Open
	Log          zerolog.Logger

	// So many are beyond the cursor when a checkpoint is due; 0 are the constants.
	checkpointSamples uint64
	checkpointBytes   int64
}

// Dir returns the directory of the log that belongs to a storage file.
func Dir(data string) string { return data + ".wal" }

// Queue implements queue.Durable. Create it with Open.
type Queue struct {
	cfg    Config
	dir    string
	mem    *bounded.Queue // what is committed and not acknowledged
	replay replay
	found  Recovery

	mu        sync.Mutex
	free      sync.Cond // the turn is free
	writing   bool      // somebody has the turn: only they touch log
	wanted    int       // so many wait for it who do not push
	log       log
	gathering *group
	encoder   encoder // of what gathers
	spares    []*group
	next      uint64 // sequence number of the next sample that is pushed
	segments  []segment
	others    *others
	aside     []asideSegment // oldest first
	timer     *time.Timer
	armed     bool
	closed    bool
	released  bool
	broken    atomic.Pointer[error]

	popped   int    // samples of the last Pop
	memory   uint64 // sequence number of the first sample in memory
	acked    uint64 // sequence number behind the last acknowledged sample
	cursor   cursorFile
	left     leftover
	lastMark time.Time // or when a slow disk is done with what is left
	// beyondBytes are about those of the storage file's lines beyond the cursor.
	beyondBytes, poppedBytes int64
}

// Recovery says what Open found.
type Recovery struct {
	Damage
	Samples  uint64 // that are given out again
	Behind   uint64 // lines that the storage file has behind the log's end, and that are kept
	Segments int
	Bytes    int64 // of the segments
	Cut      int64 // bytes at the end of the storage file that a crash left and that were cut off
	Took     time.Duration
}

// Push implements queue.Queue. It returns when the samples are as safe as the policy says.
func (q *Queue) Push(_ context.Context, samples []sample.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	g, err := q.Begin(samples)
	if err != nil {
		return err
	}
	return g.Wait()
}

// Begin implements queue.Early: the samples belong to the group that gathers.
func (q *Queue) Begin(samples []sample.Sample) (queue.Pending, error) {
	held, err := q.mem.Hold(samples)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.refusal(); err != nil {
		q.mem.Drop(held)
		return nil, err
	}
	g := q.gathering
	g.add(&q.encoder, q.next, samples, held)
	q.next += uint64(len(samples))
	return g, nil
}

// Wait returns when the group is on the disk; the first who may see to it does.
func (g *group) Wait() error {
	q := g.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for !g.done && (q.writing || q.wanted > 0) {
		g.settled.Wait()
	}
	if !g.done {
		q.writing = true
		q.gather(g)
		q.commit(g)
	}
	err := g.err
	q.leave(g)
	return err
}

// refusal says why nothing is taken at present.
func (q *Queue) refusal() error {
	if q.closed {
		return queue.ErrClosed
	}
	return q.Err()
}

// Err returns why the log cannot be written at present, nil when it can. It wraps
// queue.ErrUnavailable.
func (q *Queue) Err() error {
	if p := q.broken.Load(); p != nil {
		return *p
	}
	return nil
}

// commit writes the gathering group while others gather in the next. The caller has the turn.
func (q *Queue) commit(g *group) {
	q.gathering = q.spare()
	q.mu.Unlock()
	opened, err := q.log.write(g.records, g.first)
	q.mu.Lock()
	if opened != nil {
		q.segments = append(q.segments, *opened)
	}
	if err != nil {
		q.fail(g, err)
	} else {
		for _, h := range g.held {
			// Close waits for groups that gather.
			_ = q.mem.Put(h)
		}
		g.settle(nil)
		q.arm(q.cfg.Sync.Interval)
	}
	q.pass()
}

// gather lets others come along, as long as there are some who are ready to. A sync costs as
// much as some requests; if it began at once, those whose requests wait to be read would each
// need the next one. Who is alone waits for nobody.
func (q *Queue) gather(g *group) {
	end := time.Now().Add(gatherAtMost)
	for before := 0; len(g.held) > before && time.Now().Before(end); {
		before = len(g.held)
		q.mu.Unlock()
		q.others.goFirst()
		q.mu.Lock()
	}
}

// fail refuses a group and the one that gathers, whose numbers follow.
func (q *Queue) fail(g *group, err error) {
	if !errors.Is(err, queue.ErrFull) {
		err = fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
		q.breakOff(err)
	}
	q.next = g.first
	for _, failed := range []*group{g, q.gathering} {
		for _, h := range failed.held {
			q.mem.Drop(h)
		}
	}
	if len(q.gathering.held) > 0 {
		q.gathering.settle(err)
		q.gathering = q.spare()
	}
	g.settle(err)
}

// breakOff refuses pushes until the timer has mended the log.
func (q *Queue) breakOff(err error) {
	if q.broken.Swap(&err) == nil {
		q.cfg.Log.Error().Err(err).Msg("log failed; new samples are refused until a new segment can be begun")
	}
	q.arm(retryAfter)
}

// pass gives the turn on: to who waits for it, or else to one of those who gather.
func (q *Queue) pass() {
	q.writing = false
	switch {
	case q.wanted > 0:
		q.free.Signal()
	case len(q.gathering.held) > 0:
		q.gathering.settled.Signal()
	}
}

// take waits for the turn, before those who push.
func (q *Queue) take() {
	q.wanted++
	for q.writing {
		q.free.Wait()
	}
	q.wanted--
	q.writing = true
}

// arm makes the timer fire once, d from now; 0 never.
func (q *Queue) arm(d time.Duration) {
	if d == 0 || q.armed || q.released {
		return
	}
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(d, q.tick)
	} else {
		q.timer.Reset(d)
	}
}

// tick syncs what the interval has left, or mends a broken log.
func (q *Queue) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.armed = false
	if q.released {
		return
	}
	q.take()
	broken := q.Err() != nil
	next := q.next
	if len(q.gathering.held) > 0 {
		next = q.gathering.first
	}
	q.mu.Unlock()
	var opened *segment
	var err error
	if broken {
		opened, err = q.log.open(next, 0)
	} else if q.log.file != nil {
		if err = q.log.sync(); err != nil {
			q.log.abandon()
		}
	}
	q.mu.Lock()
	if opened != nil {
		q.segments = append(q.segments, *opened)
	}
	switch {
	case err != nil:
		q.breakOff(fmt.Errorf("%w: %w", queue.ErrUnavailable, err))
	case broken:
		q.broken.Store(nil)
		q.cfg.Log.Info().Msg("log works again")
	}
	q.pass()
}

// Pop implements queue.Queue. While the log cannot be read it tries again and again.
func (q *Queue) Pop(ctx context.Context, want queue.Want) ([]sample.Sample, error) {
	samples, size, err := q.replay.pop(ctx, want)
	for ; err != nil && ctx.Err() == nil; samples, size, err = q.replay.pop(ctx, want) {
		q.cfg.Log.Error().Err(err).Msg("log cannot be read")
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
	if err == nil && samples == nil {
		if samples, err = q.mem.Pop(ctx, want); err == nil {
			size = q.mem.PoppedSize()
		}
	}
	q.popped, q.poppedBytes = len(samples), int64(size)
	return samples, err
}

// Ack implements queue.Queue.
func (q *Queue) Ack() {
	if q.replay.ack(q.popped) {
		q.acked = q.replay.acknowledged()
	} else {
		q.mem.Ack()
		q.memory += uint64(q.popped)
		q.acked = q.memory
	}
	q.beyondBytes += q.poppedBytes
	q.popped, q.poppedBytes = 0, 0
}

// Stats implements queue.Queue.
func (q *Queue) Stats() queue.Stats {
	s := q.mem.Stats()
	total, acked := q.replay.counts()
	s.Pushed += total
	s.Acked += acked
	s.Depth += int(total - acked)
	s.Peak = max(s.Peak, int(total))
	return s
}

// Close implements queue.Queue.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.take()
	if len(q.gathering.held) > 0 {
		q.commit(q.gathering)
	} else {
		q.pass()
	}
	q.mem.Close()
}

// Release syncs and closes the log, after the consumer's last call.
func (q *Queue) Release() error {
	q.Close()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.released {
		return nil
	}
	q.released = true
	if q.timer != nil {
		q.timer.Stop()
	}
	var err error
	if q.log.file != nil {
		err = q.log.seal()
	}
	return errors.Join(err, q.left.close(), q.cursor.close(), q.others.close())
}
