package epoll

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"phase0/loadgen/engine"
)

// Calls that do not block are raw: they do not tell Go's scheduler, which would
// cost a good part of what they cost themselves.

// interest is what is asked of each connection, once: edges of everything.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// maxEvents bounds what one wait returns, so that what is due meanwhile is not
// kept waiting for long.
const maxEvents = 64

// shortSleep is the longest time, in ns, for which a sleeping thread keeps its place
// in Go's scheduler. Telling it of each short sleep would keep its monitor awake,
// which took a fifth of the CPU time at 20,000 rps. The signal with which the runtime
// asks for a pause of all goroutines ends a raw call early. Only where there are more
// places than cores, as package run asks for: elsewhere other goroutines would starve.
const shortSleep = int64(2 * time.Millisecond)

// poller waits for connections.
type poller struct {
	fd     int
	roomy  bool // there are more places in Go's scheduler than cores
	events [maxEvents]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open epoll: %w", err)
	}
	return &poller{fd: fd, roomy: runtime.GOMAXPROCS(0) > runtime.NumCPU()}, nil
}

func (p *poller) close() { _ = unix.Close(p.fd) }

// add watches a connection until its socket is closed.
func (p *poller) add(c *conn) error {
	ev := unix.EpollEvent{Events: interest, Fd: c.slot, Pad: c.generation}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		return fmt.Errorf("watch connection: %w", err)
	}
	return nil
}

// wait blocks until something happens, at most for some ns, and returns the
// number of events.
func (p *poller) wait(ns int64) int {
	if ns <= 0 {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
			uintptr(unsafe.Pointer(&p.events[0])), maxEvents, 0, 0, 0)
		return count(n, errno)
	}
	ts := unix.NsecToTimespec(ns)
	if p.roomy && ns <= shortSleep {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
			uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(unsafe.Pointer(&ts)), 0, 0)
		return count(n, errno)
	}
	n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(unsafe.Pointer(&ts)), 0, 0)
	return count(n, errno)
}

// supported reports whether the kernel can wait with nanosecond timeouts (5.11).
func (p *poller) supported() bool {
	var ts unix.Timespec
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(unsafe.Pointer(&ts)), 0, 0)
	return errno != unix.ENOSYS
}

func count(n uintptr, errno syscall.Errno) int {
	if errno != 0 {
		return 0 // a signal: the caller looks at the clock and waits again
	}
	return int(n)
}

func send(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func receive(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// stampSpace is the room that a time stamp takes in a control message.
var stampSpace = unix.CmsgSpace(int(unsafe.Sizeof(unix.Timespec{})))

// stampArrivals asks the kernel to stamp what arrives. Best effort: without stamps
// arrivals are taken to be when they are read.
func stampArrivals(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
}

// receiveStamped is like receive. It also returns when the last segment of what was
// read arrived, in ns of Unix time, or 0 if that is not known.
func receiveStamped(fd int, p, control []byte) (n int, stamp int64, errno syscall.Errno) {
	part := unix.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))}
	message := unix.Msghdr{Iov: &part, Iovlen: 1, Control: unsafe.SliceData(control), Controllen: uint64(len(control))}
	got, _, errno := syscall.RawSyscall6(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), 0, 0, 0, 0)
	if errno != 0 {
		return 0, 0, errno
	}
	if int(message.Controllen) < unix.CmsgLen(int(unsafe.Sizeof(unix.Timespec{}))) {
		return int(got), 0, 0
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(control)))
	if header.Level != unix.SOL_SOCKET || header.Type != unix.SO_TIMESTAMPNS {
		return int(got), 0, 0
	}
	at := (*unix.Timespec)(unsafe.Pointer(&control[unix.CmsgLen(0)]))
	return int(got), at.Nano(), 0
}

// nap sleeps for some ns, at most shortSleep, whatever happens on connections.
func (p *poller) nap(ns int64) {
	ts := unix.NsecToTimespec(min(ns, shortSleep))
	// A signal ends it early; the caller looks at the clock again.
	if p.roomy {
		_, _, _ = syscall.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		return
	}
	_, _, _ = syscall.Syscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
}

// target is an address of the server.
type target struct {
	family int
	to     unix.Sockaddr
}

// resolve returns the addresses of host:port.
func resolve(ctx context.Context, address string) ([]target, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", address, err)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	targets := make([]target, 0, len(ips))
	for _, ip := range ips {
		targets = append(targets, newTarget(ip.Unmap(), int(port)))
	}
	return targets, nil
}

func newTarget(ip netip.Addr, port int) target {
	if ip.Is4() {
		return target{family: unix.AF_INET, to: &unix.SockaddrInet4{Port: port, Addr: ip.As4()}}
	}
	to := &unix.SockaddrInet6{Port: port, Addr: ip.As16()}
	if zone, err := net.InterfaceByName(ip.Zone()); err == nil {
		to.ZoneId = uint32(zone.Index)
	}
	return target{family: unix.AF_INET6, to: to}
}

// socket opens a socket for t.
func (t target) socket() (int, error) {
	fd, err := unix.Socket(t.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	// Without it only requests of several segments are slower.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return fd, nil
}

// connect begins a connection. Where the peer is near it is made at once: on
// loopback the handshake is over when the call returns.
func (t target) connect(fd int) (made bool, err error) {
	if err = unix.Connect(fd, t.to); err != nil && err != unix.EINPROGRESS {
		return false, fmt.Errorf("connect: %w", err)
	}
	return engine.Established(fd)
}
