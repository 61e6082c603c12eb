package notify

import (
	"context"
	"fmt"
)

// Webhook is a Receiver that posts to a URL, in Alertmanager's webhook JSON, version 4.
// The header Idempotency-Key and idempotencyKey of each alert, which version 4 does not
// have, tell what is a repeat.
type Webhook struct{ poster *poster }

// NewWebhook checks the target; nothing is sent.
func NewWebhook(target Target) (*Webhook, error) {
	p, err := newPoster(target, "webhook", "http://127.0.0.1:9093/hook")
	if err != nil {
		return nil, err
	}
	return &Webhook{p}, nil
}

// Name implements Receiver.
func (*Webhook) Name() string { return "webhook" }

// Deliver implements Receiver. A batch is one payload.
func (w *Webhook) Deliver(ctx context.Context, b Batch) error {
	body, err := encode(b.Notifications)
	if err != nil { // such as a year that JSON cannot have; it will be no better
		return fmt.Errorf("encode notification: %w: %w", err, ErrRefused)
	}
	return w.poster.post(ctx, b.Key, body)
}
