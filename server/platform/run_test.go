package platform

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
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
