package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/alerting"
)

// limits bound what a slow receiver may cost.
type limits struct {
	queue    int           // payloads that wait
	alerts   int           // alerts of one payload
	delivery time.Duration // one delivery, from connecting to the last byte
	closing  time.Duration // what is still queued when Close is called
}

func defaults() limits {
	return limits{queue: 100, alerts: 500, delivery: 5 * time.Second, closing: 5 * time.Second}
}

// maxAnswer bounds the body of a receiver's answer, which nobody reads.
const maxAnswer = 64 << 10

// Webhook posts notifications to a URL, in order, one payload at a time, each tried
// once. What does not fit into its queue is dropped. Its goroutine ends with Close,
// which takes at most ten seconds: five for the queue, five for the last delivery.
type Webhook struct {
	url    string
	host   string // for the log: the URL may hold a secret
	limits limits
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
	return newWebhook(target, log, defaults())
}

func newWebhook(target string, log zerolog.Logger, l limits) (*Webhook, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !isPort(u.Port()) {
		return nil, errors.New("webhook must be a URL such as http://127.0.0.1:9093/hook")
	}
	w := &Webhook{
		url: target, host: u.Host, limits: l, log: log,
		client: &fasthttp.Client{
			Name:         "phase0",
			ReadTimeout:  l.delivery,
			WriteTimeout: l.delivery,
			// Without it a receiver on an IPv6 address is never reached.
			DialDualStack: true,
			// Each payload is tried once: fasthttp's own repeats would not be counted.
			MaxConnsPerHost:           1,
			MaxIdemponentCallAttempts: 1,
			MaxResponseBodySize:       maxAnswer,
		},
		queue: make(chan []alerting.Notification, l.queue),
		hurry: make(chan struct{}),
		done:  make(chan struct{}),
	}
	go w.deliver()
	return w, nil
}

// isPort accepts no port, too: the scheme has one.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// Notify implements alerting.Notifier.
func (w *Webhook) Notify(notifications []alerting.Notification) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(notifications) > 0 {
		n := min(w.limits.alerts, len(notifications))
		w.enqueue(notifications[:n])
		notifications = notifications[n:]
	}
}

func (w *Webhook) enqueue(notifications []alerting.Notification) {
	n := uint64(len(notifications))
	if w.closed {
		w.dropped.Add(n)
		return
	}
	select {
	case w.queue <- notifications:
	default:
		if first := w.dropped.Add(n) == n; first {
			w.log.Warn().Str("receiver", w.host).Msg("webhook is too slow; notifications are dropped and counted")
		}
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
	if err := w.client.DoTimeout(req, resp, w.limits.delivery); err != nil {
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
		hurry := time.AfterFunc(w.limits.closing, w.giveUp)
		defer hurry.Stop()
	}
	w.mu.Unlock()
	<-w.done
}

// giveUp makes deliver drop what is still queued.
func (w *Webhook) giveUp() {
	if queued := len(w.queue); queued > 0 {
		w.log.Warn().Str("receiver", w.host).Int("payloads", queued).Msg("webhook is too slow; what is still queued is dropped")
	}
	close(w.hurry)
}
