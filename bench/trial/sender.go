package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

const (
	// breachConnections are enough for breaches that a slow server has not answered yet.
	breachConnections = 64
	// breachSpin is how long before a breach is due its sender wakes up: Go's timers come up
	// to a millisecond late.
	breachSpin = 1200 * time.Microsecond
)

func breachClient() *http.Client {
	return &http.Client{
		Timeout:   ledgerTimeout,
		Transport: &http.Transport{MaxConnsPerHost: breachConnections, MaxIdleConnsPerHost: breachConnections, DisableCompression: true},
	}
}

// sender posts some requests at given moments from goroutines. The load generator's engines
// would be more exact, but they sleep in threads of their own, and a thread that sleeps
// keeps a processor of the runtime from those who wait for news: whoever stamps arrivals in
// the same process then learns of one in twenty of them 10 ms late.
type sender struct {
	url    string
	client *http.Client
	clock  *engine.Clock
	shard  *record.Shard
}

// all sends request i at moments[i] and waits for the answers. Those that are not due when
// ctx ends are never sent.
func (s sender) all(ctx context.Context, moments phases, body func(i int) string) {
	defer s.client.CloseIdleConnections()
	var sending sync.WaitGroup
	defer sending.Wait()
	for i, due := range moments {
		if !s.sleepUntil(ctx, due) {
			for _, due := range moments[i:] {
				s.shard.NeverSent(int64(due), s.clock.Now(), record.Interrupted)
			}
			return
		}
		text := body(i)
		sending.Go(func() { s.send(ctx, int64(i), int64(due), text) })
	}
}

func (s sender) sleepUntil(ctx context.Context, due time.Duration) bool {
	for {
		left := due - time.Duration(s.clock.Now())
		switch {
		case ctx.Err() != nil:
			return false
		case left <= 0:
			return true
		case left > breachSpin:
			pause(ctx, left-breachSpin)
		default:
			runtime.Gosched()
		}
	}
}

func (s sender) send(ctx context.Context, index, due int64, body string) {
	f := record.Flight{Index: index, Intended: due, Actual: s.clock.Now()}
	s.shard.Sent(f)
	s.shard.Lag(f, 0)
	status, err := s.post(ctx, body)
	now := s.clock.Now()
	var netErr net.Error
	switch {
	case err == nil:
		s.shard.Answered(f, now, status)
	case errors.As(err, &netErr) && netErr.Timeout():
		s.shard.TimedOut(f, now)
	case errors.Is(err, syscall.ECONNREFUSED):
		s.shard.Failed(f, now, record.Refused)
	default:
		s.shard.Failed(f, now, record.Other)
	}
}

func (s sender) post(ctx context.Context, body string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("post sample: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("post sample: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	return response.StatusCode, nil
}
