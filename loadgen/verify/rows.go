package verify

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The limits of what is taken from an answer.
const (
	maxBodyBytes  = 1 << 30
	maxTokenBytes = 2 << 10 // a string or a number
)

// row is one element of an answer of GET /query. Its name is valid until the
// next row is read.
type row struct {
	name      []byte
	value     float64
	timestamp int64 // Unix ms
}

// The reasons for which a body is not taken, wrapped with where. What is neither
// is an error of reading it.
var (
	// errTorn: the body ends before its JSON does, as one of a dying server does.
	errTorn = errors.New("body ends early")
	// errMalformed: the body is not an array of rows, or larger than any should be.
	errMalformed = errors.New("malformed body")
)

// rowReader decodes a JSON array of {"name":…,"value":…,"timestamp":…}, the keys
// in any order, each exactly once and no others. It holds one row at a time and
// does not allocate per row. After an error it must not be used any further.
type rowReader struct {
	in    *bufio.Reader
	at    int64 // bytes taken
	rows  int64 // begun
	name  []byte
	token []byte
}

// reset starts a new body.
func (r *rowReader) reset(body io.Reader) {
	if r.in == nil {
		r.in = bufio.NewReaderSize(body, 64<<10)
	}
	r.in.Reset(body)
	r.at, r.rows = 0, 0
}

// next returns the next row. The error is io.EOF after a complete array that
// nothing follows, it wraps errTorn for one that is cut off, errMalformed for one
// that is something else, or is that of reading.
func (r *rowReader) next() (row, error) {
	c, err := r.skip()
	if err != nil {
		return row{}, err
	}
	first := r.rows == 0
	if first {
		if c != '[' {
			return row{}, r.unexpected(c, "an array of rows")
		}
		if c, err = r.skip(); err != nil {
			return row{}, err
		}
	}
	switch {
	case c == ']':
		return row{}, r.end()
	case !first && c != ',':
		return row{}, r.unexpected(c, "',' or ']'")
	case !first:
		if c, err = r.skip(); err != nil {
			return row{}, err
		}
	}
	if c != '{' {
		return row{}, r.unexpected(c, "a row")
	}
	r.rows++
	return r.row()
}

// end checks that only white space follows.
func (r *rowReader) end() error {
	c, err := r.skip()
	switch {
	case errors.Is(err, errTorn):
		return io.EOF
	case err != nil:
		return err
	}
	return r.unexpected(c, "the end of the body")
}

// The keys of a row.
const (
	hasName = 1 << iota
	hasValue
	hasTimestamp
	hasAll = hasName | hasValue | hasTimestamp
)

// row reads what follows the opening brace.
func (r *rowReader) row() (out row, err error) {
	seen := 0
	for {
		key, err := r.field(&out)
		if err != nil {
			return row{}, err
		}
		if seen&key != 0 {
			return row{}, r.fault("a key stands twice in the row")
		}
		seen |= key
		c, err := r.skip()
		switch {
		case err != nil:
			return row{}, err
		case c == '}' && seen == hasAll:
			return out, nil
		case c == '}':
			return row{}, r.fault("a row lacks one of name, value, timestamp")
		case c != ',':
			return row{}, r.unexpected(c, "',' or '}'")
		}
	}
}

// field reads one key and its value into out.
func (r *rowReader) field(out *row) (key int, err error) {
	c, err := r.skip()
	if err != nil {
		return 0, err
	}
	if r.token, err = r.text(c, r.token); err != nil {
		return 0, err
	}
	switch string(r.token) {
	case "name":
		key = hasName
	case "value":
		key = hasValue
	case "timestamp":
		key = hasTimestamp
	default:
		return 0, r.fault(fmt.Sprintf("key %.40q, want name, value or timestamp", r.token))
	}
	if c, err = r.skip(); err != nil {
		return 0, err
	}
	if c != ':' {
		return 0, r.unexpected(c, "':'")
	}
	if c, err = r.skip(); err != nil {
		return 0, err
	}
	return key, r.content(c, key, out)
}

// content reads the value that begins with c.
func (r *rowReader) content(c byte, key int, out *row) (err error) {
	if key == hasName {
		r.name, err = r.text(c, r.name)
		out.name = r.name
		return err
	}
	if err := r.number(c); err != nil {
		return err
	}
	if key == hasValue {
		out.value, err = strconv.ParseFloat(string(r.token), 64)
	} else {
		out.timestamp, err = strconv.ParseInt(string(r.token), 10, 64)
	}
	if err != nil {
		return r.fault(fmt.Sprintf("number %.40s is out of range, or not whole where a timestamp is due", r.token))
	}
	return nil
}

// text reads a string that begins with c into into.
func (r *rowReader) text(c byte, into []byte) ([]byte, error) {
	if c != '"' {
		return into, r.unexpected(c, "a string")
	}
	into = append(into[:0], c)
	escapes := false
	for {
		c, err := r.byte()
		if err != nil {
			return into, err
		}
		if len(into) == maxTokenBytes {
			return into, r.fault("a string is longer than 2 KiB")
		}
		into = append(into, c)
		switch {
		case c == '"':
			return r.unquote(into, escapes)
		case c < ' ':
			return into, r.fault("a string holds a control character")
		case c == '\\':
			escapes = true
			if c, err = r.byte(); err != nil {
				return into, err
			}
			into = append(into, c)
		}
	}
}

// unquote takes the quotes off and, which our own names never need, resolves
// escapes.
func (r *rowReader) unquote(quoted []byte, escapes bool) ([]byte, error) {
	if !escapes {
		return append(quoted[:0], quoted[1:len(quoted)-1]...), nil
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return quoted, r.fault("a string has an escape that JSON does not know")
	}
	return append(quoted[:0], s...), nil
}

// number reads a number that begins with c into r.token.
func (r *rowReader) number(c byte) error {
	r.token = r.token[:0]
	for inNumber(c) {
		if len(r.token) == maxTokenBytes {
			return r.fault("a number is longer than 2 KiB")
		}
		r.token = append(r.token, c)
		var err error
		if c, err = r.byte(); err != nil {
			return err
		}
	}
	if len(r.token) == 0 {
		return r.unexpected(c, "a number")
	}
	r.at--
	// Cannot fail: the byte was just read.
	_ = r.in.UnreadByte()
	if !json.Valid(r.token) {
		return r.fault(fmt.Sprintf("%.40q is not a number", r.token))
	}
	return nil
}

func inNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// skip returns the next byte that is not white space.
func (r *rowReader) skip() (byte, error) {
	for {
		c, err := r.byte()
		if err != nil || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, err
		}
	}
}

func (r *rowReader) byte() (byte, error) {
	c, err := r.in.ReadByte()
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return 0, fmt.Errorf("%w: row %d, byte %d", errTorn, r.rows, r.at)
	case err != nil:
		return 0, fmt.Errorf("read row %d: %w", r.rows, err)
	case r.at == maxBodyBytes:
		return 0, r.fault(fmt.Sprintf("the body is larger than %d MiB", maxBodyBytes>>20))
	}
	r.at++
	return c, nil
}

func (r *rowReader) unexpected(c byte, want string) error {
	return r.fault(fmt.Sprintf("%q, want %s", c, want))
}

// fault describes what is wrong with the byte that was read last.
func (r *rowReader) fault(what string) error {
	return fmt.Errorf("%w: row %d, byte %d: %s", errMalformed, r.rows, r.at, what)
}
