package platform

import (
	"fmt"
	"os"
	"path/filepath"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/alerting/notify/outbox"
	"phase0/server/disk"
)

// openReceivers checks the receivers without asking them.
func (p *Platform) openReceivers() error {
	if p.cfg.Webhook.URL != "" {
		webhook, err := notify.NewWebhook(p.cfg.Webhook)
		if err != nil {
			return fmt.Errorf("%w: -webhook: %w", ErrConfig, err)
		}
		p.receivers = append(p.receivers, webhook)
	}
	if p.cfg.Alertmanager.URL != "" {
		alertmanager, err := notify.NewAlertmanager(p.cfg.Alertmanager)
		if err != nil {
			return fmt.Errorf("%w: -alertmanager: %w", ErrConfig, err)
		}
		p.receivers = append(p.receivers, alertmanager)
	}
	return nil
}

// openNotifier puts the console, which never waits, before the outbox, which may wait for its
// disk. There is an outbox also without receivers where alerting is to know after a restart
// what was told. What poll prints at every evaluation needs no line at its end, which the seed
// does not print either; what stream prints once does. The lock on the storage file, which is
// held by now, keeps other servers away from an outbox that is beside it.
func (p *Platform) openNotifier() error {
	console := notify.NewConsole(p.output.Source(), p.cfg.Alerting == "stream")
	p.notifier = console
	if len(p.receivers) == 0 && p.cfg.Alerting != "stream" {
		return nil
	}
	dir := p.outboxDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("open outbox: %w; choose another directory with -outbox", err)
	}
	if p.cfg.Outbox != "" { // then another server may have been told the same
		lock, err := disk.Acquire(filepath.Join(dir, "outbox"))
		if err != nil {
			return fmt.Errorf("open outbox: %w; choose another directory with -outbox", err)
		}
		p.outboxLock = lock
	}
	box, err := outbox.Open(outbox.Config{
		FS: disk.OS{}, Dir: dir, MaxBytes: p.cfg.OutboxBytes, Receivers: p.receivers, Log: p.log,
		// Not p.alerting.Alerts: the engine is made later, and needs the notifier.
		Active: func() []alerting.Alert { return p.alerting.Alerts() },
	})
	if err != nil {
		return fmt.Errorf("%w; choose another directory with -outbox", err)
	}
	p.outbox, p.notifier = box, notify.Multi{console, box}
	return nil
}

func (p *Platform) outboxDir() string {
	if p.cfg.Outbox != "" {
		return p.cfg.Outbox
	}
	return resolve(p.cfg.Data) + ".outbox"
}

// printReceivers tells where notifications go, and what is left from before.
func (p *Platform) printReceivers() {
	if p.outbox == nil {
		return
	}
	for _, d := range p.outbox.Deliveries() {
		fmt.Fprintf(p.stdout, "[Alerting] Notifying %s: %d waiting in %s\n", d.Receiver, d.Pending, p.outboxDir())
	}
}
