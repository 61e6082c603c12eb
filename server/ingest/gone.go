package ingest

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Gone reports whether the client has closed the connection, as far as can be told
// without reading: while bytes of a next request wait unread, it cannot.
func (c *Conn) Gone() bool {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true // closed on our side
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		waiting := errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
		gone = n <= 0 && !waiting
	})
	return gone || err != nil
}
