package fasthttp

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"phase0/loadgen/engine/enginetest"
)

// deaf returns a connection that stays in the making: its server's queue is full.
func deaf(t *testing.T) *attempt {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port))
	d := newDialer(to.String(), time.Second, nil)
	d.pinned.Store(&to)
	for range 10 { // the kernel's queue takes one or two
		a, ready, err := d.begin()
		if err != nil {
			t.Fatal(err)
		}
		if !ready {
			return a
		}
		t.Cleanup(func() { a.file.Close() })
	}
	t.Skip("this kernel queues connections without a bound")
	return nil
}

func TestSlowDialEndsAtTheTimeout(t *testing.T) {
	t.Parallel()
	a := deaf(t)
	if err := a.finish(t.Context(), 30*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
}

func TestSlowDialEndsWithTheRun(t *testing.T) {
	t.Parallel()
	a := deaf(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.finish(ctx, time.Hour); err == nil {
		t.Error("connected to nobody")
	}
}

func TestDialIsCompleteAtOnceOnLoopback(t *testing.T) {
	address := enginetest.Serve(t)
	d := newDialer(address, time.Second, nil)
	defer d.close()
	if a, _, err := d.begin(); a != nil || err != nil {
		t.Fatalf("began %v with error %v before the address is known", a, err)
	}
	st, err := d.complete(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	for range 3 { // with and without a prepared socket
		a, ready, err := d.begin()
		if err != nil {
			t.Fatal(err)
		}
		if !ready {
			if err := a.finish(t.Context(), time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.stream().Write([]byte("x")); err != nil {
			t.Error(err)
		}
		a.stream().Close()
		d.prepare()
	}
}
