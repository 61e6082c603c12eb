package trial

import (
	"net"
	"strconv"
	"syscall"
)

// reserve keeps a port away from everybody who lets the system choose one, until release
// is called: the load goes on for a moment after a server has ended, and must not reach
// another program that has got its port. Who asks for the port itself, as our servers do,
// gets it. Where that fails the system chooses.
func reserve() (addr string, release func()) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return anyPort, func() {}
	}
	release = func() { _ = syscall.Close(fd) }
	// Both sides allow the address to be used again, and this one never listens: so the
	// kernel lets a listener join it.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return anyPort, release
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return anyPort, release
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return anyPort, release
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*syscall.SockaddrInet4).Port)), release
}
