package fasthttp

import (
	"slices"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// absence is what the open model knows of a server that went away, if the plan
// lets requests wait for it. While it is away only one goroutine dials, so that
// the server is not hammered when it comes back. Guarded by mu.
type absence struct {
	away     bool
	awayKind record.Kind // of the last dial
	// returned are requests whose dial failed, in order: at most one for each
	// connection. They were due before all others that wait.
	returned []int64
	knocking bool // knock is at work
}

// putBack lets request i, whose dial failed, wait again, or gives it a connection
// that became idle meanwhile.
func (o *open) putBack(i int64, k record.Kind) {
	o.mu.Lock()
	if n := len(o.idle); n > 0 {
		c := o.idle[n-1]
		o.idle = o.idle[:n-1]
		t := o.load(c, i)
		t.wait = t.flight.Actual - t.flight.Intended
		o.mu.Unlock()
		o.write(c, t)
		return
	}
	o.unsettled--
	at, _ := slices.BinarySearch(o.returned, i)
	o.returned = slices.Insert(o.returned, at, i)
	o.away, o.awayKind = true, k
	first := !o.knocking
	o.knocking = true
	o.mu.Unlock()
	if first {
		o.workers.Go(o.knock)
	}
}

// knock dials every ReconnectPause until the server is back or nobody waits.
func (o *open) knock() {
	for {
		o.sleep(engine.ReconnectPause)
		i, ok := o.nextKnock()
		if !ok {
			return
		}
		o.dialSlowly(nil, i, o.due(i))
	}
}

// nextKnock gives up what waited for too long and returns the request to dial for,
// or false when there is no need to knock.
func (o *open) nextKnock() (i int64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		o.giveUpAway()
		i, ok = o.reserveNext()
	}
	if !ok {
		o.knocking = false
		o.notAway()
	}
	return i, ok
}

// notAway lets all requests dial again. When the run has stopped nobody does, and
// why requests were not sent is still to be told. The caller holds mu.
func (o *open) notAway() { o.away = o.away && o.stopped }

// giveUpAway gives up requests that have waited for longer than the timeout. The
// caller holds mu.
func (o *open) giveUpAway() {
	now := o.clock.Now()
	for o.waiting() && now-o.due(o.longest()) > int64(o.plan.Timeout) {
		o.rec.Shard(0).NeverSent(o.due(o.pop()), now, o.awayKind)
	}
	o.checkSettled()
}

// longest is the request that waits longest; there must be one. The caller holds
// mu.
func (o *open) longest() int64 {
	if len(o.returned) > 0 {
		return o.returned[0]
	}
	return o.head
}
