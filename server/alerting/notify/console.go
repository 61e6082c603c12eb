// Package notify tells people: Console prints as the seed does; Webhook and Alertmanager
// are Receivers, which package outbox delivers to until they have everything; Multi is
// several notifiers. Secrets in a Target never get into an error.
package notify

import (
	"fmt"
	"strings"
	"time"

	"phase0/server/alerting"
	"phase0/server/output"
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
// Each is one line. An output that nobody reads holds nobody up.
type Console struct {
	out  *output.Source
	ends bool
}

// NewConsole returns a notifier that prints one line per alert that fires, and with ends
// also one per alert that is over. Whoever made out closes it, and sees to it that what was
// printed is written.
func NewConsole(out *output.Source, ends bool) *Console { return &Console{out: out, ends: ends} }

// Notify implements alerting.Notifier.
func (c *Console) Notify(notifications []alerting.Notification) {
	for _, n := range notifications {
		switch {
		case n.Status == alerting.StatusFiring:
			fmt.Fprintf(c.out, "🚨 [ALERT] %s\n", alerting.Printable(n.Alert.Summary))
		case c.ends:
			fmt.Fprintf(c.out, "✅ [RESOLVED] %s (after %v)\n", alerting.Printable(condition(n.Alert.Summary)), n.EndsAt.Sub(n.Alert.Since).Round(time.Millisecond))
		}
	}
}

// condition cuts off the value with which an alert fired: at its end there is another one.
func condition(summary string) string {
	if i := strings.LastIndex(summary, " (current: "); i >= 0 && !strings.ContainsAny(summary[i:], `"}`) { // not in a label
		return summary[:i]
	}
	return summary
}

// Stats implements alerting.Notifier.
func (c *Console) Stats() alerting.Deliveries {
	lines := c.out.Counts()
	return alerting.Deliveries{Sent: lines.Written, Failed: lines.Failed, Dropped: lines.LeftOut}
}

// Close implements alerting.Notifier. The output outlives it: other lines follow.
func (c *Console) Close() {}

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
