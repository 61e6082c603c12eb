package epoll

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ownDescriptors gives the calling thread a table of descriptors that it shares with
// no other thread, so that system calls need not count who uses them: about 3 % of
// what a request costs. The thread must be locked to its goroutine and end with it.
//
// From then on it sees no descriptor that others open. Go's runtime polls the network
// on any thread, so that its own descriptors must exist before; they are the same in
// both tables. Sockets of others are closed here, in the copy only, so that their ends
// reach the server when their owners close them. It reports whether it has done so:
// containers may forbid it.
func ownDescriptors() bool {
	time.AfterFunc(time.Hour, func() {}).Stop() // a timer makes the runtime open its poller
	if unix.Unshare(unix.CLONE_FILES) != nil {
		return false
	}
	open, err := os.ReadDir("/proc/thread-self/fd")
	if err != nil {
		return true // the copies stay open until the thread ends
	}
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		var stat unix.Stat_t
		if err != nil || unix.Fstat(fd, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
			continue
		}
		if fd > unix.Stderr {
			_ = unix.Close(fd) // nothing is written through this copy
		}
	}
	return true
}
