package notify

import (
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

const (
	// queueLimit bounds the payloads that wait for a slow receiver.
	queueLimit = 100
	// payloadAlerts bounds the alerts of one payload.
	payloadAlerts = 500
	// deliveryTimeout bounds one delivery, from connecting to the last byte.
	deliveryTimeout = 5 * time.Second
	// closeTimeout bounds how long Close waits for what is queued.
	closeTimeout = 5 * time.Second
	maxAnswer    = 64 << 10
)

// Webhook posts notifications to a URL, in order, one payload at a time, each tried
// once. Its goroutine ends with Close.
type Webhook struct {
	url    string
	host   string // for the log: the URL may hold a secret
	client *fasthttp.Client
	log    zerolog.Logger

	mu     sync.Mutex // guards closed and sending into queue
	closed bool
	queue  chan []alerting.Notification
	hurry  chan struct{} // closed when Close has waited long enough
	done   chan struct{}

	sent, failed, dropped atomic.Uint64
}

// NewWebhook returns a notifier for target, an http or https URL.
func NewWebhook(target string, log zerolog.Logger) (*Webhook, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("webhook must be a URL such as http://127.0.0.1:9093/hook")
	}
	w := &Webhook{
		url: target, host: u.Host, log: log,
		client: &fasthttp.Client{
			Name:         "phase0",
			ReadTimeout:  deliveryTimeout,
			WriteTimeout: deliveryTimeout,
			// Each payload is tried once: fasthttp's own repeats would not be counted.
			MaxConnsPerHost:           1,
			MaxIdemponentCallAttempts: 1,
			MaxResponseBodySize:       maxAnswer,
		},
		queue: make(chan []alerting.Notification, queueLimit),
		hurry: make(chan struct{}),
		done:  make(chan struct{}),
	}
	go w.deliver()
	return w, nil
}

// Notify implements alerting.Notifier.
func (w *Webhook) Notify(notifications []alerting.Notification) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(notifications) > 0 {
		n := min(payloadAlerts, len(notifications))
		w.enqueue(notifications[:n])
		notifications = notifications[n:]
	}
}

func (w *Webhook) enqueue(notifications []alerting.Notification) {
	if !w.closed {
		select {
		case w.queue <- notifications:
			return
		default:
		}
	}
	n := uint64(len(notifications))
	if first := w.dropped.Add(n) == n; first {
		w.log.Warn().Str("receiver", w.host).Msg("webhook is too slow; notifications are dropped and counted")
	}
}

// deliver is the goroutine that posts.
func (w *Webhook) deliver() {
	defer close(w.done)
	for notifications := range w.queue {
		count := uint64(len(notifications))
		select {
		case <-w.hurry:
			w.dropped.Add(count)
			continue
		default:
		}
		if err := w.post(notifications); err != nil {
			w.failed.Add(count)
			w.log.Error().Err(err).Str("receiver", w.host).Uint64("notifications", count).Msg("webhook delivery failed")
			continue
		}
		w.sent.Add(count)
	}
}

func (w *Webhook) post(notifications []alerting.Notification) error {
	body, err := encode(notifications)
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(w.url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.SetBodyRaw(body)
	// Evaluations are seconds apart: a kept connection would often be one that the
	// receiver has closed meanwhile, and the payload would be lost on it.
	req.SetConnectionClose()
	if err := w.client.DoTimeout(req, resp, deliveryTimeout); err != nil {
		return fmt.Errorf("post notification: %w", err)
	}
	if status := resp.StatusCode(); status < 200 || status > 299 {
		return fmt.Errorf("post notification: receiver answered %d", status)
	}
	return nil
}

// Stats implements alerting.Notifier.
func (w *Webhook) Stats() alerting.Deliveries {
	return alerting.Deliveries{Sent: w.sent.Load(), Failed: w.failed.Load(), Dropped: w.dropped.Load()}
}

// Close implements alerting.Notifier.
func (w *Webhook) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
		hurry := time.AfterFunc(closeTimeout, func() { close(w.hurry) })
		defer hurry.Stop()
	}
	w.mu.Unlock()
	<-w.done
}
