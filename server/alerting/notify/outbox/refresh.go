package outbox

import (
	"time"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
)

// refresh repeats firing alerts to a receiver that asks for it, when it is time.
func (w *worker) refresh() {
	r, ok := w.to.(notify.Refresher)
	if !ok || w.outbox.cfg.Active == nil || time.Since(w.refreshed) < r.Interval() {
		return
	}
	w.refreshed = time.Now()
	for firing := w.firing(); len(firing) > 0; {
		n := min(len(firing), maxBatch)
		if err := r.Refresh(w.outbox.ctx, firing[:n]); err != nil {
			w.noteFailure(err) // the next one is in time
			return
		}
		firing = firing[n:]
	}
}

// firing returns the alerts that are true now and that the receiver was told of. What is
// only in the outbox is not repeated before it was delivered, so that the order holds.
func (w *worker) firing() (firing []alerting.Notification) {
	o := w.outbox
	active := o.cfg.Active()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range active {
		t, known := o.told[alerting.Identity(a.Labels)]
		if known && t.sequence < w.cursor && a.State == alerting.Firing {
			firing = append(firing, t.Notification)
		}
	}
	return firing
}
