package engine

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"phase0/loadgen/record"
)

func TestDialFailuresAreClassified(t *testing.T) {
	tests := []struct {
		err  error
		want record.Kind
	}{
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, record.Refused},
		{os.NewSyscallError("connect", syscall.EADDRNOTAVAIL), record.NoLocalPort},
		{os.NewSyscallError("socket", syscall.EMFILE), record.NoFileDescriptors},
		{os.NewSyscallError("connect", syscall.EHOSTUNREACH), record.Unreachable},
		{&net.OpError{Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, record.Unreachable},
		{os.NewSyscallError("connect", syscall.ETIMEDOUT), record.DialTimeout},
		{os.ErrDeadlineExceeded, record.DialTimeout},
		{os.NewSyscallError("connect", syscall.ECONNRESET), record.Reset},
		{io.ErrClosedPipe, record.Other},
	}
	for _, tt := range tests {
		if got := DialKind(tt.err); got != tt.want {
			t.Errorf("DialKind(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}
