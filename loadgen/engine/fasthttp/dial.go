package fasthttp

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// dialer connects to one server. The first connection resolves the name and
// tries its addresses in turn; the one that answers is used from then on. It is
// safe for concurrent use.
type dialer struct {
	address string // host:port
	timeout time.Duration
	tls     *tls.Config // nil for plain connections
	pinned  atomic.Pointer[netip.AddrPort]
	next    prepared
}

// newDialer returns a dialer that encrypts connections if cfg is not nil.
func newDialer(address string, timeout time.Duration, cfg *tls.Config) *dialer {
	return &dialer{address: address, timeout: timeout, tls: clientTLS(cfg, address)}
}

// dial connects and blocks until it has or cannot.
func (d *dialer) dial(ctx context.Context) (stream, error) {
	deadline := time.Now().Add(d.timeout)
	nd := net.Dialer{Deadline: deadline, KeepAlive: -1}
	address := d.address
	if to := d.pinned.Load(); to != nil {
		address = to.String()
	}
	nc, err := nd.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		to := tcp.AddrPort()
		d.pinned.CompareAndSwap(nil, &to)
	}
	if d.tls == nil {
		return nc, nil
	}
	return encrypt(ctx, nc, d.tls, deadline)
}

// complete blocks until a is made, or makes a connection where a is nil.
func (d *dialer) complete(ctx context.Context, a *attempt) (stream, error) {
	if a == nil {
		return d.dial(ctx)
	}
	if err := a.finish(ctx, d.timeout); err != nil {
		return nil, err
	}
	return a.stream(), nil
}
