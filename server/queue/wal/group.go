package wal

import (
	"sync"

	"phase0/server/queue/bounded"
	"phase0/server/sample"
)

// keepGroupBytes is the largest buffer that is used again.
const keepGroupBytes = 4 << 20

// group is the pushes that share one write and one sync. The queue's mutex guards it, but
// for the records while they are written.
type group struct {
	queue   *Queue
	settled sync.Cond
	records []byte
	held    []bounded.Held
	samples int
	first   uint64 // sequence number of the first sample
	waiting int    // pushes that have not returned
	done    bool
	err     error
}

// add appends a push.
func (g *group) add(e *encoder, first uint64, samples []sample.Sample, held bounded.Held) {
	if len(g.held) == 0 {
		g.first = first
	}
	g.records = e.appendRecord(g.records, first, samples)
	g.held = append(g.held, held)
	g.samples += len(samples)
	g.waiting++
}

// settle ends the wait of its pushes.
func (g *group) settle(err error) {
	g.done, g.err = true, err
	g.held = g.held[:0]
	g.settled.Broadcast()
}

// spare returns an empty group.
func (q *Queue) spare() *group {
	if n := len(q.spares); n > 0 {
		g := q.spares[n-1]
		q.spares = q.spares[:n-1]
		return g
	}
	g := &group{queue: q}
	g.settled.L = &q.mu
	return g
}

// leave is called by each push of a settled group; after the last one it is used again.
func (q *Queue) leave(g *group) {
	if g.waiting--; g.waiting > 0 {
		return
	}
	if cap(g.records) > keepGroupBytes {
		g.records = nil
	}
	g.records, g.samples, g.done, g.err = g.records[:0], 0, false, nil
	q.spares = append(q.spares, g)
}
