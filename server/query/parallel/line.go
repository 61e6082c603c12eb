package parallel

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"phase0/server/sample"
)

// The fixed parts of a line as sample.AppendLine writes it.
const (
	beforeName      = `{"name":"`
	beforeValue     = `","value":`
	beforeTimestamp = `,"timestamp":`
)

// form is what an ordinary line of one name begins with. Lines of other names are
// told apart by their first bytes, without looking at the rest.
type form struct {
	start string // as far as the value; "" when no sample can have the name
	plain bool   // the name stands in start as it is, without escapes
}

func formOf(name string) form {
	if !utf8.ValidString(name) || strings.TrimSpace(name) == "" || len(name) > sample.MaxNameBytes {
		return form{}
	}
	quoted := string(sample.AppendString(nil, name))
	return form{
		start: strings.TrimSuffix(beforeName, `"`) + strings.TrimSuffix(quoted, `"`) + beforeValue,
		plain: !strings.Contains(quoted, `\`),
	}
}

// verdict is what a look at a line tells.
type verdict int

const (
	unusual verdict = iota // only the full parser knows
	other                  // the line is no sample of the name
	ours                   // the line is a sample of the name
)

// parse looks at a line, with or without its line end. Value and timestamp are set
// when the line is ours.
func (f form) parse(line []byte) (value float64, timestamp int64, v verdict) {
	if len(line) < len(f.start) || string(line[:len(f.start)]) != f.start {
		return 0, 0, f.mismatch(line)
	}
	if f.start == "" {
		return 0, 0, unusual
	}
	line = line[len(f.start):]
	value, n := decimal(line)
	if n == 0 {
		return 0, 0, unusual
	}
	timestamp, ok := end(line[n:])
	if !ok {
		return 0, 0, unusual
	}
	return value, timestamp, ours
}

// end parses what follows the value.
func end(rest []byte) (timestamp int64, ok bool) {
	if len(rest) < len(beforeTimestamp) || string(rest[:len(beforeTimestamp)]) != beforeTimestamp {
		return 0, false
	}
	rest = rest[len(beforeTimestamp):]
	timestamp, n := integer(rest)
	if n == 0 {
		return 0, false
	}
	rest = rest[n:]
	return timestamp, len(rest) == 2 && rest[0] == '}' && rest[1] == '\n' || len(rest) == 1 && rest[0] == '}'
}

// mismatch judges a line that does not begin with f.start. Another name is certain
// when the two differ inside the name, or just behind the shorter one, and neither has
// an escape there: what is before is the same text, and the next character another.
func (f form) mismatch(line []byte) verdict {
	if !f.plain {
		return unusual
	}
	n := len(f.start) - len(beforeValue) + 1 // the closing quote included
	if len(line) < n {
		return unusual
	}
	if string(line[:len(beforeName)]) != beforeName {
		return unusual
	}
	for i := len(beforeName); i < n; i++ {
		if line[i] != f.start[i] {
			if line[i] == '\\' {
				return unusual
			}
			return other
		}
	}
	return unusual
}

// split takes an ordinary line apart without knowing its name. Ok is false when only
// the full parser can tell whether it is a sample.
func split(line []byte) (name []byte, timestamp int64, ok bool) {
	if len(line) < len(beforeName) || string(line[:len(beforeName)]) != beforeName {
		return nil, 0, false
	}
	rest := line[len(beforeName):]
	n := bytes.IndexByte(rest[:min(len(rest), sample.MaxNameBytes+1)], '"')
	if n < 1 || !ordinary(rest[:n]) {
		return nil, 0, false
	}
	name, rest = rest[:n], rest[n:]
	if len(rest) < len(beforeValue) || string(rest[:len(beforeValue)]) != beforeValue {
		return nil, 0, false
	}
	rest = rest[len(beforeValue):]
	if n = decimalLength(rest); n == 0 {
		return nil, 0, false
	}
	timestamp, ok = end(rest[n:])
	return name, timestamp, ok
}

// ordinary reports that a name consists of visible ASCII without escapes.
func ordinary(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}
