//go:build !race

// The race detector makes sync.Pool drop things at random, so allocations are counted
// without it.

package platform

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// allocationLimit is what a sample may cost in bytes, from its arrival in a batch of
// 1,000 to the file.
const allocationLimit = 8

// Batches go the whole way: socket, handler, queue, consumer, file. Everything that the
// process allocates meanwhile is charged to them.
func TestBatchesDoNotAllocate(t *testing.T) {
	const batch, warm, counted = 1000, 100, 1000
	cfg := Defaults()
	cfg.Components = presets["concurrent"]
	cfg.Addr, cfg.Data, cfg.AlertInterval = "127.0.0.1:0", filepath.Join(t.TempDir(), "m.jsonl"), time.Hour
	p, err := Open(cfg, io.Discard, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	awaitHealthy(t, p)

	samples := make([]string, batch)
	for i := range samples {
		samples[i] = fmt.Sprintf(`{"name":"cpu_%d","value":%d.5}`, i, i)
		if i%2 == 1 {
			samples[i] = fmt.Sprintf(`{"name":"cpu","value":%d.5,"labels":{"zone":"eu","host":"h%d"}}`, i, i)
		}
	}
	body := `{"metrics":[` + strings.Join(samples, ",") + `]}`
	request := fmt.Appendf(nil, "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, want := make([]byte, 4096), []byte(`{"status":"accepted","count":1000}`)
	push := func(batches int) {
		for range batches {
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			read := 0
			for !bytes.HasSuffix(answer[:read], want) {
				n, err := conn.Read(answer[read:])
				if err != nil {
					t.Fatalf("%v after %q", err, answer[:read])
				}
				read += n
			}
			for p.queue.Stats().Depth > cfg.QueueLimit/2 {
				time.Sleep(time.Millisecond)
			}
		}
		for p.queue.Stats().Depth > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	push(warm)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	push(counted)
	runtime.ReadMemStats(&after)
	each := float64(after.TotalAlloc-before.TotalAlloc) / (counted * batch)
	t.Logf("%.3f bytes per sample", each)
	if each > allocationLimit {
		t.Errorf("%.2f bytes allocated per sample, want at most %d", each, allocationLimit)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if stored := p.consumer.Stored(); stored != (warm+counted)*batch {
		t.Errorf("%d samples stored", stored)
	}
}
