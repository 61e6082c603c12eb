package ingest

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// After a refused body the rest of it may still be under way. Closing then would
// make the kernel send a reset, which can overtake the answer; so the connection is
// half-closed and what comes is dropped, for this long and this much at most.
const (
	lingerTime  = 250 * time.Millisecond
	lingerBytes = 4 << 20
)

type connState struct {
	asked  atomic.Bool // a byte has arrived
	linger atomic.Bool
	closed atomic.Bool
}

// Linger makes Close wait a little for a client that is still sending.
func (c *Conn) Linger() { c.state.linger.Store(true) }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.state.asked.Load() {
		c.state.asked.Store(true)
	}
	return n, err
}

// SetReadDeadline implements net.Conn. Once the server drains, nothing is waited
// for on a connection that has not asked anything.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	if c.listener.draining.Load() {
		return c.dropIfSilent()
	}
	return nil
}

func (c *Conn) dropIfSilent() error {
	if c.state.asked.Load() {
		return nil
	}
	return c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// Close implements net.Conn. Calls after the first do nothing.
func (c *Conn) Close() error {
	if c.state.closed.Swap(true) {
		return nil
	}
	defer c.listener.forget(c)
	if c.state.linger.Load() {
		c.drain()
	}
	return c.Conn.Close()
}

func (c *Conn) drain() {
	half, ok := c.Conn.(*net.TCPConn)
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	// Any outcome is fine: the client is gone, silent, or told enough.
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}
