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
	"strings"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const help = `Spinserver answers every request with 202, after keeping its core busy.

usage: spinserver [flags]

  -port N        port on 127.0.0.1; 0 picks one (0)
  -spin D        busy for D with every request, 0s to 1s (30µs)
  -slowdown S    busy for longer, by the share S of what a request costs the whole
                 process, such as 5% or 0.05, up to 100% (0%)
  -h, -help      this text

It prints "listening on ADDRESS" once it does, and ends on SIGTERM or SIGINT.
`

var errUsage = errors.New("usage")

// options is the command line.
type options struct {
	port     int
	spin     time.Duration
	slowdown float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil:
		return
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(help)
		return
	}
	fmt.Fprintf(os.Stderr, "spinserver: %v\n", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

func parse(args []string) (options, error) {
	var o options
	var share string
	fs := flag.NewFlagSet("spinserver", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.port, "port", 0, "")
	fs.DurationVar(&o.spin, "spin", 30*time.Microsecond, "")
	fs.StringVar(&share, "slowdown", "0%", "")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	var err error
	o.slowdown, err = parseShare(share)
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", errUsage, fs.Arg(0))
	case o.port < 0 || o.port > 65535:
		return o, fmt.Errorf("%w: -port %d is outside 0 to 65535", errUsage, o.port)
	case o.spin < 0 || o.spin > time.Second:
		return o, fmt.Errorf("%w: -spin %v is outside 0s to 1s", errUsage, o.spin)
	case err != nil:
		return o, fmt.Errorf("%w: -slowdown %q is no share between 0%% and 100%%", errUsage, share)
	}
	return o, nil
}

// parseShare reads 5% or 0.05.
func parseShare(text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(digits, 64)
	if percent {
		share /= 100
	}
	if err == nil && !(share >= 0 && share <= 1) {
		err = strconv.ErrRange
	}
	return share, err
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	load := newSpinner(o.spin, o.slowdown)
	server := &fasthttp.Server{
		Handler:     load.handle,
		IdleTimeout: time.Minute, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		Concurrency: 4096, MaxRequestBodySize: 1 << 20, NoDefaultServerHeader: true, CloseOnShutdown: true,
	}
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
