package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// hostile is a webhook receiver that fails in every way that receivers do, in phases of
// random length, and keeps books of what it took.
type hostile struct {
	t       *testing.T
	address string
	stopped chan struct{}
	phases  sync.WaitGroup // change
	served  sync.WaitGroup // one for each time that it listens

	mu     sync.Mutex
	server *http.Server
	phase  string
	good   bool // for ever
	count  map[string]int

	bodies    map[string][32]byte // by the key of the payload
	what      map[string]string   // by the key of the alert: what it is about
	keys      map[string]string   // and the other way round
	delivered map[string]int      // by the key of the alert
	last      map[string]string   // by fingerprint: the newest transition
	again     int
	disorder  int
	abused    int
}

var hostilePhases = []string{"works", "answers 500", "answers 503 with Retry-After", "stalls", "resets", "takes it and resets", "is down"}

func newHostile(t *testing.T, seed uint64) *hostile {
	h := &hostile{
		t: t, address: "127.0.0.1:0", stopped: make(chan struct{}), phase: "works", count: map[string]int{},
		bodies: map[string][32]byte{}, what: map[string]string{}, keys: map[string]string{}, delivered: map[string]int{}, last: map[string]string{},
	}
	for _, phase := range hostilePhases {
		h.count[phase] = 0
	}
	h.listen()
	h.phases.Go(func() { h.change(rand.New(rand.NewPCG(seed, 2))) })
	t.Cleanup(func() {
		h.behave()
		h.phases.Wait()
		_ = h.server.Close()
		h.served.Wait()
	})
	return h
}

func (h *hostile) url() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return "http://" + h.address + "/hook"
}

// listen takes the address again that it had.
func (h *hostile) listen() {
	h.mu.Lock()
	address := h.address
	h.mu.Unlock()
	var l net.Listener
	var err error
	for range 100 {
		if l, err = net.Listen("tcp", address); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		h.t.Errorf("receiver: %v", err)
		return
	}
	server := &http.Server{Handler: h}
	h.mu.Lock()
	h.address, h.server = l.Addr().String(), server
	h.mu.Unlock()
	h.served.Go(func() { _ = server.Serve(l) }) // ends when it is closed
}

// behave ends all faults.
func (h *hostile) behave() {
	h.mu.Lock()
	first := !h.good
	h.good = true
	h.mu.Unlock()
	if first {
		close(h.stopped)
	}
}

// change goes through the phases, each once and then in any order.
func (h *hostile) change(random *rand.Rand) {
	for i := 0; ; i++ {
		phase := hostilePhases[random.IntN(len(hostilePhases))]
		if i < len(hostilePhases) {
			phase = hostilePhases[i]
		}
		h.mu.Lock()
		h.phase = phase
		server := h.server
		h.mu.Unlock()
		if phase == "is down" {
			_ = server.Close()
		}
		ended := false
		select {
		case <-time.After(100*time.Millisecond + time.Duration(random.Int64N(int64(800*time.Millisecond)))):
		case <-h.stopped:
			ended = true
		}
		if phase == "is down" {
			h.mu.Lock()
			h.count[phase]++
			h.mu.Unlock()
			h.listen()
		}
		if ended {
			h.mu.Lock()
			h.phase = "works"
			h.mu.Unlock()
			return
		}
	}
}

// fails tells whether the receiver fails at present.
func (h *hostile) fails() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phase != "works"
}

// ServeHTTP implements http.Handler.
func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed while it sent
	}
	h.mu.Lock()
	phase := h.phase
	if phase != "is down" {
		h.count[phase]++
	}
	if phase == "works" || phase == "takes it and resets" {
		h.take(r.Header.Get("Idempotency-Key"), body)
	}
	h.mu.Unlock()
	switch phase {
	case "answers 500":
		w.WriteHeader(http.StatusInternalServerError)
	case "answers 503 with Retry-After":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case "stalls":
		select {
		case <-r.Context().Done():
		case <-h.stopped:
		case <-time.After(2 * time.Second):
		}
		reset(w)
	case "resets", "takes it and resets":
		reset(w)
	}
}

// reset ends a connection without an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// take writes a payload into the books. It is called with mu held.
func (h *hostile) take(key string, body []byte) {
	var payload webhookBody
	if err := json.Unmarshal(body, &payload); err != nil || key == "" {
		h.t.Errorf("payload %.100s with key %q: %v", body, key, err)
		return
	}
	sum := sha256.Sum256(body)
	if before, known := h.bodies[key]; known && before == sum {
		h.again++
		return // a repeat, which its key tells: whoever has seen it ignores it
	} else if known {
		h.abused++
	}
	h.bodies[key] = sum
	for _, a := range payload.Alerts {
		if a.Status != "firing" && a.Status != "resolved" || a.Fingerprint == "" || a.IdempotencyKey == "" {
			h.t.Errorf("alert %+v", a)
		}
		what := fmt.Sprintf("%s %s %d %s", a.Fingerprint, a.Labels["alertname"], a.StartsAt.UnixNano(), a.Status)
		if before, known := h.what[a.IdempotencyKey]; known && before != what {
			h.abused++
		}
		if before, known := h.keys[what]; known && before != a.IdempotencyKey {
			h.abused++
		}
		h.what[a.IdempotencyKey], h.keys[what] = what, a.IdempotencyKey
		h.delivered[a.IdempotencyKey]++
		// In the order of transitions: by time, and firing before resolved.
		if order := fmt.Sprintf("%020d %s", a.StartsAt.UnixNano(), a.Status); order >= h.last[a.Fingerprint] {
			h.last[a.Fingerprint] = order
		} else {
			h.disorder++
		}
	}
}
