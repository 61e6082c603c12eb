package wal

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// others are the other goroutines, among them those that serve connections.
type others struct {
	event *os.File // nil where there is none to be had
	raw   syscall.RawConn
	ask   func(fd uintptr) bool // made once, as it would be allocated
	asked bool
}

// oneEvent is what is added to an eventfd. Nobody reads it: each addition wakes.
var oneEvent = [8]byte{1}

func newOthers() *others {
	o := &others{}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return o
	}
	o.event = os.NewFile(uintptr(fd), "eventfd")
	if o.raw, err = o.event.SyscallConn(); err != nil {
		o.raw = nil
	}
	o.ask = func(fd uintptr) bool {
		if o.asked {
			return true
		}
		o.asked = true
		_, err := unix.Write(int(fd), oneEvent[:])
		return err != nil // then there is nothing to wait for
	}
	return o
}

// goFirst returns when all goroutines that were ready have had their turn, those included
// whose connection has something to be read. The latter runtime.Gosched does not wait for:
// the network is looked at when nothing else is ready. So an event is waited for that comes
// the same way; what came with it is put behind whoever came last. One goroutine at a time
// may call it.
func (o *others) goFirst() {
	o.asked = false
	if o.raw != nil {
		_ = o.raw.Read(o.ask) // without the event it is Gosched alone
	}
	runtime.Gosched()
}

func (o *others) close() error {
	if o.event == nil {
		return nil
	}
	event := o.event
	o.event, o.raw = nil, nil
	return event.Close()
}
