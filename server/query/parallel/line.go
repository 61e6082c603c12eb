package parallel

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"

	"phase0/server/query/recent"
	"phase0/server/sample"
)

// The fixed parts of a line as sample.AppendLine writes it.
const (
	beforeName      = `{"name":"`
	beforeValue     = `","value":`
	beforeTimestamp = `,"timestamp":`
	beforeLabels    = `,"labels":`
)

// form is what an ordinary line of one name begins with. Lines of other names are
// told apart by their first bytes, without looking at the rest.
type form struct {
	start   string // as far as the value; "" when no sample can have the name
	nameEnd int    // where in start the closing quote of the name is
	plain   bool   // the name stands in start as it is, without escapes
}

func formOf(name string) form {
	if !utf8.ValidString(name) || strings.TrimSpace(name) == "" || len(name) > sample.MaxNameBytes {
		return form{}
	}
	quoted := string(sample.AppendString(nil, name))
	f := form{start: strings.TrimSuffix(beforeName, `"`) + strings.TrimSuffix(quoted, `"`) + beforeValue}
	f.nameEnd = len(f.start) - len(beforeValue)
	f.plain = !strings.Contains(quoted, `\`)
	return f
}

// verdict is what a look at a line tells.
type verdict int

const (
	unusual verdict = iota // only the full parser knows
	other                  // the line is no sample of the name
	ours                   // the line is a sample of the name
)

// fields are what follows the name.
type fields struct {
	value     float64
	timestamp int64
	labels    []byte // the text of the object, which may be anything; nil without
	length    int    // of the line, its line end included
}

// parse looks at the line that text begins with. The fields are set when it is ours,
// provided that its labels are some.
func (f *form) parse(text []byte) (l fields, v verdict) {
	at := differ(text, f.start)
	if at < len(f.start) {
		return l, f.mismatch(text, at)
	}
	n := 0
	if l.value, n = decimal(text[at:]); n == 0 {
		return l, unusual
	}
	at += n
	if n = l.end(text[at:]); n == 0 {
		return l, unusual
	}
	l.length = at + n
	return l, ours
}

// differ returns where text and start begin to differ, len(start) when text begins with
// start, and −1 when one of them is too short to say.
func differ(text []byte, start string) int {
	last := len(start) - 8
	if last < 0 || len(text) < len(start) {
		return -1
	}
	for i := 0; ; i += 8 {
		i = min(i, last)
		if x := word(text[i:]) ^ wordOf(start[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
		if i == last {
			return len(start)
		}
	}
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// wordOf is word of a string; the compiler makes one load of it.
func wordOf(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// mismatch judges a line that differs from f.start at a place. Another name is certain
// when this lies inside the name, or just behind the shorter one, and neither has an
// escape there: what is before is the same text, and the next character another.
func (f *form) mismatch(text []byte, at int) verdict {
	if f.plain && at >= len(beforeName) && at <= f.nameEnd && text[at] != '\\' {
		return other
	}
	return unusual
}

// end parses what follows the value and returns its length with the line end, 0 when only
// the full parser can tell.
func (l *fields) end(text []byte) (length int) {
	const digits = len(beforeTimestamp)
	if len(text) < digits+2 || string(text[:digits]) != beforeTimestamp {
		return 0
	}
	n := 0
	if l.timestamp, n = integer(text[digits:]); n == 0 {
		return 0
	}
	n += digits
	if len(text) >= n+2 && text[n] == '}' && text[n+1] == '\n' {
		l.labels = nil
		return n + 2
	}
	return l.endWithLabels(text, n)
}

// endWithLabels is end for a line that has labels, or that ends the file without a line
// end. From is where the timestamp ends.
func (l *fields) endWithLabels(text []byte, from int) (length int) {
	rest := text[from:]
	length = len(text)
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
		length = from + end + 1
	}
	l.labels = nil
	if string(rest) == "}" {
		return length
	}
	last := len(rest) - 1
	if last <= len(beforeLabels) || string(rest[:len(beforeLabels)]) != beforeLabels || rest[last] != '}' {
		return 0
	}
	l.labels = rest[len(beforeLabels):last]
	return length
}

// split takes the line that text begins with apart without knowing its name. A length of
// 0 means that only the full parser can tell whether it is a sample; otherwise it is one,
// provided that its labels are some. The value is not looked at closer.
func split(text []byte) (name []byte, l fields) {
	if len(text) < len(beforeName) || string(text[:len(beforeName)]) != beforeName {
		return nil, l
	}
	at := len(beforeName)
	for at < len(text) && ordinary[text[at]] {
		at++
	}
	name = text[len(beforeName):at]
	rest := text[at:]
	if len(name) == 0 || len(name) > sample.MaxNameBytes || len(rest) < len(beforeValue) || string(rest[:len(beforeValue)]) != beforeValue {
		return nil, l
	}
	at += len(beforeValue)
	n := decimalLength(text[at:])
	if n == 0 {
		return nil, l
	}
	at += n
	if n = l.end(text[at:]); n > 0 {
		l.length = at + n
	}
	return name, l
}

// ordinary tells visible ASCII that stands for itself in a string.
var ordinary = func() (table [256]bool) {
	for c := '!'; c <= '~'; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// labelTexts remembers texts of labels that are in the form in which samples hold them: so
// that those which only the full parser can judge are judged once, and that samples with
// equal labels share them. It belongs to one goroutine.
type labelTexts struct{ recent.Map[sample.Labels] }

// known reports whether text stands for labels; without text there are none. When it does
// not, only the full parser knows. However many labels there are, those without escapes
// cost no look-up.
func (l *labelTexts) known(text []byte) bool {
	if len(text) == 0 {
		return text == nil
	}
	if sample.PlainLabels(text) {
		return true
	}
	_, ok := l.GetBytes(text)
	return ok
}

// labels returns what a text that is known stands for.
func (l *labelTexts) labels(text []byte) sample.Labels {
	if text == nil {
		return ""
	}
	labels, ok := l.GetBytes(text)
	if !ok {
		labels = sample.Labels(text)
		l.Put(string(labels), labels)
	}
	return labels
}

// learn notes what the full parser made of a line whose labels were text.
func (l *labelTexts) learn(text []byte, s sample.Sample) {
	if len(text) > 0 && string(text) == string(s.Labels) {
		l.Put(string(s.Labels), s.Labels)
	}
}
