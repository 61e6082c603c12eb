package ingest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// shortListener is out of file descriptors for as many calls as fails says.
type shortListener struct {
	net.Listener
	fails int
}

func (l *shortListener) Accept() (net.Conn, error) {
	if l.fails--; l.fails >= 0 {
		return nil, syscall.EMFILE
	}
	c, _ := net.Pipe()
	return c, nil
}

// Pauses double up to a second, each shortage is logged once, and the next one starts
// with a short pause again.
func TestAcceptGoesOnAfterAShortage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		inner := &shortListener{}
		l := &Listener{inner: inner, log: zerolog.New(&log), maxConns: 10, closing: make(chan struct{}), conns: map[*Conn]struct{}{}}
		for _, tc := range []struct {
			fails int
			want  time.Duration
		}{
			{0, 0}, {3, 35 * time.Millisecond}, {10, 3275 * time.Millisecond}, {1, 5 * time.Millisecond},
		} {
			begin := time.Now()
			inner.fails = tc.fails
			if _, err := l.Accept(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != tc.want {
				t.Errorf("%d failures: %v, want %v", tc.fails, took, tc.want)
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 3 || l.Conns() != 4 {
			t.Errorf("%d lines for three shortages, %d connections:\n%s", n, l.Conns(), &log)
		}
	})
}

// A client that takes its answer and never hangs up is waited for a moment only.
func TestLingerIsBounded(t *testing.T) {
	l := listen(t, 1)
	_, server := pair(t, l)
	server.Linger()
	begin := time.Now()
	_ = server.Close() // that it returns is what counts
	if took := time.Since(begin); took < lingerTime || took > 20*time.Second {
		t.Errorf("Close took %v, want about %v", took, lingerTime)
	}
	if l.Conns() != 0 {
		t.Errorf("%d connections left", l.Conns())
	}
}

// However many come above the limit, each is refused, and Close waits for the answers.
func TestManyAboveTheLimit(t *testing.T) {
	l := listen(t, 1)
	pair(t, l)
	var accepting sync.WaitGroup
	accepting.Go(func() { _, _ = l.Accept() }) // ends with Close
	const surplus = 20
	var told sync.WaitGroup
	for range surplus {
		told.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != tooManyConnsBody || !resp.Close {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
	told.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	accepting.Wait()
	if l.Refused() != surplus || l.Conns() != 1 {
		t.Errorf("%d refused, %d connections", l.Refused(), l.Conns())
	}
}
