package platform

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/disk"
	"phase0/server/sample"
	"phase0/server/storage"
)

// slowStore takes its time for every sample, like a worn disk.
type slowStore struct {
	storage.Store
	each time.Duration
}

func (s slowStore) Append(ctx context.Context, samples []sample.Sample) (int, error) {
	for i := range samples {
		select {
		case <-time.After(s.each):
		case <-ctx.Done():
			return i, ctx.Err()
		}
		if _, err := s.Store.Append(ctx, samples[i:i+1]); err != nil {
			return i, err
		}
	}
	return len(samples), nil
}

// A queue that cannot be drained in time is given up, and said so with the number.
func TestShutdownTimeout(t *testing.T) {
	storages["slow"] = func(fsys disk.FS, path string) (storage.Store, error) {
		inner, err := storages["jsonl"](fsys, path)
		return slowStore{inner, 20 * time.Millisecond}, err
	}
	defer delete(storages, "slow")
	cfg := Defaults()
	cfg.Addr, cfg.Data, cfg.Storage = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl"), "slow"
	cfg.ShutdownTimeout = 300 * time.Millisecond
	var stdout bytes.Buffer
	p, err := Open(cfg, &stdout, zerolog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	awaitHealthy(t, p)
	body := `{"metrics":[` + strings.Repeat(`{"name":"a","value":1},`, 999) + `{"name":"a","value":1}]}`
	resp, err := http.Post("http://"+p.Addr()+"/metrics", "application/json", strings.NewReader(body))
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	begin := time.Now()
	cancel()
	err = <-ended
	if !errors.Is(err, ErrNotStored) || !strings.Contains(err.Error(), "of 1000") {
		t.Errorf("Run: %v", err)
	}
	// 1000 samples at 20 ms would be 20 s.
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	if strings.Contains(stdout.String(), "Shutdown complete.") {
		t.Errorf("printed:\n%s", &stdout)
	}
}

// hungStore is on a disk that does not answer, whoever gives it up.
type hungStore struct {
	storage.Store
	begun, let chan struct{}
}

func (s hungStore) Append(_ context.Context, samples []sample.Sample) (int, error) {
	s.begun <- struct{}{}
	<-s.let
	return s.Store.Append(context.Background(), samples)
}

// A shutdown that a disk holds up is left alone when its time is up, and says what is missing.
func TestShutdownHangs(t *testing.T) {
	begun, let := make(chan struct{}, 1), make(chan struct{})
	storages["hung"] = func(fsys disk.FS, path string) (storage.Store, error) {
		inner, err := storages["jsonl"](fsys, path)
		return hungStore{inner, begun, let}, err
	}
	defer delete(storages, "hung")
	cfg := Defaults()
	cfg.Addr, cfg.Data, cfg.Storage = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl"), "hung"
	cfg.ShutdownTimeout = 100 * time.Millisecond
	p, err := Open(cfg, io.Discard, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	awaitHealthy(t, p)
	resp, err := http.Post("http://"+p.Addr()+"/metrics", "application/json", strings.NewReader(`{"name":"a","value":1}`))
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	<-begun
	begin := time.Now()
	cancel()
	err = <-ended
	if took := time.Since(begin); !errors.Is(err, ErrNotStored) || !strings.Contains(err.Error(), "1 of 1") || !strings.Contains(err.Error(), "shutdown hangs") || took > 5*time.Second {
		t.Errorf("Run: %v after %v", err, took)
	}
	close(let)
	awaitRelease(t, cfg.Data)
	if text, err := os.ReadFile(cfg.Data); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("the disk answered after all: %q, %v", text, err)
	}
}

// awaitRelease returns when the platform that was left alone has ended.
func awaitRelease(t *testing.T, data string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		lock, err := disk.Acquire(data)
		if err == nil {
			if err := lock.Release(); err != nil {
				t.Error(err)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// A start, a life and a shutdown whose output nobody reads are a clean end.
func TestUnreadOutputIsNoFailure(t *testing.T) {
	cfg := Defaults()
	cfg.Addr, cfg.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl")
	cfg.ShutdownTimeout = 500 * time.Millisecond // less than what a reader is waited for
	stdout := unread{make(chan struct{})}
	var stderr lockedBuffer
	p, err := Open(cfg, stdout, zerolog.New(&stderr))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	awaitHealthy(t, p)
	begin := time.Now()
	cancel()
	err = <-ended
	if took := time.Since(begin); err != nil || took > 10*time.Second || strings.Count(stderr.String(), "lines are missing on standard output") != 1 {
		t.Errorf("Run: %v after %v; %s", err, took, stderr.String())
	}
	close(stdout.let)
}

func TestModesAreComplete(t *testing.T) {
	for name, components := range presets {
		if err := components.validate(); err != nil {
			t.Errorf("mode %s: %v", name, err)
		}
	}
	if got := (Components{Ingest: "concurrent"}).Or(presets["single"]).String(); got != "ingest=concurrent queue=memory storage=jsonl query=scan alerting=poll" {
		t.Errorf("one component replaced: %s", got)
	}
}
