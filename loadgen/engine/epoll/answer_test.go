package epoll

import (
	"errors"
	"strings"
	"testing"

	"phase0/loadgen/engine"
	"phase0/loadgen/engine/enginetest"
)

// outcome is what became of feeding an answer.
type outcome struct {
	used   int
	done   bool
	status int
	last   bool
	err    error
}

// feedAll feeds text in pieces of a size, starting at a fresh answer.
func feedAll(text []byte, size int, head bool) outcome {
	a := answer{head: head}
	a.reset()
	var o outcome
	for o.used < len(text) && !o.done && o.err == nil {
		var n int
		n, o.done, o.err = a.feed(text[o.used:min(o.used+size, len(text))])
		o.used += n
	}
	o.done = o.done || o.err == nil && a.closed()
	if o.done {
		o.status, o.last = a.status, a.last()
	}
	return o
}

func TestAnswerFraming(t *testing.T) {
	const behind = "more"
	whole := func(status int, last bool) outcome { return outcome{done: true, status: status, last: last} }
	tests := []struct {
		name, text string
		head       bool
		want       outcome // used is the length of text if done
	}{
		{"length", "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}", false, whole(202, false)},
		{"length in other case, blanks", "HTTP/1.1 202 A\r\ncONTENT-lENGTH: \t 2 \r\n\r\n{}", false, whole(202, false)},
		{"length 0", "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n", false, whole(202, false)},
		{"same length twice", "HTTP/1.1 200 A\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", false, whole(200, false)},
		{"no reason", "HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n", false, whole(202, false)},
		{"bare line feeds", "HTTP/1.1 202 A\nContent-Length: 2\n\n{}", false, whole(202, false)},
		{"close", "HTTP/1.1 202 A\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n", false, whole(202, true)},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, whole(200, true)},
		{"HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", false, whole(200, false)},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false, whole(200, false)},
		{"switching", "HTTP/1.1 101 Up\r\n\r\n", false, whole(101, true)},
		{"no content", "HTTP/1.1 204 None\r\n\r\n", false, whole(204, false)},
		{"not modified with a length", "HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n", false, whole(304, false)},
		{"answer to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, whole(200, false)},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", false, whole(200, false)},
		{"chunked beats length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false, whole(200, false)},
		{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nSum: 1\r\nB: 2\r\n\r\n", false, whole(200, false)},

		{"not HTTP", "SSH-2.0-OpenSSH\r\n", false, outcome{err: errMalformed}},
		{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", false, outcome{err: errMalformed}},
		{"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", false, outcome{err: errMalformed}},
		{"status 99", "HTTP/1.1 099 Low\r\n\r\n", false, outcome{err: errMalformed}},
		{"status 600", "HTTP/1.1 600 High\r\n\r\n", false, outcome{err: errMalformed}},
		{"status 20x", "HTTP/1.1 20x Odd\r\n\r\n", false, outcome{err: errMalformed}},
		{"status 2000", "HTTP/1.1 2000 Odd\r\n\r\n", false, outcome{err: errMalformed}},
		{"no colon", "HTTP/1.1 200 OK\r\nContent-Length 2\r\n\r\n", false, outcome{err: errMalformed}},
		{"blank before colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n", false, outcome{err: errMalformed}},
		{"folded", "HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\n\r\n", false, outcome{err: errMalformed}},
		{"no name", "HTTP/1.1 200 OK\r\n: b\r\n\r\n", false, outcome{err: errMalformed}},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false, outcome{err: errMalformed}},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, outcome{err: errMalformed}},
		{"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", false, outcome{err: errMalformed}},
		{"empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", false, outcome{err: errMalformed}},
		{"huge length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", false, outcome{err: errMalformed}},
		{"large length", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", false, outcome{err: errTooLarge}},
		{"gzip coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, outcome{err: errMalformed}},
		{"bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false, outcome{err: errMalformed}},
		{"signed chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n", false, outcome{err: errMalformed}},
		{"no chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", false, outcome{err: errMalformed}},
		{"chunk without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", false, outcome{err: errMalformed}},
		{"huge chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n", false, outcome{err: errTooLarge}},
		{"endless header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", engine.HeaderLimit), false, outcome{err: errTooLarge}},
		{"endless line", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", engine.HeaderLimit), false, outcome{err: errTooLarge}},
		{"endless trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", engine.HeaderLimit), false, outcome{err: errTooLarge}},
		{"interim for ever", strings.Repeat("HTTP/1.1 102 Wait\r\n\r\n", engine.InterimLimit+1), false, outcome{err: errMalformed}},
	}
	for _, tt := range tests {
		for _, size := range []int{1 << 20, 7, 1} {
			text := tt.text
			if tt.want.done {
				tt.want.used = len(text)
				text += behind
			}
			got := feedAll([]byte(text), size, tt.head)
			if tt.want.err != nil {
				if !errors.Is(got.err, tt.want.err) {
					t.Errorf("%s in pieces of %d: %+v, want %v", tt.name, size, got, tt.want.err)
				}
				continue
			}
			if got != tt.want {
				t.Errorf("%s in pieces of %d: %+v, want %+v", tt.name, size, got, tt.want)
			}
		}
	}
}

func TestBodyUpToTheClose(t *testing.T) {
	text := "HTTP/1.1 200 OK\r\n\r\nas long as it lasts"
	got := feedAll([]byte(text), 5, false)
	if want := (outcome{used: len(text), done: true, status: 200, last: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFeedingDoesNotAllocate(t *testing.T) {
	text := []byte("HTTP/1.1 202 Accepted\r\nServer: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}")
	chunked := []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	var a answer
	allocs := testing.AllocsPerRun(1000, func() {
		for _, answer := range [][]byte{text, chunked} {
			a.reset()
			if _, done, err := a.feed(answer); !done || err != nil {
				t.Fatal(done, err)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

// FuzzAnswer feeds what a server may send: in one piece and in small ones it must
// come to the same, and what is complete must have a status that can be recorded.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		enginetest.Accepted,
		"HTTP/1.1 100 Continue\r\n\r\n" + enginetest.Accepted,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 099 Low\r\n\r\n", "HTTP/1.1 600 High\r\n\r\n", "garbage", "",
	} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		whole := feedAll(text, len(text)+1, false)
		pieces := feedAll(text, min(max(size, 1), 100), false)
		if (whole.err == nil) != (pieces.err == nil) || whole.err == nil && whole != pieces {
			t.Errorf("whole %+v, in pieces %+v", whole, pieces)
		}
		if whole.done && (whole.status < 100 || whole.status > 599) {
			t.Errorf("answer with status %d", whole.status)
		}
	})
}
