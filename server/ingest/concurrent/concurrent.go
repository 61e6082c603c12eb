// Package concurrent is an ingest that serves many connections at once and keeps
// them alive between requests: a goroutine per connection from fasthttp's pool,
// bounded by Options.MaxConns.
package concurrent

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
	done chan struct{} // closed when Serve has ended

	mu       sync.Mutex
	ln       *ingest.Listener
	shutdown bool
}

// New returns a server.
func New(o ingest.Options) *Server {
	return &Server{http: ingest.NewHTTP(o), done: make(chan struct{})}
}

// Serve implements ingest.Server.
func (s *Server) Serve(ln *ingest.Listener) error {
	defer close(s.done)
	if !s.begin(ln) {
		return nil
	}
	if err := s.http.Serve(ln); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
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
	err := s.http.ShutdownWithContext(ctx)
	if err != nil && ctx.Err() != nil {
		ln.CutOff()
	}
	<-s.done
	return err
}
