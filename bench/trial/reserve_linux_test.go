package trial

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The port of a server that has ended is given to nobody else: a socket that may be bound
// to this port only is refused as long as it is reserved, and a server that asks for it
// gets it.
func TestReservedPort(t *testing.T) {
	addr, release := reserve()
	defer func() { release() }()
	server, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the server itself: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := bindAny(t, addr); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("another program got the port: %v", err)
	}
	if server, err = net.Listen("tcp", addr); err != nil {
		t.Fatalf("the next server: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	release()
	release = func() {}
	if err := bindAny(t, addr); err != nil {
		t.Errorf("the port was not the only one that the test allows: %v", err)
	}
}

// bindAny lets the system choose a port, which can only be that of addr.
func bindAny(t *testing.T, addr string) error {
	t.Helper()
	_, digits, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	const ipLocalPortRange = 51 // Linux 6.3
	var unknown error
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			unknown = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, ipLocalPortRange, port<<16|port)
		})
	}}
	listener, err := config.Listen(context.Background(), "tcp4", anyPort)
	if unknown != nil {
		t.Skipf("this kernel knows no range of ports for a socket: %v", unknown)
	}
	if err != nil {
		return err
	}
	return listener.Close()
}
