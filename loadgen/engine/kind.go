package engine

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"phase0/loadgen/record"
)

// HandshakeError is returned, wrapped, when a connection was made but no
// agreement on TLS was reached over it.
type HandshakeError struct{ Cause error }

func (e *HandshakeError) Error() string {
	return "tls handshake: " + strings.TrimPrefix(e.Cause.Error(), "tls: ")
}

func (e *HandshakeError) Unwrap() error { return e.Cause }

// DialKind classifies a failure to connect. A dial that the end of the run cut
// off counts as one that took too long.
func DialKind(err error) record.Kind {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return record.Refused
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EADDRINUSE):
		return record.NoLocalPort
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return record.NoFileDescriptors
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.As(err, &dns):
		return record.Unreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, context.Canceled):
		return record.DialTimeout
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return record.DialTimeout
	}
	var handshake *HandshakeError
	if errors.As(err, &handshake) {
		return record.TLSFailure
	}
	return BrokenKind(err)
}

// BrokenKind classifies the failure of an established connection.
func BrokenKind(err error) record.Kind {
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return record.Reset
	case isAlert(err):
		return record.TLSFailure
	default:
		return record.Other
	}
}

// isAlert reports whether TLS ended a connection, on the server's word or ours.
// Package crypto/tls tells by the operation's name only.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
