package engine

import (
	"errors"
	"net"
	"os"
	"syscall"

	"phase0/loadgen/record"
)

// DialKind classifies a failure to connect.
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
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return record.DialTimeout
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return record.DialTimeout
	}
	return BrokenKind(err)
}

// BrokenKind classifies the failure of an established connection.
func BrokenKind(err error) record.Kind {
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return record.Reset
	default:
		return record.Other
	}
}
