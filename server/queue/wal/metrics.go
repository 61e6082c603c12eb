package wal

import "time"

// Counters are what a queue has counted since it was opened.
type Counters struct {
	Syncs     uint64
	SyncTime  time.Duration
	LogBytes  int64 // of all segments
	Recovered Recovery
	Aside     Aside
}

// Counters returns them as they are now.
func (q *Queue) Counters() Counters {
	q.mu.Lock()
	aside := sumOf(q.aside)
	q.mu.Unlock()
	return Counters{
		Aside: aside,
		Syncs: q.log.syncs.Load(), SyncTime: time.Duration(q.log.syncNanos.Load()),
		LogBytes: q.log.held.Load(), Recovered: q.found,
	}
}

// DamageErr returns what of the log could not be read when it was opened, nil when
// everything could. New samples are as safe as ever.
func (q *Queue) DamageErr() error {
	if d := q.found.Damage; d.Corrupt > 0 || d.Lost > 0 {
		return damageError(d)
	}
	return nil
}
