// Package notify tells people: Console prints as the seed does; Webhook and Alertmanager
// are Receivers, which package outbox delivers to until they have everything; Multi is
// several notifiers. Secrets in a Target never get into an error.
package notify

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phase0/server/alerting"
)

const (
	// consoleBytes bounds the lines that wait for somebody to read the output: some 100,000.
	consoleBytes = 8 << 20
	// consoleFlush is how long Close waits for them to be written.
	consoleFlush = 2 * time.Second
)

// Console prints firing alerts as the seed does:
//
//	🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)
//
// and their ends only if asked to, since the seed, which prints what is true every ten
// seconds, does not know them:
//
//	✅ [RESOLVED] cpu_usage avg(60s) > 80.0 (after 1m5s)
//
// Lines are written in order, one Write a line, by a goroutine that lives as long as there
// are any: an output that nobody reads holds nobody up. What does not fit into 8 MiB
// meanwhile is left out, counted, and told in its place:
//
//	… 12 lines left out
type Console struct {
	out  io.Writer
	ends bool

	mu        sync.Mutex
	lines     []consoleLine // to be written
	bytes     int           // of their text
	writing   chan struct{} // closed when the goroutine ends, nil when there is none
	closed    bool
	abandoned bool // Close did not wait any longer

	// Not guarded by mu, so that they can be read at any time.
	sent, failed, left atomic.Uint64
}

// consoleLine is a line, or how many are left out in its place.
type consoleLine struct {
	text string
	left int
}

// NewConsole returns a notifier that writes one line per alert that fires, and with ends
// also one per alert that is over.
func NewConsole(out io.Writer, ends bool) *Console { return &Console{out: out, ends: ends} }

// Notify implements alerting.Notifier.
func (c *Console) Notify(notifications []alerting.Notification) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range notifications {
		switch {
		case n.Status == alerting.StatusFiring:
			c.put(fmt.Sprintf("🚨 [ALERT] %s\n", alerting.Printable(n.Alert.Summary)))
		case c.ends:
			c.put(fmt.Sprintf("✅ [RESOLVED] %s (after %v)\n", alerting.Printable(condition(n.Alert.Summary)), n.EndsAt.Sub(n.Alert.Since).Round(time.Millisecond)))
		}
	}
	if c.writing == nil && len(c.lines) > 0 {
		c.writing = make(chan struct{})
		go c.write(c.writing)
	}
}

// condition cuts off the value with which an alert fired: at its end there is another one.
func condition(summary string) string {
	if i := strings.LastIndex(summary, " (current: "); i >= 0 && !strings.ContainsAny(summary[i:], `"}`) { // not in a label
		return summary[:i]
	}
	return summary
}

// put appends a line if there is room. It is called with mu held.
func (c *Console) put(text string) {
	last := len(c.lines) - 1
	switch {
	case c.closed:
		c.left.Add(1)
	case c.bytes+len(text) <= consoleBytes:
		c.lines, c.bytes = append(c.lines, consoleLine{text: text}), c.bytes+len(text)
	case last >= 0 && c.lines[last].left > 0:
		c.left.Add(1)
		c.lines[last].left++
	default:
		c.left.Add(1)
		c.lines = append(c.lines, consoleLine{left: 1})
	}
}

// write is the goroutine; Close waits for it.
func (c *Console) write(ended chan<- struct{}) {
	defer close(ended)
	for l, ok := c.next(); ok; l, ok = c.next() {
		if l.left > 0 {
			_, _ = fmt.Fprintf(c.out, "… %d lines left out\n", l.left) // they are counted, whether it is seen or not
			continue
		}
		if _, err := io.WriteString(c.out, l.text); err != nil {
			c.failed.Add(1)
		} else {
			c.sent.Add(1)
		}
	}
}

// next takes a line; without one the goroutine is to end.
func (c *Console) next() (l consoleLine, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines) == 0 {
		c.lines, c.writing = nil, nil
		return l, false
	}
	l, c.lines[0] = c.lines[0], consoleLine{}
	c.lines = c.lines[1:]
	c.bytes -= len(l.text)
	return l, true
}

// LeftOut counts the lines that were not written because nobody read the output.
func (c *Console) LeftOut() uint64 { return c.left.Load() }

// Stats implements alerting.Notifier.
func (c *Console) Stats() alerting.Deliveries {
	return alerting.Deliveries{Sent: c.sent.Load(), Failed: c.failed.Load(), Dropped: c.left.Load()}
}

// Close implements alerting.Notifier. It waits for two seconds at most; then what is left is
// counted, and the goroutine, which nothing can interrupt, stays with the line it writes.
func (c *Console) Close() {
	c.mu.Lock()
	c.closed = true
	writing := c.writing
	if c.abandoned {
		writing = nil
	}
	c.mu.Unlock()
	if writing == nil {
		return
	}
	timer := time.NewTimer(consoleFlush)
	defer timer.Stop()
	select {
	case <-writing:
	case <-timer.C:
		c.abandon()
	}
}

func (c *Console) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abandoned = true
	for _, l := range c.lines {
		if l.left == 0 {
			c.left.Add(1)
		}
	}
	c.lines, c.bytes = nil, 0
}

// Multi passes notifications on to each of its members, in their order.
type Multi []alerting.Notifier

// Notify implements alerting.Notifier.
func (m Multi) Notify(notifications []alerting.Notification) {
	for _, n := range m {
		n.Notify(notifications)
	}
}

// Stats implements alerting.Notifier; it adds up.
func (m Multi) Stats() alerting.Deliveries {
	var sum alerting.Deliveries
	for _, n := range m {
		d := n.Stats()
		sum.Sent += d.Sent
		sum.Failed += d.Failed
		sum.Dropped += d.Dropped
	}
	return sum
}

// Close implements alerting.Notifier.
func (m Multi) Close() {
	for _, n := range m {
		n.Close()
	}
}
