package platform

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/query"
	"phase0/server/query/parallel"
	"phase0/server/storage"
)

// slowIndex is an engine that reads its index until it is let go.
type slowIndex struct {
	*parallel.Engine
	begun, let chan struct{}
}

func (s slowIndex) Prepare(ctx context.Context, _ func(done, total int64)) error {
	close(s.begun)
	select {
	case <-s.let:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// While the index is being read, health says starting and samples are taken and stored.
func TestHealthWhileStarting(t *testing.T) {
	e := slowIndex{begun: make(chan struct{}), let: make(chan struct{})}
	queries["slow"] = func(s storage.Store) query.Engine { e.Engine = parallel.New(s); return e }
	defer delete(queries, "slow")
	cfg := Defaults()
	cfg.Components, cfg.Query = presets["concurrent"], "slow"
	cfg.Addr, cfg.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl")
	var stdout bytes.Buffer
	p, err := Open(cfg, &stdout, zerolog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	ask := func(path, body string) (int, string) {
		t.Helper()
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	<-e.begun
	if status, body := ask("/health", ""); status != 503 || body != `{"status":"starting","queue_size":0}` {
		t.Errorf("while the index is read: %d %s", status, body)
	}
	if status, body := ask("/metrics", `{"name":"a","value":1,"timestamp":2}`); status != 202 {
		t.Errorf("a sample meanwhile: %d %s", status, body)
	}
	close(e.let)
	eventually := func(path, want string) {
		t.Helper()
		got := ""
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if _, got = ask(path, ""); got == want {
				return
			}
		}
		t.Errorf("%s: %s, want %s", path, got, want)
	}
	eventually("/health", `{"status":"healthy","queue_size":0}`)
	eventually("/query?name=a", `[{"name":"a","value":1,"timestamp":2}]`)
	transport.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
