package platform

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/alerting/notify/outbox"
)

// hungOutbox is an outbox that waits for its disk until it is let go.
type hungOutbox struct {
	alerting.Notifier
	let chan struct{}
}

func (h hungOutbox) Notify([]alerting.Notification) { <-h.let }

// An alert is printed although the outbox waits for its disk.
func TestConsoleDoesNotWaitForTheOutbox(t *testing.T) {
	cfg := Defaults()
	cfg.Components, cfg.Addr, cfg.Data = presets["concurrent"], "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl")
	var stdout lockedBuffer
	p, err := Open(cfg, &stdout, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer p.release()
	hung := hungOutbox{let: make(chan struct{})}
	for i, member := range p.notifier.(notify.Multi) {
		if box, ok := member.(*outbox.Outbox); ok {
			hung.Notifier = box
			p.notifier.(notify.Multi)[i] = hung
		}
	}
	if hung.Notifier == nil {
		t.Fatal("there is no outbox")
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		p.notifier.Notify([]alerting.Notification{alerting.NewNotification(alerting.StatusFiring, alerting.Alert{Summary: "cpu"}, time.Now())})
	}()
	for deadline := time.Now().Add(10 * time.Second); stdout.String() == "" && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if got := stdout.String(); !strings.HasSuffix(got, "[ALERT] cpu\n") {
		t.Errorf("printed %q", got)
	}
	select {
	case <-told:
		t.Error("the outbox did not hang")
	default:
	}
	close(hung.let)
	<-told
}
