package machine

import (
	"sync"
	"time"

	"phase0/loadgen/record"
)

// samplePeriod is how often the threads are looked at: a look costs some 100 µs.
// What a thread did between the last look and its end is not known.
const samplePeriod = 250 * time.Millisecond

// threadLimit bounds how many threads are told apart; Go programs have a dozen.
const threadLimit = 1024

// Threads watches how the threads of this process fare. Its methods may be
// called from one goroutine at a time.
type Threads struct {
	start   time.Time
	elapsed time.Duration // until Stop
	seen    map[int]*thread
	halt    chan struct{}
	watcher sync.WaitGroup
	once    sync.Once
}

// thread adds up the turns that a thread had since the start.
type thread struct {
	sum, last turns
	lived     time.Duration // from the start until it was last seen
}

// WatchThreads starts watching. The caller must call Stop.
func WatchThreads() *Threads {
	w := &Threads{start: time.Now(), seen: map[int]*thread{}, halt: make(chan struct{})}
	sampleThreads(func(id int, now turns) { w.seen[id] = &thread{last: now} })
	w.watcher.Go(w.watch)
	return w
}

// Stop ends watching. It may be called more than once.
func (w *Threads) Stop() {
	w.once.Do(func() {
		close(w.halt)
		w.watcher.Wait()
		w.look()
		w.elapsed = time.Since(w.start)
	})
}

// Fill stops watching and writes what was seen into g.
func (w *Threads) Fill(g *record.Generator) {
	w.Stop()
	busiest := &thread{}
	var waited time.Duration
	var turns int64
	for _, t := range w.seen {
		if t.sum.ran > busiest.sum.ran {
			busiest = t
		}
		waited += t.sum.waited
		turns += t.sum.count
	}
	// An engine's thread ends before the last look. One that ended much earlier
	// must not count as if it had gone on like that.
	lived := max(busiest.lived, w.elapsed/2)
	g.BusiestThreadShare = share(busiest.sum.ran, lived)
	g.BusiestThreadWaitShare = share(busiest.sum.waited, lived)
	g.RunQueueWaitShare = waited.Seconds() / max(w.elapsed, 1).Seconds()
	g.RunQueueWaitMeanNS = waited.Nanoseconds() / max(turns, 1)
}

func (w *Threads) watch() {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for {
		select {
		case <-w.halt:
			return
		case <-tick.C:
			w.look()
		}
	}
}

func (w *Threads) look() {
	at := time.Since(w.start)
	sampleThreads(func(id int, now turns) { w.note(id, now, at) })
}

// note takes in what a thread has had until now, at an offset from the start.
func (w *Threads) note(id int, now turns, at time.Duration) {
	t := w.seen[id]
	if t == nil {
		if len(w.seen) >= threadLimit {
			return
		}
		t = &thread{}
		w.seen[id] = t
	}
	since := t.last
	if now.ran < since.ran || now.waited < since.waited || now.count < since.count {
		since = turns{} // another thread has got the number of one that ended
	}
	t.sum.ran += now.ran - since.ran
	t.sum.waited += now.waited - since.waited
	t.sum.count += now.count - since.count
	t.last, t.lived = now, at
}
