package fasthttp

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"phase0/loadgen/engine"
)

// prepared holds a socket that is not connected yet, or nothing. Making one in
// advance takes a third off the time in which a request waits for its dial, and
// the server knows nothing of it.
type prepared struct{ atomic.Pointer[attempt] }

// attempt is a connection being made without blocking.
type attempt struct {
	fd   int // file's; its own method would make it blocking
	file *os.File
}

// prepare makes a socket for the next begin, once the address is known.
func (d *dialer) prepare() {
	to := d.pinned.Load()
	if to == nil || d.tls != nil || d.next.Load() != nil {
		return
	}
	// On an error begin tries again and returns it.
	if a, err := newAttempt(*to); err == nil && !d.next.CompareAndSwap(nil, a) {
		a.file.Close()
	}
}

// close drops what is prepared.
func (d *dialer) close() {
	if a := d.next.Swap(nil); a != nil {
		a.file.Close()
	}
}

func newAttempt(to netip.AddrPort) (*attempt, error) {
	family := unix.AF_INET6
	if to.Addr().Unmap().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	// Best effort: without it only requests of several segments are slower.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return &attempt{fd: fd, file: os.NewFile(uintptr(fd), "tcp")}, nil
}

// begin starts a connection and, where the peer is near, completes it: on
// loopback the handshake is over when connect returns, and going through the
// runtime's poller would cost the request tens of microseconds. It returns nil
// when the address is not known yet, and for TLS, whose handshake takes longer
// than all that. Ready means that the stream can be used at
// once; otherwise finish must be called.
func (d *dialer) begin() (a *attempt, ready bool, err error) {
	to := d.pinned.Load()
	if to == nil || d.tls != nil {
		return nil, false, nil
	}
	if a = d.next.Swap(nil); a == nil {
		if a, err = newAttempt(*to); err != nil {
			return nil, false, err
		}
	}
	err = unix.Connect(a.fd, socketAddress(*to))
	if err == nil || err == unix.EINPROGRESS {
		ready, err = engine.Established(a.fd)
	}
	if err != nil {
		a.file.Close()
		return nil, false, fmt.Errorf("connect: %w", err)
	}
	return a, ready, nil
}

// stream returns the connection, which must be ready or finished.
func (a *attempt) stream() stream { return a.file }

// finish waits until the connection is made. On an error it is closed.
func (a *attempt) finish(ctx context.Context, timeout time.Duration) error {
	err := a.wait(ctx, timeout)
	if err != nil {
		a.file.Close()
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

func (a *attempt) wait(ctx context.Context, timeout time.Duration) error {
	raw, err := a.file.SyscallConn()
	if err != nil {
		return err
	}
	if err := a.file.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = a.file.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		var done bool
		done, failure = engine.Established(int(fd))
		return done || failure != nil
	})
	if failure != nil {
		return failure
	}
	if err != nil {
		return err
	}
	if !stop() {
		return ctx.Err()
	}
	return a.file.SetWriteDeadline(time.Time{})
}

func socketAddress(to netip.AddrPort) unix.Sockaddr {
	ip := to.Addr().Unmap()
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(to.Port()), Addr: ip.As16()}
}
