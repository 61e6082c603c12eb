// Package concurrent is an ingest that serves many connections at once and keeps
// them alive between requests: a goroutine per connection from fasthttp's pool,
// bounded by Options.MaxConns.
package concurrent

import (
	"context"
	"errors"
	"net"

	"github.com/valyala/fasthttp"

	"phase0/server/ingest"
)

// Server implements ingest.Server. Create it with New.
type Server struct {
	options ingest.Options
	http    *fasthttp.Server
	life    *ingest.Lifecycle
}

// New returns a server.
func New(o ingest.Options) *Server {
	return &Server{options: o, http: ingest.NewHTTP(o), life: ingest.NewLifecycle()}
}

// Serve implements ingest.Server.
func (s *Server) Serve(ln *ingest.Listener) error { return s.life.Serve(ln, s.loop) }

func (s *Server) loop(ln *ingest.Listener) error {
	ln.Coalesce(s.options)
	ln.LimitBodies(s.options.MaxBodyBytes)
	if err := s.http.Serve(ln); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Shutdown implements ingest.Server.
func (s *Server) Shutdown(ctx context.Context) error {
	return s.life.Shutdown(ctx, s.http.ShutdownWithContext)
}
