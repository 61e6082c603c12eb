package ingest

import (
	"errors"
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

	read, write deadline
}

// earliness is the part of the shortest timeout by which a deadline may be kept too soon
// on a connection that is served over and over: one part of so many.
const earliness = 64

// deadline is kept back until a Read or Write has to wait for it, and is not moved for the
// sake of little. Of the three that HTTP sets for each request on a kept-alive connection,
// most are over before anything waits, and each costs a clock and a timer. So a deadline
// does not end a Read or Write that is under way, and belongs to the goroutine that does
// them.
type deadline struct{ wanted, set time.Time }

func (d *deadline) due(slack time.Duration) bool {
	if d.wanted.IsZero() || d.set.IsZero() {
		return d.wanted != d.set
	}
	later := d.wanted.Sub(d.set)
	return later < 0 || later > slack
}

// Linger makes Close wait a little for a client that is still sending.
func (c *Conn) Linger() { c.state.linger.Store(true) }

// Read implements net.Conn. What is no HTTP request beyond doubt it does not pass on: it
// returns a *framing.Error where the offending line would end, now and ever after.
func (c *Conn) Read(p []byte) (int, error) {
	if d := &c.state.read; d.due(c.listener.slack) {
		if err := c.limitRead(d.wanted); err != nil {
			return 0, err
		}
		d.set = d.wanted
	}
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	if !c.state.asked.Load() {
		c.state.asked.Store(true)
	}
	if passed, fault := c.frames.Check(p[:n]); fault != nil {
		return passed, fault
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if d := &c.state.write; d.due(c.listener.slack) {
		if err := c.Conn.SetWriteDeadline(d.wanted); err != nil {
			return 0, err
		}
		d.set = d.wanted
	}
	return c.Conn.Write(p)
}

// SetReadDeadline implements net.Conn for the next Read.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.state.read.wanted = t
	return nil
}

// SetWriteDeadline implements net.Conn for the next Write.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.state.write.wanted = t
	return nil
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// limitRead lets reading end at t. Once the server drains, nothing is waited for on a
// connection that has not asked anything.
func (c *Conn) limitRead(t time.Time) error {
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
