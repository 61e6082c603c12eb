package platform

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/api"
)

// quietStart is what a start may take without a word, tellEvery is the time between two
// words, and noteEvery between two figures for health.
const (
	quietStart = 500 * time.Millisecond
	tellEvery  = time.Second
	noteEvery  = 20 * time.Millisecond
)

// errStartHangs is returned by Run when a start does not end although it was told to.
var errStartHangs = errors.New("start hangs")

// starting tells, in the log and to health, how far a start is. One goroutine tells it.
type starting struct {
	log   zerolog.Logger
	shown atomic.Pointer[api.Progress]

	step  string
	begun time.Time // the step
	noted time.Time
	told  time.Time // in the log
	said  bool      // something of this step
}

// tell is told that done of total bytes of a step are done. The error is the context's.
func (s *starting) tell(ctx context.Context, step string, done, total int64) error {
	now := time.Now()
	if step != s.step {
		s.step, s.begun, s.noted, s.told, s.said = step, now, time.Time{}, now.Add(quietStart-tellEvery), false
	}
	if now.Sub(s.noted) >= noteEvery || done == total {
		s.noted = now
		p := api.Progress{Step: step, Done: done, Total: total, Left: estimate(now.Sub(s.begun), done, total)}
		s.shown.Store(&p)
		if now.Sub(s.told) >= tellEvery {
			s.told, s.said = now, true
			e := s.log.Info().Str("step", step).Int("percent", p.Percent()).Int64("mb", done/1e6).Int64("of_mb", total/1e6)
			if p.Left >= 0 {
				e = e.Float64("seconds_left", p.Left.Round(time.Second/10).Seconds())
			}
			e.Msg("starting")
		}
	}
	return ctx.Err()
}

// estimate returns what is left of a step at the pace so far, below 0 when it is too early
// to tell.
func estimate(took time.Duration, done, total int64) time.Duration {
	if took < quietStart/5 || done <= 0 {
		return -1
	}
	return time.Duration(float64(took) * float64(total-done) / float64(done))
}

// progress implements api.Config.Progress.
func (s *starting) progress() (api.Progress, bool) {
	if p := s.shown.Load(); p != nil {
		return *p, true
	}
	return api.Progress{}, false
}

// serve passes a request to the handler of the moment: while the platform starts, the one
// that can only say so.
func (p *Platform) serve(ctx *fasthttp.RequestCtx)             { p.current.Load().Serve(ctx) }
func (p *Platform) refuse(ctx *fasthttp.RequestCtx, err error) { p.current.Load().Refuse(ctx, err) }
func (p *Platform) expect(ctx *fasthttp.RequestCtx) int        { return p.current.Load().Expect(ctx) }

// start makes what has to read the disk first: a log is replayed, however long it is. Then
// requests are answered.
func (p *Platform) start(ctx context.Context) error {
	steps := []func() error{
		func() error { return p.openQueue(ctx) }, p.openStorage, p.openQuery, p.openAlerting, p.openConsumer, p.openHandler,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	p.handler.Starting() // until the index has been read
	p.current.Store(p.handler)
	close(p.complete)
	return nil
}

// awaitStart runs start until it ends or hangs although ctx has ended.
func (p *Platform) awaitStart(ctx context.Context) error {
	started := make(chan error, 1)
	go func() { started <- p.start(ctx) }()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-started:
		return err
	case <-time.After(p.cfg.ShutdownTimeout):
		return errStartHangs
	}
}

// endStart ends a platform whose start was not completed. That is no error if it was told
// to: nothing was taken, and what a log holds it goes on holding.
func (p *Platform) endStart(ctx context.Context, err error) error {
	if errors.Is(err, errStartHangs) {
		return err // whoever hangs uses what release would free
	}
	deadline, cancel := context.WithTimeout(context.Background(), hangGrace)
	defer cancel()
	_ = p.server.Shutdown(deadline) // what is cut off was asking how far the start is
	p.release()
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	fmt.Fprintln(p.stdout, "[Shutdown] Ended while starting; the next start begins again")
	fmt.Fprintln(p.stdout, "[Shutdown] Accepted 0 samples, stored 0 samples\nShutdown complete.")
	return nil
}
