package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFamily(t *testing.T) {
	text := []byte("# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\nb 7\n# TYPE c gauge\nc 1.5\n")
	for name, want := range map[string]float64{"a": 5, "b": 7, "c": 1.5} {
		if got, err := family(text, name); err != nil || got != want {
			t.Errorf("%s: %v, error %v; want %v", name, got, err, want)
		}
	}
	if _, err := family(text, "d"); !errors.Is(err, errMissing) {
		t.Errorf("error %v, want errMissing", err)
	}
	if _, err := family([]byte("{"), "d"); err == nil {
		t.Error("no error for what is no metric")
	}
}

const vars = `{"memstats":{"TotalAlloc":500},"shard:/a:1":{"values":{"writePointsOk":2}},"shard:/b:2":{"values":{"writePointsOk":40}},"write":{"values":{"x":9}}}`

func TestInfluxVars(t *testing.T) {
	points, allocated, err := influxVars([]byte(vars))
	if err != nil || points != 42 || allocated != 500 {
		t.Errorf("%v points, %v bytes, error %v", points, allocated, err)
	}
	for _, text := range []string{"", "{}", `{"memstats":{"TotalAlloc":1},"shard:a":{"values":{}}}`, `{"memstats":{"TotalAlloc":1},"shard:a":7}`} {
		if _, _, err := influxVars([]byte(text)); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func FuzzInfluxVars(f *testing.F) {
	f.Add([]byte(vars))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _, _ = influxVars(text) })
}

func TestLinesBetween(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if n, err := size(path); err != nil || n != 0 {
		t.Errorf("a missing file has %v bytes, error %v", n, err)
	}
	if err := os.WriteFile(path, []byte("a\nbc\nd\ntorn"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to int64
		want     float64
	}{{0, 11, 3}, {2, 5, 1}, {2, 4, 0}, {5, 5, 0}} {
		if got, err := linesBetween(path, c.from, c.to); err != nil || got != c.want {
			t.Errorf("%d to %d: %v, error %v; want %v", c.from, c.to, got, err, c.want)
		}
	}
}

// TestCrowd lets clients drip and claim against a listener that ends each connection
// after a moment, and expects all to come back until they are stopped.
func TestCrowd(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	heads := make(chan string, 10_000)
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
				lines := bufio.NewReader(conn)
				for range 5 {
					line, err := lines.ReadString('\n')
					if err != nil {
						return
					}
					if length, ok := strings.CutPrefix(line, "Content-Length: "); ok {
						heads <- strings.TrimSpace(length)
					}
				}
			})
		}
	})
	c := newCrowd(ln.Addr().String(), armBoth)
	if len(c.kinds) != 2*slowClientsOf {
		t.Fatalf("%d clients", len(c.kinds))
	}
	c.spread = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	stop := c.start(ctx)
	if err := c.attached(ctx); err != nil {
		t.Error(err)
	}
	seen := map[string]int{}
	for len(seen) < 2 || seen["1000"] <= slowClientsOf || seen["1048576"] <= slowClientsOf { // some came back
		seen[<-heads]++
	}
	stop()
	cancel()
	ln.Close()
	serving.Wait()
	if len(seen) != 2 {
		t.Errorf("claimed lengths %v", seen)
	}
}
