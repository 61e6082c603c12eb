package framing

import "bytes"

// maxHexDigits of a chunk size fit an int64.
const maxHexDigits = 15

// chunkLine judges SIZE or SIZE;name=value…; size 0 is followed by the trailer.
func (c *Checker) chunkLine(line []byte) *Error {
	if len(line) > maxChunkLine {
		return errChunkTooLong
	}
	n := 0
	for n < len(line) && n < maxHexDigits && hex[line[n]] >= 0 {
		c.left = c.left<<4 | int64(hex[line[n]])
		n++
	}
	if n == 0 || n < len(line) && line[n] != ';' {
		return errChunkSize
	}
	if !extensions(line[n:]) {
		return errExtension
	}
	c.state = inChunk
	if c.left == 0 {
		c.state = inTrailer
	}
	return nil
}

// extensions reports whether b is *( ";" name [ "=" ( name | quoted text ) ] ). RFC 9112
// lets white space stand around; nobody writes it, and it has hidden requests before.
func extensions(b []byte) bool {
	for len(b) > 0 {
		n := nameEnd(b[1:])
		if b[0] != ';' || n == 0 {
			return false
		}
		if b = b[1+n:]; len(b) == 0 || b[0] != '=' {
			continue
		}
		b = b[1:]
		if n = nameEnd(b); n == 0 {
			n = quotedEnd(b)
		}
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// nameEnd returns how many bytes of a name b starts with.
func nameEnd(b []byte) int {
	n := 0
	for n < len(b) && token[b[n]] {
		n++
	}
	return n
}

// quotedEnd returns the length of the quoted text that b starts with, 0 if there is none.
func quotedEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			i++
		}
		if i == len(b) || b[i] != '\t' && b[i] != ' ' && !visible(b[i]) && b[i] < 0x80 {
			return 0
		}
	}
	return 0
}

// hex holds the value of each hexadecimal digit and -1 for every other byte.
var hex = func() (t [256]int8) {
	for b := range t {
		t[b] = int8(bytes.IndexByte([]byte("0123456789abcdef"), byte(b)|0x20))
		if b < '0' {
			t[b] = -1
		}
	}
	return t
}()
