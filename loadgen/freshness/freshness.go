// Package freshness measures how long after a sample was accepted it is visible
// to queries. Run sends probes beside a load: each posts one sample and, when its
// answer is read, asks for it again and again until it is found. What comes out
// is a lower and an upper bound for each; record.Freshness says what they mean.
//
// A probe has a connection of its own, which is dialled when the probe starts and
// closed when it ends, so that none is left idle in front of a server that serves
// one at a time. Neither samples nor queries are retried behind the books; a query
// that fails is followed by the next.
//
// Probes load the server, too: one that becomes visible after a second has asked
// about a hundred times. A sample that can be seen before its own answer has
// freshness 0.
package freshness

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"phase0/loadgen/record"
)

// prober makes the probes of a run. It is safe for concurrent use.
type prober struct {
	Config
	address string // host:port
	series  string
	book    *record.FreshnessBook
	// offset is how far the newest sample found shows the server's clock to be ahead
	// of ours, in ms; nil when that is not known.
	offset atomic.Pointer[int64]
}

// Run probes until the duration is over and all probes have ended, or until the
// context ends, which is not an error. It returns when all its goroutines and
// connections are gone. A server that is not there is not an error either: its
// probes are not accepted. The error is about the Config.
func Run(ctx context.Context, cfg Config) (record.Freshness, error) {
	p, err := newProber(cfg)
	if err != nil {
		return record.Freshness{}, err
	}
	p.run(ctx)
	res, err := p.book.Result()
	res.EverySeconds = p.Every.Seconds()
	res.TimeoutSeconds = p.Timeout.Seconds()
	return res, err
}

func (p *prober) run(ctx context.Context) {
	var outstanding sync.WaitGroup
	defer outstanding.Wait()
	slots := make(chan struct{}, p.Concurrent)
	grid := newGrid(p.Every, p.Seed)
	begin := time.Now()
	for number := int64(1); ; number++ {
		start := grid.start(number)
		if p.Duration > 0 && start >= p.Duration {
			return
		}
		if !sleep(ctx, time.Until(begin.Add(start))) {
			return
		}
		select {
		case slots <- struct{}{}:
			outstanding.Go(func() {
				p.enter(p.probe(ctx, number))
				<-slots
			})
		default:
			p.book.Skipped()
		}
	}
}

// grid places one start in each period, anywhere in it with the same chance, so
// that probes meet whatever the server does at intervals in all its phases.
type grid struct {
	every time.Duration
	rng   *rand.Rand
}

func newGrid(every time.Duration, seed uint64) *grid {
	// The second word only keeps the stream apart from others of the same seed.
	return &grid{every: every, rng: rand.New(rand.NewPCG(seed, 0x66726573))}
}

// start returns when a probe starts, numbered from 1: in [number, number+1)
// periods. It must be called once for each, in order.
func (g *grid) start(number int64) time.Duration {
	return time.Duration(number)*g.every + time.Duration(g.rng.Int64N(int64(g.every)))
}

// sleep returns false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
