package epoll

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A thread with its own descriptors must neither hold the others' connections open
// nor disturb the runtime's polling.
func TestOwnDescriptors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	raw, err := client.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	theirs := -1
	if err := raw.Control(func(fd uintptr) { theirs = int(fd) }); err != nil {
		t.Fatal(err)
	}
	own, leave, left := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		runtime.LockOSThread()
		if !ownDescriptors() {
			close(own)
			return
		}
		for range 10 {
			runtime.GC() // polls the network on this thread
		}
		_, err := unix.FcntlInt(uintptr(theirs), unix.F_GETFD, 0)
		own <- err
		<-leave
	}()
	seen, allowed := <-own
	if !allowed {
		t.Skip("a thread may not have descriptors of its own here")
	}
	if !errors.Is(seen, unix.EBADF) {
		t.Errorf("error %v on a connection of another thread, want %v", seen, unix.EBADF)
	}
	client.Close()
	if err := server.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want the end of the stream", err)
	}
	close(leave)
	<-left
}
