package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxNotification bounds the body of one webhook call.
const maxNotification = 4 << 20

// maxAlertNames bounds how many different names a receiver remembers.
const maxAlertNames = 10_000

// notification is the part of Alertmanager's webhook JSON, version 4, that a
// trial reads.
type notification struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status string            `json:"status"`
		Labels map[string]string `json:"labels"`
	} `json:"alerts"`
}

// parseNotification returns the names of the firing alerts in a webhook body.
func parseNotification(body []byte) ([]string, error) {
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, fmt.Errorf("parse notification: %w", err)
	}
	if n.Version != "4" {
		return nil, fmt.Errorf("parse notification: version %.20q, want \"4\"", n.Version)
	}
	var firing []string
	for _, a := range n.Alerts {
		if a.Status == "firing" {
			firing = append(firing, a.Labels["alertname"])
		}
	}
	return firing, nil
}

// receiver is a webhook endpoint that remembers when each alert first fired. It
// is safe for concurrent use.
type receiver struct {
	http     *http.Server
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex
	first   map[string]time.Time
	bad     int
	arrived chan struct{} // holds a token after news
}

// listenWebhook starts a receiver on a free loopback port.
func listenWebhook() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	r := &receiver{listener: listener, first: map[string]time.Time{}, arrived: make(chan struct{}, 1)}
	r.http = &http.Server{Handler: http.HandlerFunc(r.receive), ReadTimeout: requestTimeout, WriteTimeout: requestTimeout}
	r.serving.Go(func() {
		if err := r.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			r.noteBad() // a receiver that cannot listen must not look like silence
		}
	})
	return r, nil
}

func (r *receiver) url() string { return "http://" + r.listener.Addr().String() + "/webhook" }

func (r *receiver) receive(w http.ResponseWriter, request *http.Request) {
	at := time.Now() // before the body: arrival is when the call reached us
	body := http.MaxBytesReader(w, request.Body, maxNotification)
	var raw json.RawMessage
	err := json.NewDecoder(body).Decode(&raw)
	var names []string
	if err == nil {
		names, err = parseNotification(raw)
	}
	if err != nil {
		r.noteBad()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.note(names, at)
}

func (r *receiver) noteBad() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad++
}

func (r *receiver) note(names []string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		if _, known := r.first[name]; !known && len(r.first) < maxAlertNames {
			r.first[name] = at
		}
	}
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// firsts returns a copy of the first arrivals and the number of calls that could
// not be understood.
func (r *receiver) firsts() (map[string]time.Time, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := make(map[string]time.Time, len(r.first))
	maps.Copy(first, r.first)
	return first, r.bad
}

// await returns when n names have arrived or ctx ends.
func (r *receiver) await(ctx context.Context, n int) {
	for {
		r.mu.Lock()
		have := len(r.first)
		r.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-r.arrived:
		case <-ctx.Done():
			return
		}
	}
}

// close ends the receiver and waits for it. It may be called more than once.
func (r *receiver) close() {
	_ = r.http.Close() // nothing is in flight that anybody waits for
	r.serving.Wait()
}
