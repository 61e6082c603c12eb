package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"phase0/server/alerting/rule"
)

// ErrNotStored is wrapped by Run's error when accepted samples could not be stored
// before the shutdown timeout.
var ErrNotStored = errors.New("accepted samples were not stored")

// hangGrace is what a shutdown may take beyond its timeout before it is left alone,
// blocked on a disk that does not answer.
const hangGrace = time.Second

// Run reads what was left by an earlier process; until then GET /health is all that is
// answered. It serves until ctx ends and then shuts down: it stops accepting, answers what is
// in flight, drains the queue to the file, and prints what was accepted and stored.
// It may be called once. It returns within the shutdown timeout and three seconds after
// ctx ended, whatever blocks; then, and only then, goroutines may be left behind.
func (p *Platform) Run(ctx context.Context) error {
	defer p.closeOutput()
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(p.listener) }()
	if err := p.awaitStart(ctx); err != nil {
		return p.endStart(ctx, err)
	}
	drained := make(chan error, 1)
	go func() { drained <- p.consumer.Run(p.base) }()
	if p.outbox != nil {
		p.outbox.Start()
	}
	p.printStart(ctx)

	var serveErr error
	select {
	case <-ctx.Done():
	case err := <-served:
		serveErr = fmt.Errorf("serve: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		err := p.shutdown(drained)
		p.release()
		ended <- err
	}()
	select {
	case err := <-ended:
		return errors.Join(serveErr, err)
	case <-time.After(p.cfg.ShutdownTimeout + hangGrace):
		return errors.Join(serveErr, p.notStored("shutdown hangs"))
	}
}

// closeOutput lets the last lines be written. That nobody reads them is no failure: what was
// accepted is stored.
func (p *Platform) closeOutput() {
	p.output.Close()
	if lines := p.output.Counts(); lines.LeftOut+lines.Failed > 0 {
		p.log.Warn().Uint64("not_read", lines.LeftOut).Uint64("refused", lines.Failed).Msg("lines are missing on standard output")
	}
}

// taken returns how many samples were accepted, those of an earlier process included that
// were left to this one.
func (p *Platform) taken() uint64 {
	n := p.handler.Accepted()
	if p.wal != nil {
		n += p.wal.Counters().Recovered.Samples
	}
	return n
}

// notStored says how many accepted samples are not in the file.
func (p *Platform) notStored(why string) error {
	accepted, stored := p.taken(), p.consumer.Stored()
	if p.wal != nil {
		why += "; they are in the log, and the next start stores them"
	}
	return fmt.Errorf("%w: %d of %d, after -shutdown-timeout %v: %s", ErrNotStored, accepted-stored, accepted, p.cfg.ShutdownTimeout, why)
}

// shutdown goes from the edge to the leaf: listener, requests in flight, queue,
// file.
func (p *Platform) shutdown(drained <-chan error) error {
	deadline, cancel := context.WithTimeout(context.Background(), p.cfg.ShutdownTimeout)
	defer cancel()
	// Whatever still runs when time is up is given up.
	stop := context.AfterFunc(deadline, p.giveUp)
	defer stop()

	p.handler.Drain()
	if err := p.server.Shutdown(deadline); err != nil {
		p.log.Warn().Err(err).Msg("requests in flight were cut off")
	}
	p.queue.Close()
	p.awaitDrain(drained)
	p.alerting.Close()
	p.notifier.Close() // what was found is still told

	accepted, stored := p.taken(), p.consumer.Stored()
	fmt.Fprintf(p.stdout, "[Shutdown] Accepted %d samples, stored %d samples\n", accepted, stored)
	if stored < accepted {
		return p.notStored("storage is too slow or fails")
	}
	fmt.Fprintln(p.stdout, "Shutdown complete.")
	return nil
}

// awaitDrain waits for the consumer and says once a second how far it is.
func (p *Platform) awaitDrain(drained <-chan error) {
	progress := time.NewTicker(time.Second)
	defer progress.Stop()
	for {
		select {
		case err := <-drained:
			if err != nil {
				p.log.Error().Err(err).Msg("queue was not drained")
			}
			return
		case <-progress.C:
			fmt.Fprintf(p.stdout, "[Shutdown] Draining queue: %d samples left\n", p.queue.Stats().Depth)
		}
	}
}

const banner = `=======================================
Phase 0: Monitoring Platform PoC
=======================================
`

// printStart prints the seed's start-up text, and lets the index be read and alerting begin
// meanwhile. When it says that the server has started, health says so, too, unless alerting
// takes long.
func (p *Platform) printStart(ctx context.Context) {
	out := p.stdout
	fmt.Fprint(out, banner+"\n")
	fmt.Fprintf(out, "[Mode] %s: %s\n", p.cfg.Mode, p.cfg.Components)
	if p.profiler != nil {
		fmt.Fprintf(out, "[Profiler] http://%s/debug/pprof/\n", p.profiler.addr)
	}
	p.printLog()
	fmt.Fprintf(out, "[Storage] Consumer started, writing to %s\n", p.cfg.Data)
	p.prepareQuery(ctx)
	if ctx.Err() != nil {
		return // it never was ready
	}
	p.printRules()
	p.printReceivers()
	p.startAlerting(ctx)
	fmt.Fprintf(out, "[Alerting] Engine started, %s\n\n", p.alertingPace())
	p.handler.Ready()
	_, port, _ := net.SplitHostPort(p.Addr()) // a listener's address always has a port
	fmt.Fprintf(out, "[Ingestion] Server started on port %s\n", port)
	fmt.Fprintln(out, `[Ingestion] Endpoints:
  POST /metrics - Ingest metric
  GET  /query?name=<name>&start=<ts>&end=<ts> - Query metrics
  GET  /health - Health check
  GET  /alerts - Current alerts
  GET  /metrics - The server's own metrics`)
}

// prepareQuery lets an engine with an index read the file.
func (p *Platform) prepareQuery(ctx context.Context) {
	engine, ok := p.engine.(interface {
		Prepare(ctx context.Context, progress func(done, total int64)) error
	})
	if !ok {
		return
	}
	start := time.Now()
	err := engine.Prepare(ctx, func(done, total int64) {
		_ = p.starting.tell(ctx, "index", done, total) // Prepare looks at ctx itself
	})
	switch {
	case err != nil && ctx.Err() == nil:
		p.log.Error().Err(err).Msg("storage file could not be indexed; every query tries again")
	case err == nil && time.Since(start) > quietStart:
		fmt.Fprintf(p.stdout, "[Query] Index ready after %.1f s\n", time.Since(start).Seconds())
	}
}

// shownRules bounds the start-up text; a rules file may hold thousands.
const shownRules = 20

func (p *Platform) printRules() {
	for i := range p.rules {
		if i == shownRules {
			fmt.Fprintf(p.stdout, "[Alerting] … and %d more rules\n", len(p.rules)-i)
			return
		}
		fmt.Fprintf(p.stdout, "[Alerting] Added rule: %s\n", rule.Describe(&p.rules[i]))
	}
}

// seconds prints whole seconds as the seed does.
func seconds(d time.Duration) string {
	if d%time.Second == 0 && d != time.Second {
		return fmt.Sprintf("%d seconds", d/time.Second)
	}
	return d.String()
}
