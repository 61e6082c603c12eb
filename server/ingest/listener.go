package ingest

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// refusals bounds how many surplus connections are told so at the same time;
// beyond it they are closed without a word.
const refusals = 64

// Pauses of the accept loop while the process has no file descriptor to spare.
const (
	firstAcceptPause   = 5 * time.Millisecond
	longestAcceptPause = time.Second
)

// tooManyConns is the whole answer to a connection above the limit.
const tooManyConnsBody = `{"error":"too many connections; come back in a second","code":"too_many_connections"}`

var tooManyConns = fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nServer: phase0\r\nContent-Type: application/json\r\n"+
	"Retry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(tooManyConnsBody), tooManyConnsBody)

// Listener accepts connections, counts them against a limit and survives running
// out of file descriptors. Create it with Listen.
type Listener struct {
	inner    net.Listener
	log      zerolog.Logger
	maxConns int
	slack    time.Duration // by which deadlines may be kept too soon
	closing  chan struct{}
	once     sync.Once
	maxBody  int64 // bytes, 0 = no limit
	draining atomic.Bool
	refused  atomic.Uint64
	slots    chan struct{} // one per refusal under way
	refusing sync.WaitGroup

	mu    sync.Mutex
	conns map[*Conn]struct{}
}

// Listen opens addr (host:port; port 0 picks a free one) for at most maxConns
// connections at a time.
func Listen(addr string, maxConns int, log zerolog.Logger) (*Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		_, port, _ := net.SplitHostPort(addr)
		return nil, fmt.Errorf("listen on %s: address already in use; end the program that holds it (lsof -i :%s) or choose another port with -addr", addr, port)
	}
	if err != nil {
		return nil, err
	}
	return &Listener{
		inner: ln, log: log, maxConns: maxConns,
		closing: make(chan struct{}),
		slots:   make(chan struct{}, refusals),
		conns:   make(map[*Conn]struct{}),
	}, nil
}

// Coalesce lets connections keep their deadlines by as much too soon as is little beside
// every timeout. It is called before Accept.
func (l *Listener) Coalesce(o Options) {
	l.slack = min(o.ReadTimeout, o.WriteTimeout, o.IdleTimeout) / earliness
}

// LimitBodies ends a request that announces a larger body as soon as it says so. It is
// called before Accept.
func (l *Listener) LimitBodies(maxBytes int) { l.maxBody = int64(maxBytes) }

// Accept implements net.Listener. It returns net.ErrClosed after Close and no
// other error: everything else is waited out.
func (l *Listener) Accept() (net.Conn, error) {
	pause := firstAcceptPause
	for {
		inner, err := l.inner.Accept()
		if err == nil {
			if c := l.admit(inner); c != nil {
				return c, nil
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, net.ErrClosed
		}
		if pause == firstAcceptPause {
			l.log.Error().Err(err).Msg("accept failed; trying again with growing pauses")
		}
		select {
		case <-time.After(pause):
		case <-l.closing:
			return nil, net.ErrClosed
		}
		pause = min(2*pause, longestAcceptPause)
	}
}

// admit returns nil when the connection is one too many.
func (l *Listener) admit(inner net.Conn) *Conn {
	c := &Conn{Conn: inner, listener: l}
	c.frames.MaxBody = l.maxBody
	l.mu.Lock()
	full := len(l.conns) >= l.maxConns
	if !full {
		l.conns[c] = struct{}{}
	}
	l.mu.Unlock()
	if !full {
		return c
	}
	l.refuse(c)
	return nil
}

func (l *Listener) refuse(c *Conn) {
	l.refused.Add(1)
	select {
	case l.slots <- struct{}{}:
	default:
		_ = c.Close() // nothing was promised to it
		return
	}
	l.refusing.Go(func() {
		defer func() { <-l.slots }()
		c.Linger()
		if c.SetWriteDeadline(time.Now().Add(lingerTime)) == nil {
			_, _ = c.Write(tooManyConns) // a client that is gone needs no answer
		}
		_ = c.Close()
	})
}

func (l *Listener) forget(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// DropSilent ends the wait for connections on which nothing was asked yet, now and
// from now on.
func (l *Listener) DropSilent() {
	l.draining.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.dropIfSilent() // fails only on a connection that is closed already
	}
}

// CutOff closes what is still open, answered or not.
func (l *Listener) CutOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Conn.Close()
	}
}

// Conns returns how many connections are open.
func (l *Listener) Conns() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// Refused returns how many connections were above the limit.
func (l *Listener) Refused() uint64 { return l.refused.Load() }

// Close stops accepting and waits for refusals under way. It may be called more
// than once.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closing)
		err = l.inner.Close()
		l.refusing.Wait()
	})
	return err
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }
