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

// maxArrivals bounds how many different alerts a receiver remembers.
const maxArrivals = 2 * maxAlertProbes

// notification is the part of Alertmanager's webhook JSON, version 4, that a
// trial reads.
type notification struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status   string            `json:"status"`
		Labels   map[string]string `json:"labels"`
		StartsAt time.Time         `json:"startsAt"`
	} `json:"alerts"`
}

// firing is an alert of which a webhook call told, and since when the server knows it.
type firing struct {
	key      string
	startsAt time.Time
}

// keyOf names an alert by its probe; one that is of none by the rule.
func keyOf(labels map[string]string) string {
	if probe := labels["probe"]; probe != "" {
		return probe
	}
	return labels["alertname"]
}

// arrival is the first call that told of an alert.
type arrival struct{ at, startsAt time.Time }

// parseNotification returns the firing alerts in a webhook body.
func parseNotification(body []byte) ([]firing, error) {
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, fmt.Errorf("parse notification: %w", err)
	}
	if n.Version != "4" {
		return nil, fmt.Errorf("parse notification: version %.20q, want \"4\"", n.Version)
	}
	var all []firing
	for _, a := range n.Alerts {
		if a.Status == "firing" {
			all = append(all, firing{keyOf(a.Labels), a.StartsAt})
		}
	}
	return all, nil
}

// receiver is a webhook endpoint that remembers when each alert first fired. It
// is safe for concurrent use.
type receiver struct {
	http     *http.Server
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex
	first   map[string]arrival
	bad     int
	arrived chan struct{} // holds a token after news
}

// listenWebhook starts a receiver on a free loopback port.
func listenWebhook() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	r := &receiver{listener: listener, first: map[string]arrival{}, arrived: make(chan struct{}, 1)}
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
	var alerts []firing
	if err == nil {
		alerts, err = parseNotification(raw)
	}
	if err != nil {
		r.noteBad()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.note(alerts, at)
}

func (r *receiver) noteBad() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad++
}

func (r *receiver) note(alerts []firing, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range alerts {
		if _, known := r.first[a.key]; !known && len(r.first) < maxArrivals {
			r.first[a.key] = arrival{at, a.startsAt}
		}
	}
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// firsts returns a copy of the first arrivals and the number of calls that could
// not be understood.
func (r *receiver) firsts() (map[string]arrival, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := make(map[string]arrival, len(r.first))
	maps.Copy(first, r.first)
	return first, r.bad
}

// await returns when n alerts have arrived or ctx ends.
func (r *receiver) await(ctx context.Context, n int) {
	await(ctx, r.arrived, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.first) >= n
	})
}

// close ends the receiver and waits for it. It may be called more than once.
func (r *receiver) close() {
	_ = r.http.Close() // nothing is in flight that anybody waits for
	r.serving.Wait()
}
