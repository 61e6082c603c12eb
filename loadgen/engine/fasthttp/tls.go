package fasthttp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"phase0/loadgen/engine"
)

// secure is a stream over TLS. A read that ends at a deadline can be repeated:
// package tls takes the timeout of a net.Conn, other than that of an *os.File, for
// a passing one and keeps what it has of a record.
type secure struct {
	*tls.Conn
	raw net.Conn
}

// clientTLS is a plan's configuration with what the engine needs, or nil.
func clientTLS(cfg *tls.Config, address string) *tls.Config {
	if cfg == nil {
		return nil
	}
	cfg = cfg.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	// A request leaves in one piece rather than in records of a packet each.
	cfg.DynamicRecordSizingDisabled = true
	if cfg.ServerName == "" {
		// An address without a port is an error of the dial, which comes first.
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	if cfg.ClientSessionCache == nil {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1) // there is one server
	}
	return cfg
}

// encrypt shakes hands over a connection until the deadline or the end of ctx. The
// deadline stays until the first request sets its own. On an error, a
// HandshakeError, the connection is closed.
func encrypt(ctx context.Context, raw net.Conn, cfg *tls.Config, deadline time.Time) (stream, error) {
	s := &secure{Conn: tls.Client(raw, cfg), raw: raw}
	err := raw.SetDeadline(deadline)
	if err == nil {
		err = s.HandshakeContext(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, &engine.HandshakeError{Cause: err}
	}
	return s, nil
}

// Close ends the connection without a farewell, which could block for seconds
// behind a server that does not read.
func (s *secure) Close() error { return s.raw.Close() }

// awaitEnd reads until the server has closed the connection itself: the farewell of
// TLS comes before that, and whoever closes first keeps the port in TIME_WAIT.
func (s *secure) awaitEnd() {
	_, _ = io.CopyN(io.Discard, s.raw, engine.HeaderLimit)
}
