package outbox

import (
	"maps"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
)

// Stats implements alerting.Notifier; it adds up the receivers'.
func (o *Outbox) Stats() alerting.Deliveries {
	var sum alerting.Deliveries
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.lost {
		sum.Dropped += n
	}
	for _, w := range o.workers {
		sum.Sent += w.sent
		sum.Failed += w.refused
		sum.Dropped += w.missed
	}
	return sum
}

// Usage tells how full the outbox is.
func (o *Outbox) Usage() notify.Usage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return notify.Usage{
		Queued: o.queue.count, Recorded: o.next - 1, Bytes: o.bytes, Told: len(o.told),
		Lost: maps.Clone(o.lost), WriteErrors: o.writeErrors.Load(), Damaged: o.damaged,
	}
}

// Deliveries tells of each receiver.
func (o *Outbox) Deliveries() []notify.Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]notify.Delivery, len(o.workers))
	for i, w := range o.workers {
		all[i] = notify.Delivery{
			Receiver: w.to.Name(), Pending: o.next - w.cursor,
			Sent: w.sent, Refused: w.refused, Missed: w.missed, Retries: w.retries,
		}
	}
	return all
}
