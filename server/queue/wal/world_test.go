package wal

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/consumer"
	"phase0/server/disk"
	"phase0/server/disk/faultfs"
	"phase0/server/queue/bounded"
	"phase0/server/sample"
	"phase0/server/storage"
	"phase0/server/storage/batched"
	"phase0/server/storage/jsonl"
)

const (
	root = "/d"
	data = root + "/m.jsonl"
)

// world is a platform without HTTP: log, consumer and storage on a disk that fails. One
// seed decides everything: goroutines take turns, and time is that of a synctest bubble.
type world struct {
	t      testing.TB
	rng    *rand.Rand
	fs     *faultfs.FS
	policy Policy

	sent  float64            // values below it were pushed
	acked map[float64]*acked // those that were answered
	lives []life
}

type acked struct {
	at   time.Time
	life int
}

// life is a process.
type life struct {
	ended time.Time
	power bool // what was not synced was lost at its end
}

func newWorld(t testing.TB, seed uint64, policy Policy) *world {
	return &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), fs: faultfs.New(root), policy: policy, acked: map[float64]*acked{}}
}

func (w *world) config() Config {
	return Config{
		FS: w.fs, Data: data, Limit: bounded.Limit{Samples: 20_000, Bytes: 64 << 20},
		Bytes: 64 << 10, SegmentBytes: 4 << 10, Sync: w.policy, Log: zerolog.Nop(),
	}
}

// process is one life under way.
type process struct {
	queue    *Queue
	store    storage.Store
	consumer *consumer.Consumer
	cancel   context.CancelFunc
	drained  chan error
}

// start fails as the platform does.
func (w *world) start() (*process, error) {
	q, err := Open(w.config())
	if err != nil {
		return nil, err
	}
	if w.policy.None == false && (q.found.Corrupt > 0 || q.found.Lost > 0) {
		w.t.Errorf("life %d: %+v; nothing was damaged", len(w.lives), q.found)
	}
	var store storage.Store
	if w.rng.IntN(2) == 0 {
		store, err = batched.New(w.fs, data)
	} else {
		store, err = jsonl.New(w.fs, data)
	}
	if err != nil {
		return nil, errors.Join(err, q.Release())
	}
	flush := []time.Duration{0, 2 * time.Millisecond, 300 * time.Millisecond}[w.rng.IntN(3)]
	p := &process{queue: q, store: store, drained: make(chan error, 1)}
	p.consumer = consumer.New(consumer.Config{Queue: q, Store: store, FlushInterval: flush, Log: zerolog.Nop()})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.drained <- p.consumer.Run(ctx) }()
	synctest.Wait()
	return p, nil
}

// kill ends the process's goroutines, whatever state they are in.
func (p *process) kill() {
	p.cancel()
	<-p.drained
	_ = p.queue.Release()
	_ = p.store.Close()
}

// drain ends it as SIGTERM does.
func (p *process) drain(t testing.TB) {
	p.queue.Close()
	if err := <-p.drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	p.cancel()
	if err := errors.Join(p.queue.Release(), p.store.Close()); err != nil {
		t.Errorf("release: %v", err)
	}
}

// push lets some producers push at once: they gather in one group while the turn is held.
func (w *world) push(p *process) {
	q := p.queue
	q.mu.Lock()
	q.take()
	q.mu.Unlock()
	var wg sync.WaitGroup
	for range 1 + w.rng.IntN(4) {
		batch := w.batch()
		wg.Go(func() { w.note(q, batch) })
		synctest.Wait()
	}
	q.mu.Lock()
	q.pass()
	q.mu.Unlock()
	wg.Wait()
	synctest.Wait()
}

// numbered is the sample of a number. A batch has some series more than once, in changing order,
// so that its record refers to what stands in it.
func numbered(i int) sample.Sample {
	of := [...]sample.Sample{
		{Name: "n"}, {Name: "n", Labels: `{"host":"a"}`}, {Name: "n", Labels: `{"host":"b","zone":"1"}`}, {Name: "m", Labels: `{"host":"a"}`},
	}[(i+i/5)%4]
	of.Value, of.Timestamp = float64(i), int64(i)
	return of
}

func (w *world) batch() []sample.Sample {
	batch := make([]sample.Sample, 1+w.rng.IntN(12))
	for i := range batch {
		batch[i] = numbered(int(w.sent))
		w.sent++
	}
	return batch
}

var ackedMu sync.Mutex

func (w *world) note(q *Queue, batch []sample.Sample) {
	if q.Push(context.Background(), batch) != nil {
		return
	}
	ackedMu.Lock()
	defer ackedMu.Unlock()
	for _, s := range batch {
		w.acked[s.Value] = &acked{at: time.Now(), life: len(w.lives)}
	}
}

// pause lets time pass: sometimes enough for a checkpoint.
func (w *world) pause() {
	d := time.Duration(w.rng.IntN(40)) * time.Millisecond
	if w.rng.IntN(4) == 0 {
		d += time.Second
	}
	time.Sleep(d)
	synctest.Wait()
}

// settle starts a last process on a disk without faults, drains, and judges.
func (w *world) settle() {
	w.fs.Inject(faultfs.Fault{})
	p, err := w.start()
	if err != nil {
		w.t.Fatalf("last start: %v", err)
	}
	p.drain(w.t)
	q, err := Open(w.config())
	if err != nil {
		w.t.Fatalf("start after a clean end: %v", err)
	}
	if q.found.Samples > 0 || q.found.Cut > 0 {
		w.t.Errorf("after a clean end %+v", q.found)
	}
	_ = q.Release()
	w.judge()
}

// judge compares what was answered with what is stored.
func (w *world) judge() {
	stored := map[float64]int{}
	decoder := sample.NewDecoder(sample.NewInterner())
	for line := range bytes.Lines(w.fs.Read(data)) {
		s, ok := decoder.ParseLine(line)
		if !ok {
			w.t.Errorf("line %q", line)
			continue
		}
		stored[s.Value]++
		if stored[s.Value] > 1 {
			w.t.Errorf("sample %v is stored twice", s.Value)
		}
		if s.Value >= w.sent || s != numbered(int(s.Value)) {
			w.t.Errorf("stored %+v, which nobody sent", s)
		}
	}
	for value, a := range w.acked {
		if stored[value] == 0 && !w.mayBeLost(*a) {
			w.t.Errorf("sample %v, answered in life %d, is lost; %s", value, a.life, w.policy)
		}
	}
}

// mayBeLost: the power failed before the sample was due on the disk, in its own process or
// in one that was started at once after that was killed.
func (w *world) mayBeLost(a acked) bool {
	for _, l := range w.lives[min(a.life, len(w.lives)):] {
		if l.power && (w.policy.None || w.policy.Interval > 0 && l.ended.Sub(a.at) <= w.policy.Interval) {
			return true
		}
	}
	return false
}

var _ disk.FS = (*faultfs.FS)(nil)
