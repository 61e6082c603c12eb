package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"phase0/bench/trial"
)

// cut is what a proxy does to connections while the fault lasts.
type cut string

const (
	cutReset     cut = "reset"     // those that are open and new ones, once a request has passed
	cutBlackHole cut = "blackhole" // bytes vanish, both ways
	cutHalfClose cut = "halfclose" // the server is told that the client sends no more, after a request has passed
	cutDrip      cut = "drip"      // one byte at a time
)

const (
	// maxProxied bounds the connections through a proxy; more are closed at once.
	maxProxied = 256
	dripPause  = 2 * time.Millisecond
	dialLimit  = 2 * time.Second
)

// proxied sends the load through a TCP proxy that harms it. The methods of
// trial.Fault are called from one goroutine; the connections read only cutting.
type proxied struct {
	trial.Calm
	how cut

	listener net.Listener
	server   string
	all      sync.WaitGroup
	cutting  atomic.Bool
	touched  atomic.Int64 // connections that were harmed

	mu     sync.Mutex
	open   map[*pair]bool
	closed bool
}

// pair is one client and its connection to the server.
type pair struct {
	client, server *net.TCPConn
	harmed         atomic.Bool
}

// Route implements trial.Fault: it starts the proxy.
func (p *proxied) Route(v trial.Victim) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("start proxy: %w", err)
	}
	p.listener, p.server, p.open = listener, v.Addr, map[*pair]bool{}
	p.all.Go(p.accept)
	return listener.Addr().String(), nil
}

func (p *proxied) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.all.Go(func() { p.connect(client.(*net.TCPConn)) })
	}
}

// connect carries bytes both ways until both ends are done.
func (p *proxied) connect(client *net.TCPConn) {
	conn, err := net.DialTimeout("tcp", p.server, dialLimit)
	if err != nil {
		_ = client.Close() // the client sees what it would see without us
		return
	}
	c := &pair{client: client, server: conn.(*net.TCPConn)}
	if !p.enter(c) {
		c.close()
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() { p.carry(c, c.server, c.client, false) })
	p.carry(c, c.client, c.server, true)
	answers.Wait()
	p.leave(c)
}

func (p *proxied) enter(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.open) >= maxProxied {
		return false
	}
	p.open[c] = true
	return true
}

func (p *proxied) leave(c *pair) {
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
	c.close()
}

func (c *pair) close() {
	_ = c.client.Close()
	_ = c.server.Close() // nobody waits for either
}

// reset ends both sides without the usual farewell.
func (c *pair) reset() {
	_ = c.client.SetLinger(0)
	_ = c.server.SetLinger(0) // an end that is gone already cannot be harmed
	c.close()
}

// carry copies one direction until it ends, and then tells the other side.
func (p *proxied) carry(c *pair, from, to *net.TCPConn, request bool) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !p.pass(c, to, buffer[:n], request) {
			return
		}
		if err != nil {
			_ = to.CloseWrite() // fails when the other side is gone, which is as good
			return
		}
	}
}

// pass hands bytes on, in the way of the fault while it lasts.
func (p *proxied) pass(c *pair, to *net.TCPConn, data []byte, request bool) bool {
	if !p.cutting.Load() {
		_, err := to.Write(data)
		return err == nil
	}
	if c.harmed.CompareAndSwap(false, true) {
		p.touched.Add(1)
	}
	switch p.how {
	case cutBlackHole:
		return true
	case cutDrip:
		for i := range data {
			time.Sleep(dripPause)
			if _, err := to.Write(data[i : i+1]); err != nil {
				return false
			}
		}
		return true
	}
	_, err := to.Write(data)
	switch {
	case request && p.how == cutReset:
		c.reset()
	case request && p.how == cutHalfClose:
		_ = to.CloseWrite() // fails when the server is gone, which is as good
	}
	return err == nil
}

// Strike implements trial.Fault.
func (p *proxied) Strike(context.Context, trial.Victim) error {
	p.cutting.Store(true)
	if p.how == cutReset {
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.open {
			p.touched.Add(1)
			c.reset()
		}
	}
	return nil
}

// Heal implements trial.Fault. What the black hole has swallowed stays so.
func (p *proxied) Heal(context.Context, trial.Victim) error {
	p.cutting.Store(false)
	return nil
}

// Seen implements trial.Fault.
func (p *proxied) Seen(context.Context, trial.Victim) (string, []string, error) {
	n := p.touched.Load()
	if n == 0 {
		return "", nil, errors.New("no connection was harmed")
	}
	return fmt.Sprintf("%d connections", n), nil, nil
}

// Close implements trial.Fault: it ends the proxy and waits for it.
func (p *proxied) Close() error {
	if p.listener == nil {
		return nil
	}
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		c.close()
	}
	p.mu.Unlock()
	p.all.Wait()
	p.listener = nil
	if err != nil {
		return fmt.Errorf("close proxy: %w", err)
	}
	return nil
}
