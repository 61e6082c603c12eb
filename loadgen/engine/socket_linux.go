package engine

import "golang.org/x/sys/unix"

// Established reports whether a connection that was begun on a non-blocking socket
// is made, or why it never will be.
func Established(fd int) (bool, error) {
	fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds[:], 0)
	switch {
	case err == unix.EINTR, err == nil && n == 0:
		return false, nil
	case err != nil:
		return false, err
	case fds[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0:
		return true, nil
	}
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	// A connection that the server has closed already was made.
	return err == nil, err
}
