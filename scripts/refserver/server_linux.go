package main

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"phase0/scripts/refserver/tally"
)

// Bounds of the server.
const (
	maxFD     = 16 << 10 // connections are kept in a table by descriptor
	backlog   = 4096
	eventRoom = 512
	readRoom  = 64 << 10
	// answerBatch is how many answers one write can carry; more need more writes.
	answerBatch = 64
	// idle is how long the server sleeps at most before it looks whether to stop.
	idle = 100 * time.Millisecond
	// maxGather keeps a client from waiting for long.
	maxGather = time.Millisecond
	// yieldAfter is how long a server that spins keeps the signal handler waiting for
	// a turn. Handing the core over takes some tens of microseconds.
	yieldAfter = int64(10 * time.Millisecond)
)

const answerBody = `{"status":"accepted"}`

func answerText(status, connection, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", status, connection, len(body), body)
}

// debt is a number of answers that a connection waits for.
type debt struct{ fd, done int }

// server is one thread's loop. It must be made, used and closed on one thread.
type server struct {
	options options
	address string
	epoll   int
	socket  int

	conns  []stream
	known  template
	events []unix.EpollEvent
	buffer []byte
	owed   []debt // answers to be sent at the end of the turn
	// answers hold repeated texts, by what becomes of the connection.
	answers [hangUp + 1][]byte

	clock  clock
	tally  tally.Tally
	stamps []int64
	cpu    time.Duration // used up to the first request
	next   int64         // when the next stall is due; 0 without one

	// Where the server spins: when the last turn began and ended, when the signal
	// handler had its turn, and how long there was nothing to do since the first
	// request, now and when the last one arrived.
	looked, ended, yielded int64
	idle, idleBefore       int64
}

func newServer(o options) (*server, error) {
	s := &server{
		options: o, epoll: -1, socket: -1,
		conns: make([]stream, maxFD), events: make([]unix.EpollEvent, eventRoom), buffer: make([]byte, readRoom),
		owed:  make([]debt, 0, eventRoom),
		clock: startClock(),
	}
	s.answers[keep] = repeat(answerText("202 Accepted", "", answerBody))
	s.answers[keep10] = repeat(answerText("202 Accepted", "Connection: keep-alive\r\n", answerBody))
	s.answers[hangUp] = []byte(answerText("202 Accepted", "Connection: close\r\n", answerBody))
	if o.stamps != "" {
		s.stamps = make([]int64, o.stampsMax)
		for i := range s.stamps {
			s.stamps[i] = -1 // touched now, so that no page faults come later
		}
		s.stamps = s.stamps[:0]
	}
	if err := s.listen(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func repeat(text string) []byte {
	b := make([]byte, 0, answerBatch*len(text))
	for range answerBatch {
		b = append(b, text...)
	}
	return b
}

func (s *server) listen() error {
	at, err := netip.ParseAddrPort(s.options.addr)
	if err != nil || !at.Addr().Is4() {
		return fmt.Errorf("listen: -addr %q is not an IPv4 address and port such as 127.0.0.1:8080", s.options.addr)
	}
	if s.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("create socket: %w", err)
	}
	// Accepted connections inherit both. The system's congestion control may be one that
	// paces what is sent, which costs more per answer and would hold clients back.
	err = errors.Join(
		unix.SetsockoptInt(s.socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(s.socket, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptString(s.socket, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno"))
	if err != nil {
		return fmt.Errorf("set socket options: %w", err)
	}
	if err := unix.Bind(s.socket, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return fmt.Errorf("listen on %s: %w", at, err)
	}
	if err := unix.Listen(s.socket, backlog); err != nil {
		return fmt.Errorf("listen on %s: %w", at, err)
	}
	name, err := unix.Getsockname(s.socket)
	if err != nil {
		return fmt.Errorf("read address: %w", err)
	}
	bound, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return fmt.Errorf("read address: got %T, not IPv4", name)
	}
	s.address = netip.AddrPortFrom(netip.AddrFrom4(bound.Addr), uint16(bound.Port)).String()
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	return s.register(s.socket, unix.EPOLLIN)
}

func (s *server) register(fd int, events uint32) error {
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("register with epoll: %w", err)
	}
	return nil
}

// close ends the listener; connections end with the process.
func (s *server) close() {
	for _, fd := range []int{s.epoll, s.socket} {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing is buffered in them
		}
	}
}

// serve answers until stop is set.
func (s *server) serve(stop *atomic.Bool) error {
	for !stop.Load() {
		s.gather()
		n, errno := s.wait()
		if errno != 0 && errno != unix.EINTR {
			return fmt.Errorf("wait for requests: %w", errno)
		}
		if n > 0 && !s.options.spin {
			s.looked = s.clock.now()
		}
		for i := range s.events[:n] {
			s.handle(&s.events[i])
		}
		s.settle()
		s.endTurn(n)
		if s.next > 0 {
			s.stallIfDue()
		}
	}
	return nil
}

// gather begins the turn of a server that spins: not before the time between two
// turns has passed, so that the cost of looking is shared by the requests that have
// come meanwhile.
func (s *server) gather() {
	if !s.options.spin {
		return
	}
	now := s.clock.now()
	for until := s.looked + int64(s.options.gather); now < until; {
		now = s.clock.now()
	}
	s.idle += now - s.ended
	s.looked = now
}

// endTurn books a turn in which n connections had news: one with none is idle time.
func (s *server) endTurn(n int) {
	if !s.options.spin {
		if n == 0 {
			// RawSyscall does not tell the runtime that the thread sleeps, so that other
			// goroutines get a turn only here.
			runtime.Gosched()
		}
		return
	}
	s.ended = s.clock.now()
	if n > 0 {
		return
	}
	s.idle += s.ended - s.looked
	if s.ended-s.yielded > yieldAfter {
		runtime.Gosched()
		s.yielded = s.ended
	}
}

func (s *server) wait() (int, unix.Errno) {
	timeout := idle
	switch {
	case s.options.spin:
		timeout = 0
	case s.next > 0:
		timeout = min(idle, max(0, time.Duration(s.next-s.clock.now())))
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&s.events[0])),
		uintptr(len(s.events)), uintptr(timeout/time.Millisecond), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (s *server) handle(e *unix.EpollEvent) {
	fd := int(e.Fd)
	if fd == s.socket {
		s.accept()
		return
	}
	// With an edge-triggered event and less than a full buffer there is no more to
	// read, except the end of the stream.
	over := e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&s.buffer[0])), readRoom, unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN && !over:
			return
		case errno != 0 || n == 0:
			s.drop(fd)
			return
		}
		last := n < readRoom && !over
		if !s.take(fd, s.buffer[:n], last && s.options.gather > 0) || last {
			return
		}
	}
}

// take answers what is complete with b, later in the turn if that may be. It returns
// false when it has closed the connection.
func (s *server) take(fd int, b []byte, later bool) bool {
	c := &s.conns[fd]
	done, err := c.feed(b, &s.known)
	if done > 0 {
		s.count(done)
		if later && err == nil && c.after == keep && len(s.owed) < cap(s.owed) {
			s.owed = append(s.owed, debt{fd, done})
			return true
		}
		if !s.answer(fd, done, c.after) {
			s.tally.Dropped++
			s.drop(fd)
			return false
		}
		if c.after == hangUp && !c.inBody {
			s.drop(fd)
			return false
		}
	}
	if err != nil {
		s.refuse(fd, err)
		return false
	}
	return true
}

// settle sends the answers that are owed. Reading all and then answering all costs
// less than doing both by turns: each keeps its code and data in the core's caches.
func (s *server) settle() {
	for _, d := range s.owed {
		if !s.answer(d.fd, d.done, keep) {
			s.tally.Dropped++
			s.drop(d.fd)
		}
	}
	s.owed = s.owed[:0]
}

// count reads the clock where stamps are wanted; otherwise the beginning of the turn
// is exact enough.
func (s *server) count(done int) {
	now := s.looked
	if s.options.stamps != "" {
		now = s.clock.now()
	}
	if s.tally.Requests == 0 {
		s.begin(now)
	}
	s.tally.LastNS, s.idleBefore = now, s.idle
	s.tally.Requests += int64(done)
	if s.options.stamps == "" {
		return
	}
	for range min(done, cap(s.stamps)-len(s.stamps)) {
		s.stamps = append(s.stamps, now)
	}
}

// begin starts the clocks that count from the first request.
func (s *server) begin(now int64) {
	s.tally.FirstNS, s.cpu, s.idle = now, cpuTime(), 0
	if s.options.stall > 0 {
		s.next = now + int64(s.options.every)
	}
}

// answer writes done answers, the last of which decides about the connection. It
// returns false when the client's buffers have no room for them.
func (s *server) answer(fd, done int, last after) bool {
	text := s.answers[last]
	if last == hangUp {
		if done > 1 && !s.answer(fd, done-1, keep) {
			return false
		}
		return write(fd, text)
	}
	size := len(text) / answerBatch
	for done > 0 {
		batch := min(done, answerBatch)
		if !write(fd, text[:batch*size]) {
			return false
		}
		done -= batch
	}
	return true
}

// write returns false unless all was written.
func write(fd int, b []byte) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return errno == 0 && int(n) == len(b)
		}
	}
}

// refuse tells the client what was wrong, as far as it listens.
func (s *server) refuse(fd int, err error) {
	status := "400 Bad Request"
	switch {
	case errors.Is(err, errChunked):
		status = "501 Not Implemented"
	case errors.Is(err, errTooLarge):
		status = "413 Content Too Large"
	}
	s.tally.Refused++
	write(fd, []byte(answerText(status, "Connection: close\r\n", fmt.Sprintf(`{"error":%q}`, err))))
	s.drop(fd)
}

func (s *server) drop(fd int) {
	partial := s.conns[fd].partial[:0] // kept for the descriptor's next owner
	s.conns[fd] = stream{partial: partial}
	_ = unix.Close(fd) // what matters is written
}

func (s *server) accept() {
	for {
		fd, _, err := unix.Accept4(s.socket, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil: // EAGAIN, or no descriptors left: then the next turn tries again
			return
		}
		s.tally.Connections++
		if fd >= maxFD || s.register(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET) != nil {
			s.tally.Dropped++
			_ = unix.Close(fd)
		}
	}
}

// stallIfDue sleeps through a stall whose time has come. Stalls are due at fixed
// instants; one that is late does not move the others.
func (s *server) stallIfDue() {
	start := s.clock.now()
	if start < s.next {
		return
	}
	time.Sleep(s.options.stall - time.Duration(start-s.next))
	s.tally.Stalls = append(s.tally.Stalls, tally.Stall{StartNS: start, EndNS: s.clock.now()})
	s.next += int64(s.options.every)
}

// result completes the tally.
func (s *server) result() tally.Tally {
	t := s.tally
	t.Spin, t.Stamps = s.options.spin, len(s.stamps)
	if t.Requests > 0 {
		t.CPUSeconds = (cpuTime() - s.cpu).Seconds()
	}
	if span := float64(t.LastNS-t.FirstNS) / 1e9; span > 0 {
		t.BusyShare = t.CPUSeconds / span
		if t.Spin {
			t.BusyShare = 1 - float64(s.idleBefore)/1e9/span
		}
	}
	return t
}

// cpuTime is user and system time of all threads; 0 where the kernel does not
// tell.
func cpuTime() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// clock reads CLOCK_MONOTONIC by way of Go's time, which takes a tenth of the
// system call.
type clock struct {
	base   time.Time
	offset int64
}

func startClock() clock {
	c := clock{base: time.Now()}
	best := time.Hour
	for range 100 { // the reading that was least disturbed counts
		before := time.Since(c.base)
		var now unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
			continue
		}
		if width := time.Since(c.base) - before; width < best {
			best, c.offset = width, now.Nano()-int64(before)-int64(width)/2
		}
	}
	return c
}

func (c clock) now() int64 { return c.offset + int64(time.Since(c.base)) }
