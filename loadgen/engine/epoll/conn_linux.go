package epoll

import "phase0/loadgen/record"

// state is what a connection does.
type state uint8

const (
	dialing state = iota
	idle
	busy    // with one request, whose answer is awaited
	closing // after its last answer: the server may close first
)

// conn is a connection with at most one request in flight. It is used again, with
// its buffers, when it has ended.
type conn struct {
	fd         int
	slot       int32 // its place in loop.conns
	generation int32 // tells events of this use from those of an earlier one
	state      state
	watched    bool // by the poller

	request []byte // the request's bytes, patched for each
	pending []byte // what of them is not written yet
	broken  bool   // writing failed
	answer  answer
	flight  record.Flight
	ready   int64 // since when it could carry a request, ns; while dialling since when it is

	// Its place in one of the loop's lists.
	since      int64
	prev, next *conn
}

// list holds connections in the order in which they were added, which is that of
// their deadlines.
type list struct {
	first, final *conn
	n            int
}

func (l *list) add(c *conn, now int64) {
	c.since, c.prev, c.next = now, l.final, nil
	if l.final == nil {
		l.first = c
	} else {
		l.final.next = c
	}
	l.final = c
	l.n++
}

func (l *list) remove(c *conn) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.final = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}

// deadline is when the first of the list has waited for a limit, or far away.
func (l *list) deadline(limit int64) int64 {
	if l.first == nil {
		return never
	}
	return l.first.since + limit
}

// overdue returns the first connection if it has waited for longer than a limit.
func (l *list) overdue(now, limit int64) *conn {
	if l.first == nil || now-l.first.since <= limit {
		return nil
	}
	return l.first
}
