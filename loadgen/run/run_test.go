package run

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// config is a run against a server that answers with handle.
func config(t *testing.T, handle http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		URL: u, Method: "POST", Model: Open, RPS: 200, Connections: 4,
		Timeout: 20 * time.Second, KeepAlive: true, RunID: NewRunID(),
	}
}

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

func TestRatesAreOverTheWindow(t *testing.T) {
	cfg := config(t, accept)
	cfg.Duration = 250 * time.Millisecond
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if res.Accounting.Sent != 50 || res.WindowSeconds < 0.25 || res.AchievedRPS != 50/res.WindowSeconds {
		t.Errorf("%d sent in %v s: %v rps", res.Accounting.Sent, res.WindowSeconds, res.AchievedRPS)
	}
	if res.Generator.CPUSeconds <= 0 || res.Generator.CPUs < 1 || !res.End.After(res.Start) {
		t.Errorf("generator %+v from %v to %v", res.Generator, res.Start, res.End)
	}
}

func TestClosedModelIsBoundedByDurationOrCount(t *testing.T) {
	cfg := config(t, accept)
	cfg.Model, cfg.Duration = Closed, 100*time.Millisecond
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if res.WindowSeconds < 0.1 || res.Accounting.Accepted == 0 || res.OfferedRPS != 0 {
		t.Errorf("window %v s, accepted %d, offered %v", res.WindowSeconds, res.Accounting.Accepted, res.OfferedRPS)
	}
	cfg.Duration, cfg.Requests = time.Hour, 50
	if res, err = Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if res.Accounting.Scheduled != 50 || res.WindowSeconds > 60 {
		t.Errorf("%d scheduled in %v s", res.Accounting.Scheduled, res.WindowSeconds)
	}
}

func TestInterruptedRunHasTheWindowItHad(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	cfg := config(t, func(w http.ResponseWriter, r *http.Request) {
		accept(w, r)
		if n.Add(1) == 20 {
			cancel()
		}
	})
	cfg.Duration = time.Hour
	res, err := Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	longest := res.ElapsedSeconds + 1/cfg.RPS
	if !res.Interrupted || res.WindowSeconds > longest || res.AchievedRPS < 10/longest {
		t.Errorf("interrupted %v after %v s, window %v s, %v rps", res.Interrupted, res.ElapsedSeconds, res.WindowSeconds, res.AchievedRPS)
	}
}

func TestProgressIsTold(t *testing.T) {
	cfg := config(t, accept)
	cfg.Duration = 2 * progressInterval
	var told atomic.Int64
	cfg.Progress = func(elapsed time.Duration, p record.Progress) {
		if p.Sent > 0 && elapsed > 0 {
			told.Add(1)
		}
	}
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if told.Load() == 0 {
		t.Error("nothing told")
	}
}

func TestRunIDsDiffer(t *testing.T) {
	if a, b := NewRunID(), NewRunID(); a == b || len(a) != 8 {
		t.Errorf("run ids %s and %s", a, b)
	}
}

// Queries that are slow near the end of the run have their timeout all the same.
func TestQueriesAreNotCutOff(t *testing.T) {
	cfg := config(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			time.Sleep(150 * time.Millisecond)
		}
		w.WriteHeader(http.StatusOK)
	})
	cfg.Duration, cfg.QueryRPS = 200*time.Millisecond, 50
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if a := res.Queries.Accounting; a.Scheduled != 10 || a.Answered != 10 {
		t.Errorf("queries %+v", a)
	}
}
