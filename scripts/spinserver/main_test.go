package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	good := map[string]options{
		"":                             {spin: 30 * time.Microsecond},
		"-port 8080 -spin 1ms":         {port: 8080, spin: time.Millisecond},
		"-slowdown 5%":                 {spin: 30 * time.Microsecond, slowdown: 0.05},
		"-slowdown=0.5 -spin 0s":       {slowdown: 0.5},
		"-slowdown 100% -spin=1s":      {spin: time.Second, slowdown: 1},
		"-slowdown 0.5% -port=0":       {spin: 30 * time.Microsecond, slowdown: 0.005},
		"-spin 30us -slowdown 0% ":     {spin: 30 * time.Microsecond},
		"-port 65535 -slowdown 2.5e-2": {port: 65535, spin: 30 * time.Microsecond, slowdown: 0.025},
	}
	for args, want := range good {
		if got, err := parse(strings.Fields(args)); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", args, got, err, want)
		}
	}
	for _, args := range []string{"-port -1", "-port 70000", "-spin -1s", "-spin 2s", "-slowdown 101%", "-slowdown -1%", "-slowdown NaN", "-slowdown five", "-unknown", "8080"} {
		if _, err := parse(strings.Fields(args)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want a usage error", args, err)
		}
	}
}

func TestServes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-slowdown", "5%", "-spin", "1µs"}, writer) }()
	line, err := bufio.NewReader(reader).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("said %q, %v", line, err)
	}
	response, err := http.Post("http://"+address+"/metrics", "application/json", strings.NewReader(`{"name":"a","value":1}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusAccepted || string(body) != `{"status":"accepted"}` {
		t.Errorf("%d %q, %v", response.StatusCode, body, err)
	}
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// However much a request costs outside of the handler, the extra becomes the share of
// it, and does not grow on itself.
func TestCalibration(t *testing.T) {
	const outside = 20 * time.Microsecond // per request, besides spin and extra
	s := newSpinner(0, 0.05)
	var requests int64
	s.cpu = func() time.Duration { return time.Duration(requests)*outside + time.Duration(s.added.Load()) }
	s.used = 0
	for requests = 1; requests <= 6*calibrateEvery; requests++ {
		s.work()
	}
	if got, want := float64(s.extra.Load()), 0.05*float64(outside); math.Abs(got/want-1) > 0.001 {
		t.Errorf("extra %v ns per request, want %v", got, want)
	}
	// It spins by the clock, so that it may overshoot by one look at it and by whatever
	// takes the core away; on average it must not be short.
	if added, least := s.added.Load(), int64(0.05*float64(outside))*5*calibrateEvery*99/100; added < least {
		t.Errorf("%d ns added, at least %d were due", added, least)
	}
}

func TestBaselineDoesNotCalibrate(t *testing.T) {
	s := newSpinner(time.Microsecond, 0)
	s.cpu = func() time.Duration { t.Error("looked at the CPU time"); return 0 }
	for range 2 * calibrateEvery {
		s.work()
	}
}
