package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
)

// endless is an engine whose queries last until they are ended; it tells why they were.
type endless struct{ begun, ended chan error }

func (e endless) Select(ctx context.Context, _ query.Selector, _ func(sample.Sample) bool) (query.Stats, error) {
	e.begun <- nil
	<-ctx.Done()
	e.ended <- context.Cause(ctx)
	return query.Stats{}, context.Cause(ctx)
}

func (e endless) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return e.Select(ctx, sel, f.Add)
}

// A query ends when the client that asked it closes its connection, in both modes and
// over real sockets; a client that waits is waited for.
func TestQueryEndsWithItsClient(t *testing.T) {
	e := endless{make(chan error, 2), make(chan error, 2)}
	queries["endless"] = func(storage.Store) query.Engine { return e }
	defer delete(queries, "endless")
	for _, mode := range []string{"single", "concurrent"} {
		cfg := Defaults()
		cfg.Components, cfg.Query = presets[mode], "endless"
		cfg.Addr, cfg.Data, cfg.ShutdownTimeout = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl"), 5*time.Second
		var stdout bytes.Buffer
		p, err := Open(cfg, &stdout, zerolog.New(io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		awaitHealthy(t, p)
		for _, parameters := range []string{"name=a", "name=a&agg=p99"} {
			c, err := net.Dial("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET /query?%s HTTP/1.1\r\nHost: x\r\n\r\n", parameters)
			<-e.begun
			select {
			case err := <-e.ended:
				t.Errorf("%s, %s: ended while the client waits: %v", mode, parameters, err)
			case <-time.After(200 * time.Millisecond): // four looks at the connection
			}
			c.Close()
			select {
			case err := <-e.ended:
				if err == nil || errors.Is(err, context.Canceled) {
					t.Errorf("%s, %s: ended by %v", mode, parameters, err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s, %s: goes on without its client", mode, parameters)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
