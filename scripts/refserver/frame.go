package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Bounds of a request.
const (
	maxHead = 8 << 10
	maxBody = 1 << 30
)

// Errors of parseHead and feed. Each ends the connection.
var (
	errMalformed = errors.New("malformed request")
	errTooLarge  = errors.New("request too large")
	errChunked   = errors.New("transfer codings are not supported, send Content-Length")
)

// after says what becomes of the connection after an answer.
type after uint8

const (
	keep   after = iota // HTTP/1.1's default
	keep10              // an HTTP/1.0 client asked for it and waits to be told so
	hangUp
)

// head is what matters of a request's head.
type head struct {
	length int // of the head itself, empty line included; 0 when it is not complete
	body   int
	after  after
}

// parseHead finds the end of the first request's head in b and what follows it.
// The errors wrap errMalformed, errTooLarge or errChunked.
func parseHead(b []byte) (head, error) {
	end := bytes.Index(b[:min(len(b), maxHead)], []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) >= maxHead {
			return head{}, fmt.Errorf("parse head: %w: no empty line within %d bytes", errTooLarge, maxHead)
		}
		return head{}, nil
	}
	h := head{length: end + 4}
	line, rest, _ := bytes.Cut(b[:end], []byte("\r\n"))
	switch {
	case bytes.HasSuffix(line, []byte(" HTTP/1.1")):
	case bytes.HasSuffix(line, []byte(" HTTP/1.0")):
		h.after = hangUp
	default:
		return head{}, fmt.Errorf("parse head: %w: request line %.40q does not end in HTTP/1.1 or HTTP/1.0", errMalformed, line)
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if err := h.field(line); err != nil {
			return head{}, err
		}
	}
	return h, nil
}

// field takes in one header line.
func (h *head) field(line []byte) error {
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found {
		return fmt.Errorf("parse header: %w: %.40q has no colon", errMalformed, line)
	}
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil {
			return fmt.Errorf("parse Content-Length: %w: %.40q is not a number of bytes", errMalformed, value)
		}
		if n > maxBody {
			return fmt.Errorf("parse Content-Length: %w: %d bytes, at most %d", errTooLarge, n, maxBody)
		}
		h.body = int(n)
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		return fmt.Errorf("parse Transfer-Encoding: %w", errChunked)
	case bytes.EqualFold(name, []byte("Connection")):
		switch {
		case bytes.EqualFold(value, []byte("close")):
			h.after = hangUp
		case h.after == hangUp && bytes.EqualFold(value, []byte("keep-alive")):
			h.after = keep10
		}
	}
	return nil
}

// template is the head seen last. Load generators send the same head over and
// over, so that comparing takes the place of parsing.
type template struct {
	head
	bytes []byte
}

func (t *template) match(b []byte) bool {
	return t.length > 0 && len(b) >= t.length && bytes.Equal(b[:t.length], t.bytes)
}

func (t *template) set(h head, b []byte) {
	t.head = h
	t.bytes = append(t.bytes[:0], b[:h.length]...)
}

// stream is the position in one connection's sequence of requests. Its zero
// value is the start.
type stream struct {
	partial []byte // start of a head whose end has not arrived
	missing int    // bytes of the body that have not arrived
	inBody  bool
	after   after // of the request seen last
}

// feed takes in bytes that arrived and returns how many requests are complete
// with them. After a request that ends the connection it ignores the rest.
// Requests complete before an error count.
func (s *stream) feed(b []byte, t *template) (done int, err error) {
	for {
		if s.inBody {
			n := min(s.missing, len(b))
			b, s.missing = b[n:], s.missing-n
			if s.missing > 0 {
				return done, nil
			}
			s.inBody = false
			done++
			if s.after == hangUp {
				return done, nil
			}
		}
		if len(b) == 0 {
			return done, nil
		}
		h, used, err := s.nextHead(b, t)
		if err != nil || used == 0 {
			return done, err
		}
		b = b[used:]
		s.missing, s.after, s.inBody = h.body, h.after, true
	}
}

// nextHead returns the head that ends in b and how many bytes of b it takes, or
// 0 when it has put them aside because the head is not complete.
func (s *stream) nextHead(b []byte, t *template) (head, int, error) {
	before := len(s.partial)
	if before == 0 && t.match(b) {
		return t.head, t.length, nil
	}
	all := b
	if before > 0 {
		s.partial = append(s.partial, b[:min(len(b), maxHead-before)]...)
		all = s.partial
	}
	h, err := parseHead(all)
	if err != nil {
		return head{}, 0, err
	}
	if h.length == 0 {
		if before == 0 {
			s.partial = append(s.partial, b...)
		}
		return head{}, 0, nil
	}
	t.set(h, all)
	s.partial = s.partial[:0]
	return h, h.length - before, nil
}
