package epoll

import (
	"bytes"
	"errors"
	"strconv"

	"phase0/loadgen/engine"
)

var (
	errMalformed = errors.New("malformed response")
	errTooLarge  = errors.New("response exceeds the limits")
)

// part is what an answer goes on with.
type part uint8

const (
	statusLine part = iota
	header
	sizedBody  // remaining bytes are left
	endlessly  // a body up to the close
	chunkSize  // a line with the size of the next chunk
	chunkData  // remaining bytes are left
	chunkEnd   // the line end behind a chunk
	trailer    // header lines behind the last chunk
	completely // nothing: the answer is complete
)

// answer frames one answer of HTTP/1.x. It is fed with what arrives, in pieces of
// any size, and keeps no more of it than one unfinished line.
type answer struct {
	head bool // to a request whose answers have no body

	part       part
	status     int
	version    byte  // the minor one
	remaining  int64 // bytes of body or chunk; while in the header -1 for not given
	drained    int64 // bytes of a body of unknown length so far
	blockSize  int   // bytes of the header block or trailer so far
	interim    int   // 1xx answers so far
	chunked    bool
	closes     bool // Connection: close
	persists   bool // Connection: keep-alive
	unfinished []byte
}

// reset prepares for the next answer.
func (a *answer) reset() {
	*a = answer{head: a.head, remaining: -1, unfinished: a.unfinished[:0]}
}

// begun reports whether anything of the answer has arrived.
func (a *answer) begun() bool {
	return a.part != statusLine || a.interim > 0 || len(a.unfinished) > 0
}

// last reports whether the connection ends with this answer.
func (a *answer) last() bool {
	return a.closes || a.status < 200 || a.version == 0 && !a.persists
}

// feed takes what arrived and returns how much of it belongs to this answer. Done
// means that the answer is complete.
func (a *answer) feed(data []byte) (n int, done bool, err error) {
	for n < len(data) && a.part != completely {
		var used int
		switch a.part {
		case sizedBody, chunkData:
			used = a.skip(data[n:])
		case endlessly:
			used = len(data) - n
			err = a.drain(int64(used))
		default:
			used, err = a.feedLine(data[n:])
		}
		n += used
		if err != nil {
			return n, false, err
		}
	}
	return n, a.part == completely, nil
}

// closed takes the end of the connection, which completes a body without a
// length.
func (a *answer) closed() bool { return a.part == endlessly }

func (a *answer) skip(data []byte) int {
	n := int(min(int64(len(data)), a.remaining))
	if a.remaining -= int64(n); a.remaining == 0 {
		if a.part == chunkData {
			a.part = chunkEnd
		} else {
			a.part = completely
		}
	}
	return n
}

func (a *answer) drain(n int64) error {
	if a.drained += n; a.drained > engine.BodyLimit {
		return errTooLarge
	}
	return nil
}

// feedLine takes data up to the next line end and parses the line.
func (a *answer) feedLine(data []byte) (int, error) {
	end := bytes.IndexByte(data, '\n')
	n := end + 1
	if end < 0 {
		n = len(data)
	}
	if a.blockSize += n; a.blockSize > engine.HeaderLimit {
		return n, errTooLarge
	}
	if end < 0 || len(a.unfinished) > 0 {
		a.unfinished = append(a.unfinished, data[:n]...)
		if end < 0 {
			return n, nil
		}
		line := a.unfinished
		a.unfinished = a.unfinished[:0]
		return n, a.line(line[:len(line)-1])
	}
	return n, a.line(data[:end])
}

// line parses a line without its line feed.
func (a *answer) line(line []byte) error {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	switch a.part {
	case statusLine:
		a.part = header
		return a.parseStatus(line)
	case header:
		if len(line) > 0 {
			return a.parseField(line)
		}
		return a.endHeader()
	case chunkSize:
		return a.parseChunkSize(line)
	case chunkEnd:
		a.part, a.blockSize = chunkSize, 0
		if len(line) > 0 {
			return errMalformed
		}
	case trailer:
		if len(line) == 0 {
			a.part = completely
		}
	}
	return nil
}

// parseStatus parses "HTTP/1.1 202 Accepted"; the reason may be missing.
func (a *answer) parseStatus(line []byte) error {
	const version = "HTTP/1."
	digits := len(version) + 2
	if len(line) < digits+3 || string(line[:len(version)]) != version || line[digits-1] != ' ' {
		return errMalformed
	}
	a.version = line[len(version)] - '0'
	status := 0
	for _, c := range line[digits : digits+3] {
		if c < '0' || c > '9' {
			return errMalformed
		}
		status = status*10 + int(c-'0')
	}
	rest := line[digits+3:]
	if a.version > 1 || status < 100 || status > 599 || len(rest) > 0 && rest[0] != ' ' {
		return errMalformed
	}
	a.status = status
	return nil
}

// parseField parses a header line and keeps what frames the message.
func (a *answer) parseField(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || line[colon-1] == ' ' || line[colon-1] == '\t' {
		return errMalformed
	}
	if line[0] == ' ' || line[0] == '\t' {
		return errMalformed // a folded line, which is obsolete
	}
	name, value := line[:colon], line[colon+1:]
	switch {
	case len(name) == len("Content-Length") && equalFold(name, "content-length"):
		return a.parseLength(bytes.TrimSpace(value))
	case len(name) == len("Transfer-Encoding") && equalFold(name, "transfer-encoding"):
		if !equalFold(bytes.TrimSpace(value), "chunked") {
			return errMalformed // we asked for no other coding
		}
		a.chunked = true
	case len(name) == len("Connection") && equalFold(name, "connection"):
		for option := range bytes.SplitSeq(value, []byte(",")) {
			option = bytes.TrimSpace(option)
			a.closes = a.closes || equalFold(option, "close")
			a.persists = a.persists || equalFold(option, "keep-alive")
		}
	}
	return nil
}

// parseLength takes plain digits. A second length must agree with the first.
func (a *answer) parseLength(value []byte) error {
	length, err := strconv.ParseUint(string(value), 10, 63)
	if err != nil || value[0] == '+' {
		return errMalformed
	}
	if a.remaining >= 0 && a.remaining != int64(length) {
		return errMalformed
	}
	a.remaining = int64(length)
	return nil
}

// endHeader decides what follows the header block (RFC 9112, section 6.3).
func (a *answer) endHeader() error {
	a.blockSize = 0
	switch {
	case a.status == 101:
		a.part = completely // it is another protocol from here on
	case a.status < 200:
		interim := a.interim + 1
		if interim >= engine.InterimLimit {
			return errMalformed
		}
		a.reset()
		a.interim = interim
	case a.head, a.status == 204, a.status == 304:
		a.part = completely
	case a.chunked:
		a.part = chunkSize
	case a.remaining > engine.BodyLimit:
		return errTooLarge
	case a.remaining > 0:
		a.part = sizedBody
	case a.remaining == 0:
		a.part = completely
	default:
		a.part, a.closes = endlessly, true
	}
	return nil
}

// parseChunkSize parses a hexadecimal size with extensions, which are ignored.
func (a *answer) parseChunkSize(line []byte) error {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	size, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil || digits[0] == '+' {
		return errMalformed
	}
	a.blockSize = 0
	if size == 0 {
		a.part = trailer
		return nil
	}
	if err := a.drain(int64(min(size, engine.BodyLimit+1))); err != nil {
		return err
	}
	a.part, a.remaining = chunkData, int64(size)
	return nil
}

// equalFold compares ASCII text with lower-case text, without regard to case.
func equalFold(text []byte, lower string) bool {
	if len(text) != len(lower) {
		return false
	}
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
