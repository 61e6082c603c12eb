package framing

import "bytes"

// requestLine judges METHOD SP TARGET SP VERSION and starts a head.
func (c *Checker) requestLine(line []byte) *Error {
	method := 0
	for method < len(line) && token[line[method]] {
		method++
	}
	if method == 0 || method == len(line) || line[method] != ' ' {
		return errRequestLine
	}
	rest := line[method+1:]
	target := 0
	for target < len(rest) && visible(rest[target]) {
		target++
	}
	if target == 0 || target == len(rest) {
		return errRequestLine
	}
	if rest[target] != ' ' {
		return errTarget
	}
	version := rest[target+1:]
	if !isVersion(version) {
		return errRequestLine
	}
	if version[5] != '1' || version[7] > '1' {
		return errVersion
	}
	if string(line[:method]) == "CONNECT" {
		return errConnect
	}
	c.head = head{old: version[7] == '0'}
	c.state = inHead
	return nil
}

// isVersion reports HTTP/, a digit, a dot, a digit.
func isVersion(b []byte) bool {
	return len(b) == len("HTTP/1.1") && string(b[:5]) == "HTTP/" && digit(b[5]) && b[6] == '.' && digit(b[7])
}

// field judges a header line and notes what decides about the body.
func (c *Checker) field(line []byte) *Error {
	name, err := fieldName(line)
	if err != nil {
		return err
	}
	// Most names are told from these two by their length.
	switch {
	case len(name) == len("content-length") && isName(name, "content-length"):
		return c.contentLength(trim(line[len(name)+1:]))
	case len(name) == len("transfer-encoding") && isName(name, "transfer-encoding"):
		return c.transferEncoding(trim(line[len(name)+1:]))
	}
	return nil
}

// fieldName returns what stands before the colon.
func fieldName(line []byte) ([]byte, *Error) {
	n := 0
	for n < len(line) && token[line[n]] {
		n++
	}
	switch {
	case n > 0 && n < len(line) && line[n] == ':':
		return line[:n], nil
	case line[0] == ' ' || line[0] == '\t':
		return nil, errFolded
	default:
		return nil, errName
	}
}

// maxDigits of a length fit an int64.
const maxDigits = 18

func (c *Checker) contentLength(value []byte) *Error {
	switch {
	case c.head.counted:
		return errLengthTwice
	case c.head.chunked:
		return errBoth
	case len(value) == 0 || len(value) > maxDigits:
		return errLength
	}
	for _, b := range value {
		if !digit(b) {
			return errLength
		}
		c.head.length = 10*c.head.length + int64(b-'0')
	}
	c.head.counted = true
	if c.MaxBody > 0 && c.head.length > c.MaxBody {
		return errTooLarge
	}
	return nil
}

func (c *Checker) transferEncoding(value []byte) *Error {
	switch {
	case c.head.counted:
		return errBoth
	case c.head.old || c.head.chunked || !isName(value, "chunked"):
		return errEncoding
	}
	c.head.chunked = true
	return nil
}

// IsName reports whether a header can have the name s.
func IsName(s string) bool {
	for i := range len(s) {
		if !token[s[i]] {
			return false
		}
	}
	return s != ""
}

// isName compares with a lower-case name, whatever the case of b.
func isName(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if b[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// trim takes off the white space that may surround a value.
func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

func digit(b byte) bool   { return '0' <= b && b <= '9' }
func visible(b byte) bool { return '!' <= b && b <= '~' }

// token tells which bytes a method or a header name may consist of (RFC 9110, 5.6.2).
var token = func() (t [256]bool) {
	for b := range t {
		t[b] = digit(byte(b)) || 'a' <= b|0x20 && b|0x20 <= 'z' && b < 0x80
	}
	for _, b := range []byte("!#$%&'*+-.^_`|~") {
		t[b] = true
	}
	return t
}()
