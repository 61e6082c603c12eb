// Package framing checks how requests are laid out on a connection, before anything
// else reads them: where each line, head, chunk and body ends must be beyond doubt, as
// RFC 9112 writes it and not as tolerant servers read it. Two servers that read the
// same bytes differently let a client smuggle a request past one of them.
//
// A Checker is shown every byte of a connection in the order of arrival, whatever the
// pieces, and says how many of them may be passed on. It decides about ends and about
// nothing else: what a method, target or value means, and whether a value holds control
// bytes, is for the HTTP server behind it. It is not safe for concurrent use.
package framing

import "bytes"

// Error says why the bytes of a connection are no HTTP request.
type Error struct {
	Reason string
	// Version is set when only the protocol version is not one of ours.
	Version bool
	// TooLarge is set when only the body is larger than Checker.MaxBody.
	TooLarge bool
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

var (
	errBareLF       = &Error{Reason: "a line ends without a carriage return"}
	errRequestLine  = &Error{Reason: "the request line is not METHOD TARGET HTTP/1.1, with one space between"}
	errTarget       = &Error{Reason: "the request target holds a byte that must be percent-encoded"}
	errVersion      = &Error{Reason: "only HTTP/1.1 and HTTP/1.0 are spoken here", Version: true}
	errConnect      = &Error{Reason: "CONNECT asks for a tunnel; there is none"}
	errFolded       = &Error{Reason: "a header line starts with white space"}
	errName         = &Error{Reason: "a header name is empty, holds a byte that is not allowed, or has no colon after it"}
	errLength       = &Error{Reason: "Content-Length is not a number of bytes"}
	errLengthTwice  = &Error{Reason: "Content-Length stands twice"}
	errEncoding     = &Error{Reason: "Transfer-Encoding is not chunked, once, in HTTP/1.1"}
	errTooLarge     = &Error{Reason: "Content-Length is more than a body may have", TooLarge: true}
	errBoth         = &Error{Reason: "both Content-Length and Transfer-Encoding are set"}
	errChunkSize    = &Error{Reason: "a chunk does not start with its size in hexadecimal digits"}
	errExtension    = &Error{Reason: "a chunk extension is not ;name or ;name=value"}
	errChunkEnd     = &Error{Reason: "a chunk is longer than its size says"}
	errChunkTooLong = &Error{Reason: "the line of a chunk's size is too long"}
)

// maxChunkLine bounds the line that starts a chunk. Extensions mean nothing here, and a
// server that skips them would skip a gigabyte.
const maxChunkLine = 256

// state is what the next byte belongs to.
type state uint8

const (
	atStart    state = iota // the request line, or an empty line before it
	inHead                  // a header line
	inBody                  // one of left bytes
	atChunk                 // a chunk's size
	inChunk                 // one of left bytes
	afterChunk              // the line end after a chunk
	inTrailer               // a trailer line
)

// Checker follows one connection. Its zero value is at the start of the first request.
type Checker struct {
	// MaxBody, if it is positive, ends a head that announces a larger body where it says
	// so. The HTTP server would wait for the first of it.
	MaxBody int64

	state  state
	left   int64  // of the body or chunk under way
	head   head   // of the request under way
	broken *Error // what Check has returned
	// line holds the start of a line that has not ended yet. A head that arrives in one
	// piece never uses it.
	line []byte
	// last is the last head that came in one piece, and what it said: a client that keeps
	// its connection mostly sends the same one again.
	last     []byte
	lastHead head
}

// head is what of a head decides about the body.
type head struct {
	old     bool // HTTP/1.0
	counted bool // Content-Length was there
	chunked bool
	length  int64
}

// Check looks at the next bytes of the connection. It returns how many of them the
// server may read: all, or, with an error, those before the end of the line that is
// wrong. From then on it allows nothing.
func (c *Checker) Check(p []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	from := -1 // where the head under way starts in p
	for i := 0; i < len(p); {
		switch {
		case c.state == inBody, c.state == inChunk:
			i += c.skip(len(p) - i)
			continue
		case c.state == atStart && len(c.line) == 0:
			if n := len(c.last); n > 0 && bytes.HasPrefix(p[i:], c.last) {
				c.endHead(c.lastHead)
				i += n
				continue
			}
			from = i
		}
		end := bytes.IndexByte(p[i:], '\n')
		if end < 0 {
			return c.keep(p, i)
		}
		line := p[i : i+end+1]
		if len(c.line) > 0 {
			c.line = append(c.line, line...)
			line = c.line
		}
		before := c.state
		if c.broken = c.take(line); c.broken != nil {
			c.line = nil
			return i + end, c.broken
		}
		if len(c.line) > 0 {
			c.forget()
			from = -1
		}
		i += end + 1
		if before == inHead && c.state != inHead && from >= 0 && i-from <= keptBytes {
			c.last, c.lastHead = append(c.last[:0], p[from:i]...), c.head
		}
	}
	return len(p), nil
}

// skip passes over at most n bytes of a body or chunk.
func (c *Checker) skip(n int) int {
	n = int(min(c.left, int64(n)))
	c.left -= int64(n)
	if c.left == 0 {
		if c.state == inBody {
			c.state = atStart
		} else {
			c.state = afterChunk
		}
	}
	return n
}

// keep holds p from i on until the rest of the line has come. The server's own limits on
// a head end what is too long, except for chunk sizes, which it reads byte by byte.
func (c *Checker) keep(p []byte, i int) (int, error) {
	if c.state == atChunk && len(c.line)+len(p)-i > maxChunkLine {
		c.broken, c.line = errChunkTooLong, nil
		return i, c.broken
	}
	c.line = append(c.line, p[i:]...)
	return len(p), nil
}

// keptBytes bounds each buffer that a connection holds on to.
const keptBytes = 1 << 10

func (c *Checker) forget() {
	c.line = c.line[:0]
	if cap(c.line) > keptBytes {
		c.line = nil
	}
}

// take judges a whole line.
func (c *Checker) take(line []byte) *Error {
	n := len(line) - len("\r\n")
	if n < 0 || line[n] != '\r' {
		return errBareLF
	}
	line = line[:n]
	switch c.state {
	case atStart:
		if n == 0 {
			return nil // RFC 9112, 2.2: clients may send one too many after a body
		}
		return c.requestLine(line)
	case inHead:
		if n == 0 {
			c.endHead(c.head)
			return nil
		}
		return c.field(line)
	case atChunk:
		return c.chunkLine(line)
	case afterChunk:
		c.state = atChunk
		if n > 0 {
			return errChunkEnd
		}
		return nil
	default: // inTrailer
		if n == 0 {
			c.state = atStart
			return nil
		}
		_, err := fieldName(line)
		return err
	}
}

func (c *Checker) endHead(h head) {
	c.left = h.length
	switch {
	case h.chunked:
		c.state = atChunk
	case h.length > 0:
		c.state = inBody
	default:
		c.state = atStart
	}
}
