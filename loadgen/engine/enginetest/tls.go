package enginetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// TLSContract runs the tests of what package engine promises of Plan.TLS, for
// engines that have it.
func TLSContract(t *testing.T, e engine.Engine) {
	v := overTLS(t)
	for _, tt := range []struct {
		name string
		run  func(*testing.T, engine.Engine)
	}{
		{"AnswersAreCountedByWhatTheyAre", v.testAnswers},
		{"HugeAnswers", v.testHugeAnswers},
		{"HandshakesAreResumed", testHandshakesAreResumed},
		{"IdleLongerThanTheTimeout", v.testIdleLongerThanTheTimeout},
		{"UntrustedCertificate", v.testUntrustedCertificate},
		{"NotTLS", v.testNotTLS},
		{"OldTLS", v.testOldTLS},
		{"ClientCertificateWanted", v.testClientCertificateWanted},
		{"HandshakeHangs", v.testHandshakeHangs},
		{"HandshakeHangsLater", v.testHandshakeHangsLater},
		{"HandshakeBrokenOff", v.testHandshakeBrokenOff},
		{"HandshakeBrokenOffForAWhile", v.testHandshakeBrokenOffForAWhile},
		{"InterruptedHandshake", v.testInterruptedHandshake},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, e) })
	}
}

// A server of net/http: with keep-alive all requests share a connection, without it
// each has its own, and all but the first resume the session.
func testHandshakesAreResumed(t *testing.T, e engine.Engine) {
	const n = 40
	for _, tt := range []struct {
		name      string
		keepAlive bool
		dials     int64
		full      int64 // requests over a connection whose handshake was a full one
	}{
		{"keep-alive", true, 1, n},
		{"closing", false, n, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			models(t, func(t *testing.T, rate float64) {
				t.Parallel()
				s, client := newHTTPS(t)
				b := NewTrial(t, e, s.address, rate, n)
				b.TLS, b.KeepAlive, b.Connections = client, tt.keepAlive, 1
				b.Request = template(t, engine.Request{Method: "POST", KeepAlive: tt.keepAlive})
				a := b.run(t).Accounting
				if full := s.full.Load(); a.Accepted != n || b.out.Dials != tt.dials || full != tt.full {
					t.Errorf("%d accepted, %d dials, %d requests over a full handshake; want %d, %d, %d",
						a.Accepted, b.out.Dials, full, n, tt.dials, tt.full)
				}
				if odd := s.odd.Load(); odd != 0 {
					t.Errorf("%d requests not by HTTP/1.1", odd)
				}
			})
		})
	}
}

// https is a server of net/http that takes every request.
type https struct {
	address   string
	full, odd atomic.Int64 // requests: over a full handshake, not by HTTP/1.1
}

// newHTTPS starts a server and returns how to trust it.
func newHTTPS(t *testing.T) (*https, *tls.Config) {
	t.Helper()
	h := &https{}
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	h.address = s.Listener.Addr().String()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return h, &tls.Config{RootCAs: roots}
}

func (h *https) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !r.TLS.DidResume {
		h.full.Add(1)
	}
	if r.ProtoMajor != 1 || r.TLS.NegotiatedProtocol != "http/1.1" {
		h.odd.Add(1)
	}
	w.WriteHeader(http.StatusAccepted)
}

// The deadline of one request passes while the connection is idle, and must not end
// it for the next.
func (v via) testIdleLongerThanTheTimeout(t *testing.T, e engine.Engine) {
	t.Parallel()
	b := v.trial(t, e, always(Accepted), 10, 4)
	b.Timeout = 50 * time.Millisecond
	// A busy machine may let a request time out, which does cost its connection.
	if a := b.run(t).Accounting; a.Accepted == 0 || b.out.Dials > 1+a.TimedOut {
		t.Errorf("%d dials, accounting %+v; want one connection for all", b.out.Dials, a)
	}
}

// expectNoServer checks that a run ended for want of a server, in both models.
func (v via) expectNoServer(t *testing.T, e engine.Engine, timeout time.Duration, handle func(*peer), is func(error) bool) {
	t.Parallel()
	models(t, func(t *testing.T, rate float64) {
		b := v.trial(t, e, handle, rate, 200)
		b.Timeout = timeout
		b.run(t)
		if !errors.Is(b.err, engine.ErrNoServer) || !is(b.err) {
			t.Errorf("error %v, want no server and the reason", b.err)
		}
	})
}

func (v via) testUntrustedCertificate(t *testing.T, e engine.Engine) {
	v.client = &tls.Config{RootCAs: x509.NewCertPool()}
	v.expectNoServer(t, e, 2*time.Second, always(Accepted), func(err error) bool {
		_, ok := errors.AsType[x509.UnknownAuthorityError](err)
		return ok
	})
}

func (v via) testNotTLS(t *testing.T, e engine.Engine) {
	v.server = nil
	v.expectNoServer(t, e, 2*time.Second, func(p *peer) { p.say("HTTP/1.1 400 Bad Request\r\n\r\n") }, func(err error) bool {
		_, ok := errors.AsType[tls.RecordHeaderError](err)
		return ok
	})
}

func (v via) testOldTLS(t *testing.T, e engine.Engine) {
	v.server = v.server.Clone()
	v.server.MinVersion, v.server.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	v.expectNoServer(t, e, 2*time.Second, always(Accepted), isHandshakeError)
}

func (v via) testHandshakeHangs(t *testing.T, e engine.Engine) {
	v.server = nil
	v.expectNoServer(t, e, 200*time.Millisecond, swallow, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) })
}

func (v via) testHandshakeBrokenOff(t *testing.T, e engine.Engine) {
	v.server = nil
	v.expectNoServer(t, e, 2*time.Second, func(*peer) {}, isHandshakeError)
}

func isHandshakeError(err error) bool {
	_, ok := errors.AsType[*engine.HandshakeError](err)
	return ok
}

// swallow reads and never says anything.
func swallow(p *peer) { _, _ = p.in.WriteTo(discard{}) }

// A server may agree first and refuse the client afterwards: then the connection
// was made, and the request fails.
func (v via) testClientCertificateWanted(t *testing.T, e engine.Engine) {
	v.server = v.server.Clone()
	v.server.MinVersion, v.server.ClientAuth = tls.VersionTLS13, tls.RequireAnyClientCert
	models(t, func(t *testing.T, rate float64) {
		t.Parallel()
		a := v.trial(t, e, always(Accepted), rate, 10).run(t).Accounting
		// The write may meet the closed connection before the reason is read.
		if a.FailedKinds["tls"]+a.FailedKinds["reset"] != 10 || a.FailedKinds["tls"] == 0 {
			t.Errorf("accounting %+v, want all failed for TLS", a)
		}
	})
}

// mixed gives the connections that are chosen to handle, over TLS, and the others to
// rest as they are.
func (v via) mixed(chosen func(*peer) bool, handle, rest func(*peer)) func(*peer) {
	secured := v.secured(handle)
	return func(p *peer) {
		if chosen(p) {
			secured(p)
		} else {
			rest(p)
		}
	}
}

func (v via) testHandshakeHangsLater(t *testing.T, e engine.Engine) {
	models(t, func(t *testing.T, rate float64) {
		t.Parallel()
		handle := v.mixed(func(p *peer) bool { return p.number == 0 }, once(farewell), swallow)
		b := via{client: v.client}.trial(t, e, handle, rate/10, 5)
		b.Connections = 1
		limited(b, 150*time.Millisecond)
		a := b.run(t).Accounting
		if b.err != nil {
			t.Fatal(b.err)
		}
		if a.Accepted != 1 || a.NeverSentKinds["dial_timeout"] == 0 || a.Sent != 1 {
			t.Errorf("accounting %+v, want one accepted and the others without a connection", a)
		}
	})
}

// testHandshakeBrokenOffForAWhile has a server that breaks off handshakes while it
// is started again.
func (v via) testHandshakeBrokenOffForAWhile(t *testing.T, e engine.Engine) {
	for name, reconnect := range map[string]bool{"reconnect": true, "give up": false} {
		t.Run(name, func(t *testing.T) {
			models(t, func(t *testing.T, rate float64) {
				t.Parallel()
				ready := func(p *peer) bool { return p.number == 0 || p.number > 5 }
				handle := v.mixed(ready, once(farewell), func(*peer) {})
				b := via{client: v.client}.trial(t, e, handle, rate, 40)
				b.Connections, b.Reconnect = 1, reconnect
				a := b.run(t).Accounting
				lost := int64(5)
				if reconnect {
					lost = 0
				}
				if b.err != nil || a.Accepted != 40-lost || a.NeverSentKinds[record.TLSFailure.String()] != lost {
					t.Errorf("error %v, accounting %+v, want all but %d accepted", b.err, a, lost)
				}
			})
		})
	}
}

func (v via) testInterruptedHandshake(t *testing.T, e engine.Engine) {
	v.server = nil
	models(t, func(t *testing.T, rate float64) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		b := v.trial(t, e, swallow, rate, 100_000)
		b.Timeout = time.Minute
		a := b.runIn(ctx, t).Accounting
		if b.err != nil || !b.out.Interrupted || a.Sent != 0 || a.NeverSentKinds["interrupted"] != a.Scheduled {
			t.Errorf("error %v, interrupted %v, accounting %+v", b.err, b.out.Interrupted, a)
		}
		if took := time.Duration(b.Clock.Now()); took > 5*time.Second {
			t.Errorf("took %v to stop", took)
		}
	})
}
