package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phase0/scripts/lab"
	"phase0/server/platform"
)

// attachPatience bounds the wait until all slow clients are connected.
const attachPatience = 20 * time.Second

// slow measures the same rate three times: alone, beside slow clients, and alone
// again. A server just started is slower, so the better of the two alone counts.
func (r *rig) slow(ctx context.Context, out *run, dir string) error {
	s, err := r.startServer(ctx, out, r.placement.Server, filepath.Join(dir, "phase0_metrics.jsonl"), "-mode", "concurrent")
	if err != nil {
		return err
	}
	err = r.besideSlow(ctx, out, s, dir)
	_, stopErr := s.stop()
	return errors.Join(err, stopErr)
}

func (r *rig) besideSlow(ctx context.Context, out *run, s *subject, dir string) error {
	l := load{url: s.url("/metrics"), args: []string{"-rps", strconv.Itoa(slowRate), "-c", strconv.Itoa(connections)}, seconds: warmup}
	if _, err := r.generate(ctx, dir, l); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	l.seconds = time.Duration(r.options.seconds) * time.Second
	out.Commands = append(out.Commands, fmt.Sprint("loadgen ", l.command()))
	alone, memoryAlone, _, err := r.measured(ctx, s, dir, l)
	if err != nil {
		return err
	}
	crowd := newCrowd(strings.TrimPrefix(s.base, "http://"), out.Arm)
	stop := crowd.start(ctx)
	var beside, clients float64
	var memory int64
	if err = crowd.attached(ctx); err == nil {
		beside, memory, clients, err = r.measured(ctx, s, dir, l)
	}
	stop()
	if err != nil {
		return err
	}
	again, _, left, err := r.measured(ctx, s, dir, l)
	if err != nil {
		return err
	}
	alone = min(alone, again)
	out.Values[unitP99Alone], out.Values[unitP99], out.Values[unitP99Ratio] = alone, beside, beside/alone
	out.Values[unitMemory], out.Values[unitGrowth] = float64(memory), float64(memory-memoryAlone)
	out.Values[unitSlowClients] = clients
	if clients < float64(len(crowd.kinds))*0.9 || left > float64(len(crowd.kinds))*0.1 {
		out.Void = fmt.Sprintf("%.0f of %d slow clients were connected, and %.0f afterwards", clients, len(crowd.kinds), left)
	}
	return nil
}

// measured offers the rate and returns p99 in nanoseconds, the peak of the memory
// meanwhile, and how many connections the server had in the middle, the generator's
// and the question's own left out.
func (r *rig) measured(ctx context.Context, s *subject, dir string, l load) (p99 float64, memory int64, clients float64, err error) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	var watchErr error
	watch.Go(func() {
		for watching.Err() == nil && watchErr == nil {
			var now int64
			if now, _, watchErr = lab.ProcessMemory(s.process.PID()); watchErr == nil {
				memory = max(memory, now)
			}
			pause(watching, watchEvery)
		}
	})
	loaded := r.offer(ctx, dir, l)
	pause(ctx, l.seconds/2)
	open, openErr := s.metric("phase0_connections")(ctx)
	result, err := loaded()
	cancel()
	watch.Wait()
	if err := errors.Join(err, openErr, watchErr); err != nil {
		return 0, 0, 0, err
	}
	p, ok := result.ResponseTime.At(0.99)
	if !ok || p.Unavailable != "" {
		return 0, 0, 0, fmt.Errorf("p99 is not available: %s", p.Unavailable)
	}
	return float64(p.NS), memory, max(0, open-float64(result.Connections.Peak)-1), nil
}

// crowd is many slow clients. Each connects, does what its kind does until the server
// has enough of it, and comes back.
type crowd struct {
	addr  string
	kinds []slowKind
	there atomic.Int64 // clients that have sent the head of a request at least once
}

// slowKind is what a slow client sends after it claimed a body of some size.
type slowKind struct {
	claimed int
	every   time.Duration // between its bytes; 0 for one byte and no more
}

// dripEvery and dripBody make a body that would take minutes.
const (
	dripEvery = 500 * time.Millisecond
	dripBody  = 1000
)

func newCrowd(addr, arm string) *crowd {
	c := &crowd{addr: addr}
	for range slowClientsOf {
		if arm != armClaim {
			c.kinds = append(c.kinds, slowKind{dripBody, dripEvery})
		}
		if arm != armDrip {
			c.kinds = append(c.kinds, slowKind{claimed: platform.Defaults().MaxBodyBytes})
		}
	}
	return c
}

// start begins; the returned function ends all clients and waits for them.
func (c *crowd) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for i, kind := range c.kinds {
		clients.Go(func() {
			// Spread, so that they do not all act in the same instant.
			pause(ctx, time.Duration(i)*dripEvery/time.Duration(len(c.kinds)))
			var once sync.Once
			for ctx.Err() == nil {
				c.visit(ctx, kind, &once)
				pause(ctx, dripEvery/5)
			}
		})
	}
	return func() { cancel(); clients.Wait() }
}

// visit is one connection, from its start until either side ends it.
func (c *crowd) visit(ctx context.Context, kind slowKind, once *sync.Once) {
	dialer := net.Dialer{Timeout: requestTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return // a server that refuses is tried again
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := fmt.Fprintf(conn, "POST /metrics HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", c.addr, kind.claimed); err != nil {
		return
	}
	once.Do(func() { c.there.Add(1) })
	if kind.every == 0 {
		_, _ = io.Copy(io.Discard, conn) // until the server, or ctx, ends it
		return
	}
	for ctx.Err() == nil {
		pause(ctx, kind.every)
		if _, err := conn.Write([]byte(" ")); err != nil {
			return
		}
	}
}

// attached waits until every client has connected once.
func (c *crowd) attached(ctx context.Context) error {
	deadline := time.Now().Add(attachPatience)
	for c.there.Load() < int64(len(c.kinds)) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("attach slow clients: %d of %d after %v", c.there.Load(), len(c.kinds), attachPatience)
		}
		pause(ctx, watchEvery)
	}
	return nil
}
