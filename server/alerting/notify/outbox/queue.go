package outbox

import (
	"time"

	"phase0/server/alerting"
)

// Why a notification never reached the disk.
const (
	diskFails = "disk_fails"
	diskHangs = "disk_hangs"
	unfit     = "unfit" // such as larger than a record may be
	ended     = "ended"
)

var reasons = map[string]string{
	diskFails: "outbox cannot be written; notifications are dropped and counted",
	diskHangs: "outbox waits for a disk that does not answer; notifications are dropped and counted",
	unfit:     "notification cannot be recorded; it is dropped and counted",
	ended:     "notifications came after the end; they are dropped and counted",
}

// queue is what is to be written, and what is being written. The outbox's mu guards it.
type queue struct {
	waiting []alerting.Notification
	count   int       // of both
	bytes   int64     // of both, about
	moved   time.Time // something was written last, or the first of them came
	failed  error     // of the last write
}

// add takes as many as there is room for and returns the others. One is taken at least when
// there is nothing, however large it is.
func (q *queue) add(all []alerting.Notification, l limits) []alerting.Notification {
	if q.count == 0 {
		q.moved = time.Now()
	}
	n := 0
	for ; n < len(all) && q.count < l.queue; n++ {
		size := weight(&all[n])
		if q.count > 0 && q.bytes+size > l.queueBytes {
			break
		}
		q.count++
		q.bytes += size
	}
	q.waiting = append(q.waiting, all[:n]...)
	return all[n:]
}

// gone takes account of notifications that were written, or never will be.
func (q *queue) gone(batch []alerting.Notification) {
	q.count -= len(batch)
	for i := range batch {
		q.bytes -= weight(&batch[i])
	}
	q.moved = time.Now()
}

// weight is about what a notification takes in memory.
func weight(n *alerting.Notification) int64 {
	const fixed = 512 // the struct, and what maps have besides their text
	size := fixed + len(n.Key) + len(n.Alert.Rule) + len(n.Alert.Summary)
	for _, texts := range []map[string]string{n.Alert.Labels, n.Alert.Annotations} {
		for name, value := range texts {
			size += len(name) + len(value)
		}
	}
	return int64(size)
}

// Notify implements alerting.Notifier. It returns before anything is on disk. When the queue
// is full it waits for room as long as the disk takes something now and then: an evaluation
// that tells more than memory holds is slowed down, and tells all of it. After ten seconds
// in which nothing could be written it waits no more, and what there is no room for is lost.
func (o *Outbox) Notify(notifications []alerting.Notification) {
	o.telling.Lock()
	defer o.telling.Unlock()
	for len(notifications) > 0 {
		var written <-chan struct{}
		var patience time.Duration
		notifications, written, patience = o.push(notifications)
		if len(notifications) > 0 {
			o.await(written, patience)
		}
	}
}

// push queues what there is room for. For the rest, if any, the caller is to wait until
// something was written.
func (o *Outbox) push(all []alerting.Notification) (rest []alerting.Notification, written <-chan struct{}, patience time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		o.lose(len(all), ended, nil)
		return nil, nil, 0
	}
	if rest = o.queue.add(all, o.limits); len(rest) < len(all) {
		select {
		case o.arrived <- struct{}{}:
		default:
		}
	}
	patience = o.limits.patience - time.Since(o.queue.moved)
	if len(rest) > 0 && patience <= 0 {
		o.lose(len(rest), o.queue.trouble(), o.queue.failed)
		return nil, nil, 0
	}
	return rest, o.recorded, patience
}

// trouble is the reason why nothing is written.
func (q *queue) trouble() string {
	if q.failed != nil {
		return diskFails
	}
	return diskHangs
}

func (o *Outbox) await(written <-chan struct{}, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-written:
	case <-timer.C:
	case <-o.closing:
	}
}

// lose counts notifications that never reach the disk, and says so once until the disk works
// again. It is called with mu held.
func (o *Outbox) lose(n int, reason string, cause error) {
	o.lost[reason] += uint64(n)
	if !o.said[reason] {
		o.said[reason] = true
		o.cfg.Log.Error().Err(cause).Int("notifications", n).Str("reason", reason).Msg(reasons[reason])
	}
}
