package enginetest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"
	"time"

	"phase0/loadgen/engine"
)

// via is what lies between an engine and the handlers of a test's servers: nothing,
// or TLS.
type via struct {
	server *tls.Config // nil for plain connections
	client *tls.Config
	// answers is how many of each kind are asked for.
	answers int64
}

var overPlain = via{answers: 20}

// overTLS has a certificate that the client trusts. Runs share their sessions, since
// full handshakes are most of what they would cost.
func overTLS(t *testing.T) via {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return via{
		server:  &tls.Config{Certificates: s.TLS.Certificates},
		client:  &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(1)},
		answers: 5, // what differs from plain connections is the same each time
	}
}

// trial is NewTrial against a server with that handler.
func (v via) trial(t *testing.T, e engine.Engine, handle func(*peer), rate float64, n int64) *Trial {
	t.Helper()
	if v.server != nil {
		handle = v.secured(handle)
	}
	address, _ := serve(t, handle)
	b := NewTrial(t, e, address, rate, n)
	b.TLS = v.client
	return b
}

// handshakeLimit ends a server's part of a handshake that a test broke off.
const handshakeLimit = 5 * time.Second

// secured shakes hands before it hands a connection over.
func (v via) secured(handle func(*peer)) func(*peer) {
	return func(p *peer) {
		secure := tls.Server(p.tcp, v.server)
		_ = p.tcp.SetDeadline(time.Now().Add(handshakeLimit))
		if secure.Handshake() != nil {
			return
		}
		_ = p.tcp.SetDeadline(time.Time{})
		p.Conn, p.in = secure, bufio.NewReader(secure)
		handle(p)
	}
}
