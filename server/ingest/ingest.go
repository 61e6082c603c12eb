// Package ingest is the way in: it accepts connections and serves HTTP on them.
// Its contract is Server; the mechanisms are child packages. single serves one
// connection after the other in one goroutine, concurrent serves many at once and
// keeps them alive. Both run the same handler with the same limits, so that what a
// benchmark shows between them is the accept loop and nothing else.
package ingest

import (
	"context"
	"net"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/ingest/framing"
)

// Server serves HTTP on a listener.
type Server interface {
	// Serve accepts and serves until Shutdown. It returns nil after Shutdown,
	// otherwise the reason why it cannot go on.
	Serve(ln *Listener) error
	// Shutdown stops accepting, drops connections on which nothing was asked yet
	// and waits until requests in flight are answered. When ctx ends first it cuts
	// the rest off and returns the context's error.
	Shutdown(ctx context.Context) error
}

// Options are what every mechanism needs. fasthttp has no limits of its own by
// default, so each is set here.
type Options struct {
	Handler fasthttp.RequestHandler
	// OnError answers a request that could not be parsed.
	OnError func(*fasthttp.RequestCtx, error)
	// OnExpect decides about "Expect: 100-continue" before the body is read.
	OnExpect func(*fasthttp.RequestCtx) int

	// Concurrent may end each of them sooner by a 64th of the shortest.
	ReadTimeout    time.Duration // from the first byte of a request to its last
	WriteTimeout   time.Duration // for an answer
	IdleTimeout    time.Duration // between requests of a connection
	MaxHeaderBytes int           // request line and headers
	MaxBodyBytes   int
	MaxConns       int // connections served at once

	Log zerolog.Logger
}

// NewHTTP returns a fasthttp server with every limit set. Bodies are streamed to
// the handler: otherwise a claimed Content-Length would be allocated before the
// first byte has arrived.
func NewHTTP(o Options) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:       o.Handler,
		ErrorHandler:  o.OnError,
		ExpectHandler: o.OnExpect,
		Name:          "phase0",
		// A worker outlives its connection by a moment, so there are more of them than
		// connections: the listener's limit is the one that clients meet.
		Concurrency:                  o.MaxConns + refusals,
		ReadBufferSize:               o.MaxHeaderBytes,
		ReadTimeout:                  o.ReadTimeout,
		WriteTimeout:                 o.WriteTimeout,
		IdleTimeout:                  o.IdleTimeout,
		MaxRequestBodySize:           o.MaxBodyBytes,
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		Logger:                       debugLogger{o.Log},
	}
}

// debugLogger keeps fasthttp's remarks about broken clients out of the way; the
// answers to them are counted by the handler.
type debugLogger struct{ log zerolog.Logger }

func (l debugLogger) Printf(format string, args ...any) { l.log.Debug().Msgf(format, args...) }

// Conn is an accepted connection. It knows whether anything was ever asked on it, where
// each request ends, and how to close without taking the last answer from the client.
type Conn struct {
	net.Conn
	listener *Listener
	state    connState
	frames   framing.Checker
}
