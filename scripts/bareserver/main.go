package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"phase0/server/ingest"
	"phase0/server/platform"
)

const usage = `bareserver answers every POST with a 202, as the platform would, and does nothing else.

usage: bareserver [-addr HOST:PORT]     (127.0.0.1:0)
`

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil:
		return
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return
	}
	fmt.Fprintf(os.Stderr, "bareserver: %v\n", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("bareserver", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	addr := fs.String("addr", "127.0.0.1:0", "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errUsage, err)
	case fs.NArg() > 0:
		return fmt.Errorf("%w: unexpected argument %q", errUsage, fs.Arg(0))
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := newServer()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	fmt.Fprintf(stdout, "listening on %s\n", ln.Addr())
	select {
	case <-ctx.Done():
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	}
	if err := server.Shutdown(); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return <-served
}

// newServer returns the platform's HTTP server with its default limits.
func newServer() *fasthttp.Server {
	c := platform.Defaults()
	h := &handler{maxBody: c.MaxBodyBytes, bodies: sync.Pool{New: func() any { return new([]byte) }}}
	return ingest.NewHTTP(ingest.Options{
		Handler:     h.serve,
		OnError:     func(ctx *fasthttp.RequestCtx, _ error) { ctx.Error("bad request", fasthttp.StatusBadRequest) },
		OnExpect:    func(*fasthttp.RequestCtx) int { return fasthttp.StatusContinue },
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout,
		MaxHeaderBytes: c.MaxHeaderBytes, MaxBodyBytes: c.MaxBodyBytes, MaxConns: c.MaxConns,
		Log: zerolog.Nop(),
	})
}

type handler struct {
	maxBody int
	bodies  sync.Pool // of *[]byte
	taken   atomic.Int64
}

func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	if !ctx.IsPost() {
		ctx.SetBodyString(strconv.FormatInt(h.taken.Load(), 10))
		return
	}
	if err := h.readBody(ctx); err != nil {
		ctx.Error("bad request", fasthttp.StatusBadRequest)
		ctx.SetConnectionClose()
		return
	}
	h.taken.Add(1)
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"status":"accepted"}`)
}

var errTooLarge = errors.New("body too large")

// readBody reads the body to its end into a buffer that is used again.
func (h *handler) readBody(ctx *fasthttp.RequestCtx) error {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return nil
	}
	b := h.bodies.Get().(*[]byte)
	defer h.bodies.Put(b)
	if *b == nil {
		*b = make([]byte, 0, 4<<10)
	}
	read := (*b)[:0]
	defer func() { *b = read }()
	for {
		if len(read) == cap(read) {
			read = append(read, 0)[:len(read)]
		}
		n, err := stream.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		switch {
		case len(read) > h.maxBody:
			return errTooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
