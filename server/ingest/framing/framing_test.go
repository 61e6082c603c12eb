package framing

import (
	"errors"
	"strings"
	"testing"
)

const (
	line   = "POST /metrics HTTP/1.1\r\n"
	host   = line + "Host: x\r\n"
	length = host + "Content-Length: 3\r\n\r\n"
	chunks = host + "Transfer-Encoding: chunked\r\n\r\n"
)

// follow shows the bytes to a Checker one by one, the hardest way to cut them, and
// returns where requests ended and what was wrong.
func follow(data string) (ends []int, err error) {
	var c Checker
	for i := range len(data) {
		before := c.state
		if _, err := c.Check([]byte(data[i : i+1])); err != nil {
			return ends, err
		}
		if c.state == atStart && before != atStart {
			ends = append(ends, i+1)
		}
	}
	return ends, nil
}

// A body that is too large is refused where its length stands, before any of it.
func TestMaxBody(t *testing.T) {
	for limit, fine := range map[int64]bool{0: true, 3: true, 4: true, 2: false} {
		c := Checker{MaxBody: limit}
		n, err := c.Check([]byte(length + "abc" + length + "abc"))
		if fine {
			if n != 2*len(length+"abc") || err != nil {
				t.Errorf("limit %d: %d, %v", limit, n, err)
			}
			continue
		}
		var tooLarge *Error
		if !errors.As(err, &tooLarge) || !tooLarge.TooLarge || n != len(length)-len("\n\r\n") {
			t.Errorf("limit %d: %d, %v", limit, n, err)
		}
	}
}

func TestRequestsEndWhereTheySay(t *testing.T) {
	for _, requests := range [][]string{
		{host + "\r\n"},
		{line + "\r\n", host + "\r\n"},
		{length + "abc", length + "d\n\r", host + "\r\n"},
		{"\r\n\r\n" + length + "abc", "\r\n" + host + "\r\n"},
		{host + "content-LENGTH:\t 003 \t\r\n\r\nabc", "GET * HTTP/1.0\r\n\r\n"},
		{host + "Content-Length: 0\r\n\r\n", "M-SEARCH http://x/?a=%20;b#c HTTP/1.1\r\nA:\r\n\r\n"},
		{chunks + "0\r\n\r\n", chunks + "3\r\nabc\r\n000\r\n\r\n", host + "\r\n"},
		{chunks + "1;a;b=c;d=\"e \\\" \xc3\xa9\"\r\n\n\r\n0;last\r\nA: b\r\nC:\r\n\r\n", host + "\r\n"},
		{host + "TRANSFER-encoding: Chunked\r\n\r\n1A\r\n" + strings.Repeat("x", 26) + "\r\n0\r\n\r\n"},
	} {
		var want []int
		whole := strings.Join(requests, "")
		sum := 0
		for _, r := range requests {
			sum += len(r)
			want = append(want, sum)
		}
		ends, err := follow(whole)
		if err != nil || len(ends) != len(want) {
			t.Errorf("%q: ends %v, want %v, %v", whole, ends, want, err)
			continue
		}
		for i := range ends {
			if ends[i] != want[i] {
				t.Errorf("%q: ends %v, want %v", whole, ends, want)
			}
		}
		var c Checker
		if n, err := c.Check([]byte(whole)); n != len(whole) || err != nil || c.state != atStart {
			t.Errorf("%q in one piece: %d, %v", whole, n, err)
		}
	}
}

func TestRefusesWhatCanBeReadInTwoWays(t *testing.T) {
	for _, tc := range []struct {
		data string
		want *Error
	}{
		{"\n", errBareLF},
		{"POST /metrics HTTP/1.1\n", errBareLF},
		{line + "Host: x\n", errBareLF},
		{host + "\n", errBareLF},
		{host + "A: b\nContent-Length: 3\r\n\r\nabc", errBareLF},
		{chunks + "0\n", errBareLF},
		{chunks + "3\r\nabc\n", errBareLF},
		{chunks + "0\r\nA: b\n", errBareLF},
		{chunks + "1;a\nb\r\n", errBareLF},

		{"/metrics HTTP/1.1\r\n", errRequestLine},
		{"POST  /metrics HTTP/1.1\r\n", errRequestLine},
		{" POST /metrics HTTP/1.1\r\n", errRequestLine},
		{"POST /metrics  HTTP/1.1\r\n", errRequestLine},
		{"POST /metrics HTTP/1.1 \r\n", errRequestLine},
		{"POST /metrics\tHTTP/1.1\r\n", errTarget},
		{"POST /metrics\r\n", errRequestLine},
		{"POST /metrics HTTP/1.10\r\n", errRequestLine},
		{"POST /metrics http/1.1\r\n", errRequestLine},
		{"POST /metrics ICE/1.1\r\n", errRequestLine},
		{"P(ST /metrics HTTP/1.1\r\n", errRequestLine},
		{"POST\r /metrics HTTP/1.1\r\n", errRequestLine},
		{"POST /m\u00e9trics HTTP/1.1\r\n", errTarget},
		{"POST /metrics\x00 HTTP/1.1\r\n", errTarget},
		{"POST /metrics\x7f HTTP/1.1\r\n", errTarget},
		{"CONNECT x:80 HTTP/1.1\r\n", errConnect},
		{"GET / HTTP/2.0\r\n", errVersion},
		{"GET / HTTP/1.2\r\n", errVersion},
		{"GET / HTTP/0.9\r\n", errVersion},

		{line + " Host: x\r\n", errFolded},
		{host + "A: b\r\n\tContent-Length: 3\r\n", errFolded},
		{host + "A: b\r\n \r\n", errFolded},
		{host + ": b\r\n", errName},
		{host + "A\r\n", errName},
		{host + "A : b\r\n", errName},
		{host + "A b: c\r\n", errName},
		{host + "A\x00: b\r\n", errName},
		{host + "\rA: b\r\n", errName},
		{host + "\u00e9: b\r\n", errName},
		{chunks + "0\r\nA : b\r\n", errName},
		{chunks + "0\r\nA: b\r\n c\r\n", errFolded},

		{host + "Content-Length:\r\n", errLength},
		{host + "Content-Length: +3\r\n", errLength},
		{host + "Content-Length: -3\r\n", errLength},
		{host + "Content-Length: 3, 3\r\n", errLength},
		{host + "Content-Length: 3 3\r\n", errLength},
		{host + "Content-Length: 0x3\r\n", errLength},
		{host + "Content-Length: 3\v\r\n", errLength},
		{host + "Content-Length: 1000000000000000000\r\n", errLength},
		{host + "Content-Length: 3\r\ncontent-length: 3\r\n", errLengthTwice},
		{host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", errBoth},
		{host + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", errBoth},
		{host + "Transfer-Encoding: identity\r\n", errEncoding},
		{host + "Transfer-Encoding: \r\n", errEncoding},
		{host + "Transfer-Encoding: gzip, chunked\r\n", errEncoding},
		{host + "Transfer-Encoding: chunked, chunked\r\n", errEncoding},
		{host + "Transfer-Encoding: \vchunked\r\n", errEncoding},
		{host + "Transfer-Encoding: xchunked\r\n", errEncoding},
		{host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", errEncoding},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", errEncoding},

		{chunks + "\r\n", errChunkSize},
		{chunks + "x\r\n", errChunkSize},
		{chunks + " 3\r\n", errChunkSize},
		{chunks + "3 \r\n", errChunkSize},
		{chunks + "3 ;a\r\n", errChunkSize},
		{chunks + "0x3\r\n", errChunkSize},
		{chunks + "-3\r\n", errChunkSize},
		{chunks + "0000000000000003\r\n", errChunkSize},
		{chunks + "3\r\nabcd\r\n", errChunkEnd},
		{chunks + "3\r\nab\r\n\r\n", errBareLF}, // its data is ab and the carriage return
		{chunks + "3;\r\n", errExtension},
		{chunks + "3;a;\r\n", errExtension},
		{chunks + "3; a\r\n", errExtension},
		{chunks + "3;a=\r\n", errExtension},
		{chunks + "3;a=\"b\r\n", errExtension},
		{chunks + "3;a=\"b\"c\r\n", errExtension},
		{chunks + "3;a=\"b\\\r\n", errExtension},
		{chunks + "3;a=\"\x00\"\r\n", errExtension},
		{chunks + "3;bad[=x\r\n", errExtension},
		{chunks + "3;a=" + strings.Repeat("b", maxChunkLine) + "\r\n", errChunkTooLong},
		{chunks + "3;a=" + strings.Repeat("b", maxChunkLine), errChunkTooLong},
	} {
		good := length + "abc"
		_, err := follow(good + tc.data)
		if err != tc.want {
			t.Errorf("%q: %v, want %v", tc.data, err, tc.want)
		}
		var c Checker
		n, err := c.Check([]byte(good + tc.data))
		if err != tc.want || n < len(good) || strings.Count((good + tc.data)[:n], "\n") >= strings.Count(good+tc.data, "\n") && strings.HasSuffix(tc.data, "\n") {
			t.Errorf("%q in one piece: %d bytes allowed, %v, want %v", tc.data, n, err, tc.want)
		}
		if n, err := c.Check([]byte(good)); n != 0 || err != tc.want {
			t.Errorf("%q: goes on after an error: %d, %v", tc.data, n, err)
		}
	}
}

// What is remembered of a head never decides about another one.
func TestHeadsThatBeginAlike(t *testing.T) {
	heads := []string{length, chunks, host + "Content-Length: 33\r\n\r\n", host + "\r\n", line + "\r\n"}
	bodies := map[string]string{length: "abc", chunks: "0\r\n\r\n", heads[2]: strings.Repeat("\n", 33)}
	var c Checker
	for i := range 200 {
		h := heads[i*i%7%len(heads)]
		if n, err := c.Check([]byte(h + bodies[h])); err != nil || n != len(h)+len(bodies[h]) || c.state != atStart {
			t.Fatalf("request %d, %q: %d, %v, state %d", i, h, n, err, c.state)
		}
	}
}

// A head is known again at its start only.
func TestKnownHeadInAnotherLine(t *testing.T) {
	var c Checker
	for _, piece := range []string{length + "abc", "G", length} {
		if _, err := c.Check([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if string(c.last) != length || c.state != inBody {
		t.Errorf("state %d, last %q", c.state, c.last)
	}
	c = Checker{}
	for _, piece := range []string{length + "abc", "\x01"} {
		if _, err := c.Check([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Check([]byte(length)); err != errRequestLine {
		t.Errorf("a known head after a bad byte: %v", err)
	}
}

// Long lines that came in pieces are not held on to.
func TestForgetsLongLines(t *testing.T) {
	var c Checker
	for _, piece := range []string{line + "A: " + strings.Repeat("b", 10*keptBytes), "\r", "\n", "\r\n", host, "B: c", "\r\n\r\n"} {
		if _, err := c.Check([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if c.state != atStart || len(c.line) > 0 || cap(c.line) > keptBytes {
		t.Errorf("state %d, %d of %d bytes kept", c.state, len(c.line), cap(c.line))
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	request := []byte(length + "abc" + chunks + "3;a=b\r\nabc\r\n0\r\n\r\n")
	var c Checker
	check := func() {
		for cut := 0; cut < len(request); cut += 20 { // lines come in pieces, too
			if _, err := c.Check(request[cut:min(cut+20, len(request))]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(100, check); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
