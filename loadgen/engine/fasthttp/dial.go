package fasthttp

import (
	"context"
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
	pinned  atomic.Pointer[netip.AddrPort]
	next    prepared
}

func newDialer(address string, timeout time.Duration) *dialer {
	return &dialer{address: address, timeout: timeout}
}

// dial connects and blocks until it has or cannot.
func (d *dialer) dial(ctx context.Context) (stream, error) {
	nd := net.Dialer{Timeout: d.timeout, KeepAlive: -1}
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
	return nc, nil
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
