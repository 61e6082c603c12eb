package ingest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// failingListener fails to accept until it is closed, and counts how often.
type failingListener struct {
	err    error
	tries  atomic.Int64
	closed chan struct{}
}

func (l *failingListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
		l.tries.Add(1)
		return nil, l.err
	}
}
func (l *failingListener) Close() error   { close(l.closed); return nil }
func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{} }

// Running out of file descriptors must neither end the server nor make it spin.
func TestAcceptErrorsAreWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &failingListener{err: syscall.EMFILE, closed: make(chan struct{})}
		l := &Listener{inner: inner, log: zerolog.Nop(), maxConns: 1, closing: make(chan struct{})}
		done := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			done <- err
		}()
		time.Sleep(time.Minute)
		if n := inner.tries.Load(); n < 30 || n > 120 {
			t.Errorf("%d tries in a minute", n)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
	})
}

func listen(t *testing.T, maxConns int) *Listener {
	t.Helper()
	l, err := Listen("127.0.0.1:0", maxConns, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// pair returns both ends of an accepted connection.
func pair(t *testing.T, l *Listener) (client *net.TCPConn, server *Conn) {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*Conn)
}

func TestConnectionAboveTheLimitIsTold(t *testing.T) {
	l := listen(t, 1)
	_, first := pair(t, l)
	go func() { _, _ = l.Accept() }() // refuses, then waits
	surplus, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer surplus.Close()
	resp, err := http.ReadResponse(bufio.NewReader(surplus), nil)
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("surplus connection: %v, %v", resp, err)
	}
	if l.Conns() != 1 || l.Refused() != 1 {
		t.Errorf("%d connections, %d refused", l.Conns(), l.Refused())
	}
	for range 2 { // closing twice gives one place back
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	if l.Conns() != 0 {
		t.Errorf("%d connections after close", l.Conns())
	}
}

func TestDropSilent(t *testing.T) {
	l := listen(t, 3)
	_, silent := pair(t, l)
	talker, talking := pair(t, l)
	if _, err := io.WriteString(talker, "GET"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(talking, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	l.DropSilent()
	if _, err := silent.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("silent connection: %v", err)
	}
	// A deadline that is set afterwards does not bring it back, nor a new connection.
	if err := silent.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("silent connection with a new deadline: %v", err)
	}
	if _, err := io.WriteString(talker, " "); err != nil {
		t.Fatal(err)
	}
	if err := talking.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := talking.Read(make([]byte, 1)); err != nil {
		t.Errorf("connection with a request under way: %v", err)
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// An answer that is written before the body was read arrives whole; a plain close
// would reset the connection and could take it back.
func TestLinger(t *testing.T) {
	l := listen(t, 1)
	client, server := pair(t, l)
	if _, err := io.WriteString(client, strings.Repeat("x", 100_000)); err != nil {
		t.Fatal(err)
	}
	go func() {
		server.Linger()
		_, _ = io.WriteString(server, "too large")
		_ = server.Close()
	}()
	got, err := io.ReadAll(client)
	if err != nil || string(got) != "too large" {
		t.Errorf("client read %q, %v", got, err)
	}
}
