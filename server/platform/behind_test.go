package platform

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/query"
	"phase0/server/query/parallel"
	"phase0/server/sample"
	"phase0/server/storage"
)

// slowPast is an engine that cannot read what alerting asks for at its start, and then does so
// when it is let go.
type slowPast struct {
	*parallel.Engine
	asked, fails atomic.Int64
	let          chan struct{}
}

func (s *slowPast) Select(ctx context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	if sel.Bytes > 0 {
		s.asked.Add(1)
		if s.fails.Add(-1) >= 0 {
			return query.Stats{}, errors.New("no disk")
		}
		select {
		case <-s.let:
		case <-ctx.Done():
			return query.Stats{}, ctx.Err()
		}
	}
	return s.Engine.Select(ctx, sel, yield)
}

// While alerting reads what was stored before, health says starting and why, samples are taken,
// stored and found, an attempt that fails is counted, and alerts know all of it afterwards.
func TestSamplesAreStoredWhileAlertingReads(t *testing.T) {
	e := &slowPast{let: make(chan struct{})}
	e.fails.Store(1)
	queries["slow"] = func(s storage.Store) query.Engine { e.Engine = parallel.New(s); return e }
	defer delete(queries, "slow")
	dir := t.TempDir()
	cfg := Defaults()
	cfg.Components, cfg.Query = presets["concurrent"], "slow"
	cfg.Addr, cfg.Data, cfg.RulesFile = "127.0.0.1:0", filepath.Join(dir, "m.jsonl"), filepath.Join(dir, "rules.yml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(cfg.RulesFile, "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'count_over_time(a[1h]) > 0'}\n")
	write(cfg.Data, string(sample.AppendLine(nil, sample.Sample{Name: "a", Value: 1, Timestamp: time.Now().UnixMilli()})))
	p, err := Open(cfg, io.Discard, zerolog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	transport := &http.Transport{}
	ask := func(path, body string) string {
		t.Helper()
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	eventually := func(path, want string) {
		t.Helper()
		got := ""
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if got = ask(path, ""); strings.Contains(got, want) {
				return
			}
		}
		t.Errorf("%s: %s, want %s", path, got, want)
	}
	eventually("/health", `{"status":"starting","queue_size":0,"reason":"alerting is still reading what is stored: read samples of \"a\": no disk"}`)
	eventually("/metrics", "\nphase0_alert_evaluation_errors_total 1\n")
	for range 20 {
		ask("/metrics", `{"name":"a","value":1}`)
	}
	eventually("/metrics", "\nphase0_samples_stored_total 20\n")
	eventually("/query?name=a&agg=count", `"count":21`)
	if got := ask("/health", ""); !strings.HasPrefix(got, `{"status":"starting",`) {
		t.Errorf("health: %s", got)
	}
	close(e.let)
	eventually("/health", `{"status":"healthy","queue_size":0}`)
	eventually("/alerts", `"value":21`)
	ask("/metrics", `{"name":"a","value":1}`)
	eventually("/alerts", `"value":22`)
	transport.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
