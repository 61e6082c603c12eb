package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
		{&HandshakeError{Cause: io.EOF}, record.TLSFailure},
		{&HandshakeError{Cause: syscall.ECONNRESET}, record.TLSFailure},
		{&HandshakeError{Cause: x509.UnknownAuthorityError{}}, record.TLSFailure},
		{&HandshakeError{Cause: os.ErrDeadlineExceeded}, record.DialTimeout},
		{&HandshakeError{Cause: context.Canceled}, record.DialTimeout},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, record.TLSFailure},
		{io.ErrClosedPipe, record.Other},
	}
	for _, tt := range tests {
		if got := DialKind(tt.err); got != tt.want {
			t.Errorf("DialKind(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestHandshakeErrorSaysWhyOnce(t *testing.T) {
	err := &HandshakeError{Cause: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}
	const want = "tls handshake: failed to verify certificate: x509: certificate signed by unknown authority"
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
