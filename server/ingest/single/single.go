// Package single is the seed's ingest: one goroutine accepts a connection, reads
// one request, answers it, closes, and only then accepts the next. A client that
// is slow to send holds everybody up, for ReadTimeout at most. That is the
// bottleneck it is here to show.
package single

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/valyala/fasthttp"

	"phase0/server/ingest"
)

// Server implements ingest.Server. Create it with New.
type Server struct {
	http *fasthttp.Server
	done chan struct{} // closed when the loop has ended

	mu       sync.Mutex
	ln       *ingest.Listener
	shutdown bool
}

// New returns a server that answers one request per connection.
func New(o ingest.Options) *Server {
	http := ingest.NewHTTP(o)
	http.DisableKeepalive = true
	return &Server{http: http, done: make(chan struct{})}
}

// Serve is the accept loop.
func (s *Server) Serve(ln *ingest.Listener) error {
	defer close(s.done)
	if !s.begin(ln) {
		return nil
	}
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		// What goes wrong with one client was answered and counted; the loop goes on.
		_ = s.http.ServeConn(c)
	}
}

func (s *Server) begin(ln *ingest.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ln = ln
	return !s.shutdown
}

// Shutdown implements ingest.Server.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	ln := s.ln
	s.shutdown = true
	s.mu.Unlock()
	if ln == nil {
		return nil
	}
	_ = ln.Close() // it was open; nothing to do about an error
	ln.DropSilent()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		ln.CutOff()
		<-s.done
		return ctx.Err()
	}
}
