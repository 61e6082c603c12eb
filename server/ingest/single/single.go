// Package single is the seed's ingest: one goroutine accepts a connection, reads
// one request, answers it, closes, and only then accepts the next. A client that
// is slow to send holds everybody up, for ReadTimeout at most. That is the
// bottleneck it is here to show.
package single

import (
	"context"
	"errors"
	"net"

	"github.com/valyala/fasthttp"

	"phase0/server/ingest"
)

// Server implements ingest.Server. Create it with New.
type Server struct {
	http *fasthttp.Server
	life *ingest.Lifecycle

	maxBody int // bytes
}

// New returns a server that answers one request per connection.
func New(o ingest.Options) *Server {
	http := ingest.NewHTTP(o)
	http.DisableKeepalive = true
	return &Server{maxBody: o.MaxBodyBytes, http: http, life: ingest.NewLifecycle()}
}

// Serve implements ingest.Server.
func (s *Server) Serve(ln *ingest.Listener) error { return s.life.Serve(ln, s.loop) }

// loop is the single accept loop.
func (s *Server) loop(ln *ingest.Listener) error {
	ln.LimitBodies(s.maxBody)
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

// Shutdown implements ingest.Server. The request in flight, if any, is the loop's
// last.
func (s *Server) Shutdown(ctx context.Context) error {
	return s.life.Shutdown(ctx, s.life.AwaitServed)
}
