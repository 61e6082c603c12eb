// Package record keeps the books of a run: what became of every request, and
// how long it took.
//
// An engine takes a Shard per connection or thread from a Recorder and tells it
// what happens. Afterwards Recorder.Fill adds up the shards into a Result, which
// is also the JSON form. A Recorder takes the same memory however long the run
// is, and recording does not allocate but for one time slice in a while.
//
// All times are nanoseconds since the start of the run on the monotonic clock.
// Durations are kept in HdrHistograms with three significant digits; what is
// longer than the range is counted at its end and as overflow.
package record

import "time"

// Limits of a recorder.
const (
	maxShards = 4
	minRange  = time.Second
	maxRange  = 24 * time.Hour
)

// Recorder collects what the engine's goroutines record. It is safe for
// concurrent use.
type Recorder struct {
	highest int64 // of the histograms, ns
	shards  []*Shard
}

// New returns a recorder for durations up to longest, which should be the
// planned duration plus the timeout. Concurrency is the number of threads that
// will record at the same time.
func New(longest time.Duration, concurrency int) *Recorder {
	highest := int64(min(max(longest, minRange), maxRange))
	r := &Recorder{highest: highest}
	for range min(max(concurrency, 1), maxShards) {
		r.shards = append(r.shards, &Shard{books: *newBooks(highest)})
	}
	return r
}

// Observe makes w the witness of all requests. It must be called before any is
// recorded.
func (r *Recorder) Observe(w Witness) {
	for _, s := range r.shards {
		s.witness = w
	}
}

// Shard returns the i-th shard, counted round. Different i spread the
// contention; the result is the same whichever is used.
func (r *Recorder) Shard(i int) *Shard { return r.shards[i%len(r.shards)] }

// Progress is a glance at a run that goes on.
type Progress struct {
	Sent, Accepted, Rejected, Errors int64
	Open                             int64 // in flight
	// Recent is the newest slice that has ended, or the zero value, and
	// RecentLength how long it was.
	Recent       Slice
	RecentLength time.Duration
}

// Progress sums up what was recorded until now, an offset from the start.
func (r *Recorder) Progress(now time.Duration) Progress {
	var p Progress
	recent := newSlice(r.highest)
	for _, s := range r.shards {
		p.RecentLength = s.progress(&p, int64(now), &recent)
	}
	p.Recent = recent.export()
	return p
}

// Fill adds up all shards and writes accounting, distributions and timeline
// into st. Scheduled is how many requests became due. The engine must be done.
func (r *Recorder) Fill(st *Stream, scheduled int64) error {
	sum := newBooks(r.highest)
	for _, s := range r.shards {
		sum.add(&s.books)
	}
	st.Accounting = sum.accounting(scheduled)
	var err error
	if st.Timeline, err = sum.timeline.export(); err != nil {
		return err
	}
	return sum.distributions(st)
}

// LastSent and LastAccepted are the offsets of the last actual start and of the
// last accepted answer, 0 when there was none.
func (r *Recorder) LastSent() time.Duration {
	return r.latest(func(b *books) int64 { return b.lastSent })
}

// LastAccepted is described at LastSent.
func (r *Recorder) LastAccepted() time.Duration {
	return r.latest(func(b *books) int64 { return b.lastAccepted })
}

func (r *Recorder) latest(of func(*books) int64) time.Duration {
	var last int64
	for _, s := range r.shards {
		s.mu.Lock()
		last = max(last, of(&s.books))
		s.mu.Unlock()
	}
	return time.Duration(last)
}
