package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const post = "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

func TestParseHead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want head
		err  error
	}{
		"empty":                {"", head{}, nil},
		"half a head":          {"GET / HTTP/1.1\r\nHost: a\r\n", head{}, nil},
		"without fields":       {"GET / HTTP/1.1\r\n\r\n", head{length: 18}, nil},
		"with a body":          {post, head{length: len(post) - 5, body: 5}, nil},
		"length in any case":   {"POST / HTTP/1.1\r\ncontent-length:  7 \r\n\r\n", head{length: 40, body: 7}, nil},
		"close":                {"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", head{length: 37, after: hangUp}, nil},
		"keep-alive is 1.1's":  {"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", head{length: 42}, nil},
		"1.0 closes":           {"GET / HTTP/1.0\r\n\r\n", head{length: 18, after: hangUp}, nil},
		"1.0 with keep-alive":  {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", head{length: 42, after: keep10}, nil},
		"chunked":              {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", head{}, errChunked},
		"no version":           {"GET /\r\n\r\n", head{}, errMalformed},
		"no colon":             {"GET / HTTP/1.1\r\nHost\r\n\r\n", head{}, errMalformed},
		"length is no number":  {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", head{}, errMalformed},
		"length is too large":  {"POST / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", head{}, errTooLarge},
		"head is too large":    {"GET / HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead), head{}, errTooLarge},
		"end beyond the limit": {"GET / HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead) + "\r\n\r\n", head{}, errTooLarge},
	} {
		got, err := parseHead([]byte(c.text))
		if got != c.want || !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
			t.Errorf("%s: %+v, error %v; want %+v, %v", name, got, err, c.want, c.err)
		}
	}
}

func TestFeedSplitAnywhere(t *testing.T) {
	text := []byte(post + post + "GET / HTTP/1.1\r\n\r\n" + post)
	for first := range text {
		for second := first; second < len(text); second += 7 {
			var s stream
			var known template
			total := 0
			for _, part := range [][]byte{text[:first], text[first:second], text[second:]} {
				n, err := s.feed(part, &known)
				if err != nil {
					t.Fatalf("split at %d and %d: %v", first, second, err)
				}
				total += n
			}
			if total != 4 || s.inBody || len(s.partial) > 0 {
				t.Fatalf("split at %d and %d: %d requests, left %+v", first, second, total, s)
			}
		}
	}
}

func TestFeedStopsAfterClose(t *testing.T) {
	var s stream
	n, err := s.feed([]byte(post+"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"+post), &template{})
	if n != 2 || err != nil || s.after != hangUp {
		t.Errorf("%d requests, error %v, after %d; want 2, none, hangUp", n, err, s.after)
	}
}

func TestFeedDoesNotAllocate(t *testing.T) {
	var s stream
	var known template
	b := []byte(post)
	if n := testing.AllocsPerRun(100, func() {
		if done, err := s.feed(b, &known); done != 1 || err != nil {
			t.Fatal(done, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}

// FuzzFeed: how the bytes are cut up must not matter.
func FuzzFeed(f *testing.F) {
	f.Add([]byte(post+post), uint(3))
	f.Add([]byte("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"+post), uint(40))
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), uint(1))
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		if len(data) >= maxHead {
			return // what is too large may be found out a part later
		}
		at := int(cut % uint(len(data)+1))
		whole := feedAll(data)
		parts := feedAll(data[:at], data[at:])
		if whole != parts {
			t.Errorf("cut at %d: %s, whole: %s", at, parts, whole)
		}
	})
}

func feedAll(parts ...[]byte) string {
	var s stream
	var known template
	total := 0
	for _, p := range parts {
		n, err := s.feed(p, &known)
		total += n
		if err != nil {
			return fmt.Sprintf("%d requests, %v", total, err)
		}
		if n > 0 && s.after == hangUp && !s.inBody {
			break
		}
	}
	return fmt.Sprintf("%d requests, in body: %t", total, s.inBody)
}
