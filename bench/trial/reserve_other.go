//go:build !linux

package trial

// reserve lets the system choose a port: elsewhere two sockets cannot share one as they
// can on Linux.
func reserve() (addr string, release func()) { return anyPort, func() {} }
