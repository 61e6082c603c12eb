package enginetest

import (
	"maps"
	"strings"
	"testing"

	"phase0/loadgen/engine"
)

// counts are requests by status code or kind.
type counts map[string]int64

// all is a count that stands for every request.
const all = -1

// of replaces all by n.
func (c counts) of(n int64) counts {
	c = maps.Clone(c)
	for k, v := range c {
		if v == all {
			c[k] = n
		}
	}
	return c
}

const huge = 10_000_000 // bytes of a body

// answers are what servers say, and how it must be counted.
var answers = []struct {
	name   string
	handle func(*peer)
	codes  counts
	failed counts
}{
	{"accepted", always(Accepted), counts{"202": all}, nil},
	{"closes each time", once(farewell), counts{"202": all}, nil},
	{"500", always("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), counts{"500": all}, nil},
	{"429", always("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), counts{"429": all}, nil},
	{"no content", always("HTTP/1.1 204 None\r\n\r\n"), counts{"204": all}, nil},
	{"not modified", always("HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\n"), counts{"304": all}, nil},
	{"1xx first", always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + Accepted), counts{"202": all}, nil},
	{"1xx for ever", once(strings.Repeat("HTTP/1.1 102 Wait\r\n\r\n", 100)), nil, counts{"bad_response": all}},
	{"1xx only", once("HTTP/1.1 100 Continue\r\n\r\n"), nil, counts{"eof": all}},
	{"switching", always("HTTP/1.1 101 Up\r\n\r\n"), counts{"101": all}, nil},
	{"chunked", always("HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n"), counts{"202": all}, nil},
	{"chunked, cut", once("HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\nabc"), nil, counts{"eof": all}},
	{"chunked, trailers cut", once("HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n"), nil, counts{"eof": all}},
	{"chunked, no size", once("HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"), nil, counts{"bad_response": all}},
	{"HTTP/1.0", once("HTTP/1.0 200 OK\r\n\r\nuntil the close"), counts{"200": all}, nil},
	{"large body", always("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1_000_000)), counts{"200": all}, nil},
	{"enormous claim", once("HTTP/1.1 200 OK\r\nContent-Length: 900000000000\r\n\r\n"), nil, counts{"too_large": all}},
	{"enormous header", once("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", engine.HeaderLimit) + "\r\n\r\n"), nil, counts{"too_large": all}},
	{"garbage", once("certainly not HTTP\r\n\r\n"), nil, counts{"bad_response": all}},
	{"status 999", once("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), nil, counts{"bad_response": all}},
	{"half an answer", once("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), nil, counts{"eof": all}},
	{"half a header", once("HTTP/1.1 200 OK\r\nConte"), nil, counts{"eof": all}},
	{"closes after reading", once(""), nil, counts{"eof": all}},
	{"resets after reading", resetting, nil, counts{"reset": all}},
	{"says more than asked", always(Accepted + Accepted), counts{"202": all}, nil},
	{"drips", dripping, counts{"202": all}, nil},
}

// hugeAnswers are cheap to say and dear to read.
var hugeAnswers = []struct {
	name   string
	handle func(*peer)
}{
	{"of known length", always("HTTP/1.1 202 OK\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", huge))},
	{"in chunks, with trailers", always("HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n" +
		strings.Repeat("3e8\r\n"+strings.Repeat("x", 1000)+"\r\n", huge/1000) + "0\r\nSum: 1\r\n\r\n")},
	{"until the close", once("HTTP/1.0 202 OK\r\n\r\n" + strings.Repeat("x", huge))},
}

func (v via) testAnswers(t *testing.T, e engine.Engine) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			models(t, func(t *testing.T, rate float64) {
				t.Parallel()
				v.testAnswer(t, e, rate, v.answers, "POST", tt.handle, tt.codes, tt.failed)
			})
		})
	}
}

func (v via) testHugeAnswers(t *testing.T, e engine.Engine) {
	for _, tt := range hugeAnswers {
		t.Run(tt.name, func(t *testing.T) {
			models(t, func(t *testing.T, rate float64) {
				v.testAnswer(t, e, rate, 2, "POST", tt.handle, counts{"202": all}, nil)
			})
		})
	}
}

// The answers to HEAD have no body whatever their header says.
func (v via) testAnswersToHead(t *testing.T, e engine.Engine) {
	for name, header := range map[string]string{
		"length":  "Content-Length: 10",
		"chunked": "Transfer-Encoding: chunked",
		"neither": "Server: x",
	} {
		t.Run(name, func(t *testing.T) {
			models(t, func(t *testing.T, rate float64) {
				t.Parallel()
				answer := always("HTTP/1.1 200 OK\r\n" + header + "\r\n\r\n")
				v.testAnswer(t, e, rate, 8, "HEAD", answer, counts{"200": all}, nil)
			})
		})
	}
}

// testAnswer offers n requests to a server and compares how they ended.
func (v via) testAnswer(t *testing.T, e engine.Engine, rate float64, n int64, method string, handle func(*peer), codes, failed counts) {
	b := v.trial(t, e, handle, rate, n)
	b.Request = template(t, engine.Request{Method: method, KeepAlive: true})
	a := b.run(t).Accounting
	if b.err != nil {
		t.Fatal(b.err)
	}
	if a.Scheduled != n || a.Sent != n {
		t.Errorf("scheduled %d and sent %d, want %d", a.Scheduled, a.Sent, n)
	}
	if codes = codes.of(n); !maps.Equal(a.StatusCodes, codes) {
		t.Errorf("status codes %v, want %v", a.StatusCodes, codes)
	}
	if failed = failed.of(n); !maps.Equal(a.FailedKinds, failed) {
		t.Errorf("failed %v, want %v", a.FailedKinds, failed)
	}
}

func resetting(p *peer) {
	if p.next() {
		_ = p.tcp.SetLinger(0)
	}
}

// dripping answers one byte at a time.
func dripping(p *peer) {
	for p.next() {
		for _, b := range []byte(Accepted) {
			p.say(string(b))
		}
	}
}
