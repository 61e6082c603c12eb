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

	"phase0/loadgen/record"
	"phase0/scripts/lab"
	"phase0/server/platform"
)

// attachPatience bounds the wait until all slow clients are connected.
const attachPatience = 20 * time.Second

// turns is how often the slow clients come and go in a run. A percentile of the time
// beside them is of all turns: a single pause of the machine, 50 ms of which are a
// hundredth of five seconds, does not decide it.
const turns = 3

// slow measures the same rate in turns, alone and beside slow clients, beginning and
// ending alone.
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
	var alone, beside spell
	for range turns {
		if err := r.turn(ctx, out, s, dir, l, &alone, &beside); err != nil {
			return err
		}
	}
	last, err := r.phase(ctx, s, dir, l)
	if err != nil {
		return err
	}
	return compare(out, append(alone, last), beside, slowOf(out.Arm))
}

// turn is a phase alone and one beside slow clients.
func (r *rig) turn(ctx context.Context, out *run, s *subject, dir string, l load, alone, beside *spell) error {
	p, err := r.phase(ctx, s, dir, l)
	if err != nil {
		return err
	}
	*alone = append(*alone, p)
	crowd := newCrowd(strings.TrimPrefix(s.base, "http://"), out.Arm)
	stop := crowd.start(ctx)
	defer stop()
	if err := crowd.attached(ctx); err != nil {
		return err
	}
	p, err = r.phase(ctx, s, dir, l)
	*beside = append(*beside, p)
	stop()
	pause(ctx, margin) // their connections end
	return err
}

func slowOf(arm string) float64 { return float64(len(newCrowd("", arm).kinds)) }

// phase is what was seen of other clients while they were offered as load once.
type phase struct {
	seen    record.Stream
	memory  int64   // peak
	clients float64 // connections in the middle, the generator's and the question's own left out
}

// spell is all phases of one kind.
type spell []phase

// p99 is that of the response time in all phases together, and lateness that of the
// generator's own.
func (s spell) p99() (response, lateness float64, err error) {
	var parts []record.Part
	for _, p := range s {
		parts = append(parts, record.Part{Stream: p.seen})
	}
	sum, err := record.Sum(parts)
	if err != nil {
		return 0, 0, err
	}
	p, ok := sum.ResponseTime.At(0.99)
	if !ok || p.Unavailable != "" {
		return 0, 0, fmt.Errorf("p99 is not available: %s", p.Unavailable)
	}
	late, _ := sum.OwnLateness.At(0.99)
	return float64(p.NS), float64(late.NS), nil
}

// compare derives the figures from the phases alone and those beside so many slow clients.
// Memory grows from the first of one kind to the largest of the other.
func compare(out *run, alone, beside spell, slow float64) error {
	quiet, _, err := alone.p99()
	if err != nil {
		return err
	}
	p99, lateness, err := beside.p99()
	if err != nil {
		return err
	}
	memory, clients := int64(0), slow
	for i, p := range beside {
		memory, clients = max(memory, p.memory), min(clients, p.clients)
		if left := alone[i+1].clients; p.clients < slow*0.9 || left > slow*0.1 {
			out.Void = fmt.Sprintf("%.0f of %.0f slow clients were connected, and %.0f afterwards", p.clients, slow, left)
		}
	}
	out.Values[unitP99Alone], out.Values[unitP99], out.Values[unitP99Ratio] = quiet, p99, p99/quiet
	out.Values[unitMemory], out.Values[unitGrowth] = float64(memory), float64(memory-alone[0].memory)
	out.Values[unitSlowClients], out.Values[unitLateness] = clients, lateness
	return nil
}

// phase offers the rate once.
func (r *rig) phase(ctx context.Context, s *subject, dir string, l load) (phase, error) {
	var p phase
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	var watchErr error
	watch.Go(func() {
		for watching.Err() == nil && watchErr == nil {
			var now int64
			if now, _, watchErr = lab.ProcessMemory(s.process.PID()); watchErr == nil {
				p.memory = max(p.memory, now)
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
		return p, err
	}
	p.seen = result.Stream
	p.clients = max(0, open-float64(result.Connections.Peak)-1)
	return p, nil
}

// crowd is many slow clients. Each connects, does what its kind does until the server
// has enough of it, and comes back.
type crowd struct {
	addr  string
	kinds []slowKind
	// spread is the time over which they arrive, so that the server does not have
	// enough of all of them in the same instant.
	spread time.Duration
	there  atomic.Int64 // clients that have sent the head of a request at least once
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
	c := &crowd{addr: addr, spread: platform.Defaults().ReadTimeout}
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
			pause(ctx, time.Duration(i)*c.spread/time.Duration(len(c.kinds)))
			var once sync.Once
			for ctx.Err() == nil {
				c.visit(ctx, kind, &once)
				pause(ctx, dripEvery/5)
			}
		})
	}
	return func() { cancel(); clients.Wait() } // twice does no harm
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
	var reading sync.WaitGroup
	ended := make(chan struct{})
	reading.Go(func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, conn) // until the server, or ctx, ends it
	})
	kind.drip(conn, ended)
	_ = conn.SetDeadline(time.Unix(1, 0))
	reading.Wait()
}

// drip sends one byte after the other until the connection has ended.
func (k slowKind) drip(conn net.Conn, ended <-chan struct{}) {
	if k.every == 0 {
		<-ended
		return
	}
	next := time.NewTicker(k.every)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			if _, err := conn.Write([]byte(" ")); err != nil {
				return
			}
		case <-ended:
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
