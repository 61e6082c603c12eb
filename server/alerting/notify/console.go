// Package notify tells people: Console prints as the seed does; Webhook and Alertmanager
// are Receivers, which package outbox delivers to until they have everything; Multi is
// several notifiers. Secrets in a Target never get into an error.
package notify

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"phase0/server/alerting"
)

// Console prints firing alerts as the seed does:
//
//	🚨 [ALERT] cpu_usage avg(60s) > 80.0 (current: 85.0)
//
// The end of an alert is not printed; the seed does not know it. It writes in the
// caller's goroutine, one Write a line: an output that blocks holds evaluation up, as
// it would hold up everything else that the server prints there.
type Console struct {
	mu  sync.Mutex // one line at a time
	out io.Writer

	// Not guarded by mu: whoever asks must not wait for an output that blocks.
	sent, failed atomic.Uint64
}

// NewConsole returns a notifier that writes one line per alert.
func NewConsole(out io.Writer) *Console { return &Console{out: out} }

// Notify implements alerting.Notifier.
func (c *Console) Notify(notifications []alerting.Notification) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range notifications {
		if n.Status != alerting.StatusFiring {
			continue
		}
		if _, err := fmt.Fprintf(c.out, "🚨 [ALERT] %s\n", alerting.Printable(n.Alert.Summary)); err != nil {
			c.failed.Add(1)
			continue
		}
		c.sent.Add(1)
	}
}

// Stats implements alerting.Notifier.
func (c *Console) Stats() alerting.Deliveries {
	return alerting.Deliveries{Sent: c.sent.Load(), Failed: c.failed.Load()}
}

// Close implements alerting.Notifier. There is nothing to wait for.
func (c *Console) Close() {}

// Multi passes notifications on to each of its members.
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
