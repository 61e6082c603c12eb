package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"

	"phase0/loadgen/engine"
	"phase0/loadgen/run"
)

// explain makes one line of why no connection was made, with the way out.
func explain(err error, u *url.URL) error {
	if !errors.Is(err, engine.ErrNoServer) {
		return err
	}
	var queries *run.QueryError
	if errors.As(err, &queries) {
		u = queries.URL
	}
	target := u.Scheme + "://" + u.Host
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("connect %s: %w", target, cause(err))
	}
	hint := "is the server running?"
	if isLoopback(u.Hostname()) {
		hint += " start it with: go run ./server"
	}
	return fmt.Errorf("connect %s: %w; %s", target, cause(err), hint)
}

// cause digs out what a reader needs of a nested network error.
func cause(err error) error {
	var handshake *engine.HandshakeError
	if errors.As(err, &handshake) {
		hint := ""
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			hint = "; trust it with -cacert FILE, or do not ask with -insecure"
		}
		return fmt.Errorf("%w%s", handshake, hint)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return errors.New(dns.Err)
	}
	var timeout interface{ Timeout() bool }
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer within the timeout")
	}
	return err
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
