package epoll

import (
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// The thread spends the last stretch before a request is due awake, which also
// warms the core up for it: so long, or this share of the time between two
// requests if that is less, so that it costs little at high rates.
const (
	maxSpin   = int64(60 * time.Microsecond)
	spinShare = 16
)

// A wake-up costs more than a request. Where requests are due closer together
// than bunchGap, the thread wakes up only when the first of them is late by a bound,
// and sends all that are due by then. The bound is the time of a few requests, within
// a range: the lower end is about what a wake-up is late by anyway.
const (
	bunchGap      = int64(80 * time.Microsecond)
	bunchRequests = 3
	minBunch      = int64(60 * time.Microsecond)
	maxBunch      = int64(120 * time.Microsecond)
	gapSpan       = 32 // requests over which the gap is looked at
)

// open runs the open model. Requests from head to tail are due and wait for a
// connection.
type open struct {
	*loop
	head, tail int64
	n          int64 // requests of the schedule
	nextDue    int64 // when request tail is due, never when there is none
	lastDue    int64 // when request tail-1 was

	gap       int64 // between requests, about
	gapKnown  int64 // the request from which the gap must be looked at again
	widest    int64 // the largest bound that was used
	redialAt  int64 // no dial before that; the server is away until then
	awayKind  record.Kind
	offering  bool  // tick is at work
	dialled   bool  // and has dialled
	offeredAt int64 // when the request that tick offers was, or notOffering
}

// notOffering: a connection became free by itself.
const notOffering = -1

func newOpen(l *loop) *open {
	// The gap of a single request is as wide as any.
	o := &open{loop: l, n: l.plan.Schedule.Len(), gap: int64(time.Second), offeredAt: notOffering}
	o.advance()
	return o
}

// advance looks up when request tail is due.
func (o *open) advance() {
	if o.tail >= o.n {
		o.nextDue = never
		return
	}
	o.nextDue = int64(o.plan.Schedule.Due(o.tail))
	if span := min(gapSpan, o.n-1-o.tail); span > 0 && o.tail >= o.gapKnown {
		o.gap = (int64(o.plan.Schedule.Due(o.tail+span)) - o.nextDue) / span
		o.gapKnown = o.tail + span
		if o.bunch() > 0 && !o.stamping {
			o.startStamping()
		}
	}
}

// bunch is by how much requests may be late so that several leave together.
func (o *open) bunch() int64 {
	if o.gap > bunchGap {
		return 0
	}
	return min(max(bunchRequests*o.gap, minBunch), maxBunch)
}

func (o *open) wakeAt() (at, spin int64) {
	if now := o.clock.Now(); o.wantsDial(now) {
		return now, 0
	}
	if o.nextDue == never {
		at = o.lastDue + o.timeout
	} else {
		bound := o.bunch()
		at = o.nextDue + bound
		o.widest = max(o.widest, bound)
		if bound == 0 {
			spin = min(maxSpin, o.gap/spinShare)
		}
	}
	if o.head < o.tail && o.redialAt > 0 && o.redialAt < at {
		return o.redialAt, 0
	}
	return at, spin
}

// patient implements model: while requests leave in bunches, answers are read when
// the next bunch leaves. The kernel has stamped them. A request that waits for a
// connection needs them at once.
func (o *open) patient() bool {
	return o.nextDue != never && o.bunch() > 0 && o.head == o.tail
}

// tick offers all requests that are due.
func (o *open) tick(now int64) {
	if o.offering {
		return // a dial failed at once; the tick that dialled goes on
	}
	o.offering, o.dialled = true, false
	for o.nextDue <= now {
		o.lastDue = o.nextDue
		o.tail++
		o.offer(now)
		o.advance()
		now = o.clock.Now()
	}
	o.giveUpAway(now)
	o.dialForWaiting(now)
	o.offering = false
}

// offer makes request tail-1 due: it is written on an idle connection, or on one
// that is dialled for it, or waits.
func (o *open) offer(now int64) {
	if n := len(o.loop.idle); n > 0 && o.head == o.tail-1 {
		c := o.loop.idle[n-1]
		o.loop.idle = o.loop.idle[:n-1]
		o.head++
		o.write(c, o.tail-1, o.lastDue, 0, now)
		return
	}
	o.offeredAt = now
	o.dialForWaiting(now)
	o.offeredAt = notOffering
}

// dialForWaiting dials if more requests wait than are being dialled for and there
// is a place. A dial takes as long as many requests: there is one in each turn of
// the loop, between which answers may free a connection and save the next.
func (o *open) dialForWaiting(now int64) {
	if !o.dialled && o.wantsDial(now) {
		o.dialled = true
		o.dial(now)
	}
}

func (o *open) wantsDial(now int64) bool {
	return o.tail-o.head > int64(o.dialing.n) && !o.full() && now >= o.redialAt
}

// free implements model: the request that waits longest is next.
func (o *open) free(c *conn, now int64) {
	o.redialAt = 0
	if o.head == o.tail {
		o.loop.idle = append(o.loop.idle, c)
		return
	}
	i := o.head
	o.head++
	intended := int64(o.plan.Schedule.Due(i))
	wait := now - intended
	if i == o.tail-1 && o.offeredAt != notOffering {
		wait = now - o.offeredAt // it was dialled for when it was offered
	}
	o.write(c, i, intended, wait, now)
}

// unreachable implements model: the request that waits longest is given up, or
// all wait for the server to come back.
func (o *open) unreachable(now int64, k record.Kind) {
	if o.plan.Reconnect && o.connected {
		o.redialAt, o.awayKind = now+int64(engine.ReconnectPause), k
		return
	}
	if o.head < o.tail {
		o.giveUp(now, k)
	}
	o.tick(now)
}

// giveUpAway gives up requests that waited too long for a server that is away.
func (o *open) giveUpAway(now int64) {
	for o.redialAt > 0 && o.head < o.tail && now-int64(o.plan.Schedule.Due(o.head)) > o.timeout {
		o.giveUp(now, o.awayKind)
	}
}

func (o *open) giveUp(now int64, k record.Kind) {
	o.shard.NeverSent(int64(o.plan.Schedule.Due(o.head)), now, k)
	o.head++
}

func (o *open) over(now int64) bool {
	if o.nextDue != never {
		return false
	}
	return o.head == o.tail && o.flying.n == 0 || now >= o.lastDue+o.timeout
}

func (o *open) finish(now int64) int64 {
	k := record.NoConnection
	if o.redialAt > 0 {
		k = o.awayKind
	}
	for dials := o.dialing.n; o.head < o.tail; dials-- {
		switch {
		case o.cancelled.Load():
			o.giveUp(now, record.Interrupted)
		case dials > 0:
			o.giveUp(now, record.DialTimeout)
		default:
			o.giveUp(now, k)
		}
	}
	return o.tail
}
