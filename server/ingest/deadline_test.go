package ingest

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// countingConn counts how often its deadlines are moved.
type countingConn struct {
	net.Conn
	reads, writes int
}

func (c *countingConn) SetReadDeadline(t time.Time) error {
	c.reads++
	return c.Conn.SetReadDeadline(t)
}

func (c *countingConn) SetWriteDeadline(t time.Time) error {
	c.writes++
	return c.Conn.SetWriteDeadline(t)
}

func TestDeadlineDue(t *testing.T) {
	at := time.Now()
	const slack = 10 * time.Millisecond
	for _, tc := range []struct {
		name        string
		wanted, set time.Time
		due         bool
	}{
		{"none, none was", time.Time{}, time.Time{}, false},
		{"the first", at, time.Time{}, true},
		{"none any more", time.Time{}, at, true},
		{"the same", at, at, false},
		{"a little later", at.Add(slack), at, false},
		{"later", at.Add(slack + 1), at, true},
		{"sooner, by however little", at.Add(-1), at, true},
	} {
		if d := (deadline{wanted: tc.wanted, set: tc.set}); d.due(slack) != tc.due {
			t.Errorf("%s: due is %t", tc.name, !tc.due)
		}
	}
}

// Many short requests move deadlines once in a while, and each deadline is kept: not later
// than it was set and not sooner than the slack before.
func TestDeadlinesAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, requests, apart = 64 * time.Second, 1000, 10 * time.Millisecond
		client, inner := net.Pipe()
		defer client.Close()
		counting := &countingConn{Conn: inner}
		l := &Listener{conns: map[*Conn]struct{}{}}
		l.Coalesce(Options{ReadTimeout: timeout, WriteTimeout: 2 * timeout, IdleTimeout: 3 * timeout})
		c := &Conn{Conn: counting, listener: l}
		defer c.Close()
		go func() {
			for range requests {
				_, _ = client.Write([]byte("?"))
				_, _ = client.Read(make([]byte, 1))
				time.Sleep(apart)
			}
		}()
		b := make([]byte, 1)
		for range requests {
			_ = c.SetReadDeadline(time.Now().Add(3 * timeout))
			if _, err := c.Read(b); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(timeout)) // nothing waits for it
			_ = c.SetWriteDeadline(time.Now().Add(2 * timeout))
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		// Ten seconds of requests, and a second of slack.
		if counting.reads > 11 || counting.writes > 11 || counting.reads < 9 || counting.writes < 9 {
			t.Errorf("%d read and %d write deadlines for %d requests", counting.reads, counting.writes, requests)
		}
		begin := time.Now()
		_ = c.SetReadDeadline(begin.Add(timeout))
		if _, err := c.Read(b); err == nil {
			t.Fatal("read something")
		}
		if took := time.Since(begin); took > timeout || took < timeout-l.slack {
			t.Errorf("a deadline after %v ended after %v", timeout, took)
		}
	})
}

// A deadline that was kept back does not undo that the server drains.
func TestDropSilentBeforeADeadline(t *testing.T) {
	l := listen(t, 1)
	_, c := pair(t, l)
	l.DropSilent()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	begin := time.Now()
	if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(begin) > 30*time.Second {
		t.Errorf("error %v after %v", err, time.Since(begin))
	}
}
