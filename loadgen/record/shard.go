package record

import (
	"sync"
	"time"
)

// Flight is a request on its way.
type Flight struct {
	Index    int64 // its number in the schedule, from 0
	Intended int64 // when it was due, ns since the start of the run
	Actual   int64 // when its first byte was written, ns since the start of the run
}

// Shard records what happens to requests. It is safe for concurrent use. Each
// scheduled request ends in exactly one call of NeverSent, or in one call of
// Sent and one of Answered, TimedOut, Failed or Open.
type Shard struct {
	mu      sync.Mutex
	witness Witness // may be nil
	books
}

// Witness learns, request by request, what became of those that were sent. It is
// called at most once for each, and concurrently.
type Witness interface {
	// Answered tells of a complete answer.
	Answered(index int64, status int)
	// Unclear tells of a request whose answer never came or was broken: the server
	// may have carried it out or not.
	Unclear(index int64)
}

// unclear tells the witness. The caller need not hold mu.
func (s *Shard) unclear(f Flight) {
	if s.witness != nil {
		s.witness.Unclear(f.Index)
	}
}

// Sent records that a request's first byte is about to be written.
func (s *Shard) Sent(f Flight) {
	s.mu.Lock()
	s.sent++
	s.lastSent = max(s.lastSent, f.Actual)
	s.timeline.at(f.Actual).sent++
	s.mu.Unlock()
}

// Lag records how late a request of the open model was sent, and how much of
// that it waited for a connection, in ns.
func (s *Shard) Lag(f Flight, wait int64) {
	lag := f.Actual - f.Intended
	wait = max(min(wait, lag), 0)
	s.mu.Lock()
	s.keep(s.lag, lag)
	s.keep(s.wait, wait)
	s.keep(s.lateness, lag-wait)
	s.mu.Unlock()
}

// Answered records a complete answer with a status from 100 to 599.
func (s *Shard) Answered(f Flight, completion int64, status int) {
	if s.witness != nil {
		s.witness.Answered(f.Index, status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[status]++
	if status < 200 || status > 299 {
		s.keep(s.otherResponse, completion-f.Intended)
		s.keep(s.otherService, completion-f.Actual)
		s.timeline.at(completion).rejected++
		return
	}
	s.keep(s.response, completion-f.Intended)
	s.keep(s.service, completion-f.Actual)
	s.lastAccepted = max(s.lastAccepted, completion)
	slice := s.timeline.at(completion)
	slice.accepted++
	// Values beyond the range are counted as overflow already.
	_ = slice.response.RecordValue(min(completion-f.Intended, s.highest))
}

// TimedOut records that a request was given up after the timeout.
func (s *Shard) TimedOut(f Flight, now int64) {
	s.unclear(f)
	s.mu.Lock()
	s.timedOut++
	s.censor(f, now)
	s.timeline.at(now).errors++
	s.mu.Unlock()
}

// Open records that a request was still without an answer when the run ended.
func (s *Shard) Open(f Flight, now int64) {
	s.unclear(f)
	s.mu.Lock()
	s.open++
	s.censor(f, now)
	s.mu.Unlock()
}

// Failed records that a request was sent and cannot be answered any more.
func (s *Shard) Failed(f Flight, now int64, k Kind) {
	s.unclear(f)
	s.mu.Lock()
	s.failed[k]++
	s.timeline.at(now).errors++
	s.mu.Unlock()
}

// NeverSent records that a request, due at intended, was given up unsent. One
// that only lacked time counts as censored in the response time.
func (s *Shard) NeverSent(intended, now int64, k Kind) {
	s.mu.Lock()
	s.neverSent[k]++
	if k == NoConnection || k == DialTimeout || k == Interrupted {
		s.keep(s.censoredResponse, now-intended)
	}
	s.timeline.at(now).errors++
	s.mu.Unlock()
}

func (s *Shard) progress(p *Progress, now int64, recent *slice) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	answered, accepted := s.answered(), s.accepted()
	failed, neverSent := sum(s.failed[:]), sum(s.neverSent[:])
	p.Sent += s.sent
	p.Accepted += accepted
	p.Rejected += answered - accepted
	p.Errors += s.timedOut + failed + neverSent
	p.Open += s.sent - answered - s.timedOut - failed - s.open
	if slice := s.timeline.before(now); slice != nil {
		recent.add(*slice)
	}
	return time.Duration(s.timeline.width)
}
