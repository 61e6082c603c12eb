package sample

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Limits on the labels of one sample.
const (
	// MaxLabels bounds how many labels a sample has.
	MaxLabels = 16
	// MaxLabelNameBytes bounds a label's name.
	MaxLabelNameBytes = 128
	// MaxLabelValueBytes bounds a label's value in UTF-8 bytes after unescaping.
	MaxLabelValueBytes = 1024
)

// Labels tell samples of one name apart. They are kept as the JSON object that stands in
// the storage file, sorted by name, each name once, without blanks, values escaped as
// AppendString does:
//
//	{"host":"a","zone":"eu"}
//
// A sample without labels has "". So two series are the same exactly when their names and
// their Labels are equal strings. A name is [a-zA-Z_][a-zA-Z0-9_]*, a value is never empty.
type Labels string

// Get returns the value of a label. It allocates only for a value with escapes.
func (l Labels) Get(name string) (value string, ok bool) {
	for n, v := range l.raw() {
		if n == name {
			return unescape(v), true
		}
	}
	return "", false
}

// All yields names and values, sorted by name. It allocates only for values with escapes.
func (l Labels) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for n, v := range l.raw() {
			if !yield(n, unescape(v)) {
				return
			}
		}
	}
}

// raw yields names and values as they stand in the text.
func (l Labels) raw() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		rest := string(l)
		for len(rest) > 1 { // the closing brace is left over
			rest = rest[2:] // {" or ,"
			colon := strings.IndexByte(rest, ':')
			name := rest[:colon-1]
			rest = rest[colon+2:]
			end := closingQuote(rest)
			if !yield(name, rest[:end]) {
				return
			}
			rest = rest[end+1:]
		}
	}
}

func closingQuote(s string) int {
	for i := 0; ; i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++ // what is escaped closes nothing
		}
	}
}

// unescape undoes AppendString.
func unescape(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	var out strings.Builder
	for ; at >= 0; at = strings.IndexByte(s, '\\') {
		out.WriteString(s[:at])
		if s[at+1] != 'u' {
			out.WriteByte(s[at+1])
			s = s[at+2:]
			continue
		}
		r, _ := strconv.ParseUint(s[at+2:at+6], 16, 32) // written by appendEscape
		out.WriteRune(rune(r))
		s = s[at+6:]
	}
	out.WriteString(s)
	return out.String()
}

// NewLabels returns labels with these names and values. The error is an *Error.
func NewLabels(pairs map[string]string) (Labels, error) {
	var set labelSet
	for name, value := range pairs {
		if f := set.add([]byte(name), -1); f != nil {
			return "", f
		}
		if f := set.value([]byte(strings.ToValidUTF8(value, "�")), -1); f != nil {
			return "", f
		}
	}
	text, f := set.appendTo(nil, -1)
	if f != nil {
		return "", f
	}
	return Labels(text), nil
}

// labelSet collects labels in any order. Its memory is reused.
type labelSet struct {
	text    []byte // "name":"value" of one label after the other, as in the canonical form
	members []member
}

// member is a label within labelSet.text.
type member struct{ from, nameEnd, to int }

func (set *labelSet) reset() { set.text, set.members = set.text[:0], set.members[:0] }

// add begins a label. The index is that of the sample, for the error.
func (set *labelSet) add(name []byte, index int) *Error {
	if len(set.members) == MaxLabels {
		return fault(TooManyLabels, index, "more than "+strconv.Itoa(MaxLabels)+" labels on one sample")
	}
	if len(name) > MaxLabelNameBytes {
		return fault(LabelTooLong, index, "label name "+echo(name)+" is longer than "+strconv.Itoa(MaxLabelNameBytes)+" bytes")
	}
	if !isLabelName(name) {
		return fault(BadLabels, index, "label name "+echo(name)+" must be letters, digits and _, and not begin with a digit")
	}
	from := len(set.text)
	set.text = append(append(append(set.text, '"'), name...), '"')
	set.members = append(set.members, member{from: from, nameEnd: len(set.text)})
	return nil
}

// value completes the label that add began.
func (set *labelSet) value(value []byte, index int) *Error {
	m := &set.members[len(set.members)-1]
	switch {
	case len(value) == 0:
		return fault(BadLabels, index, "label "+string(set.name(*m))+" is empty; leave it out")
	case len(value) > MaxLabelValueBytes:
		return fault(LabelTooLong, index, "value of label "+string(set.name(*m))+" has "+strconv.Itoa(len(value))+" bytes; at most "+strconv.Itoa(MaxLabelValueBytes)+" are allowed")
	}
	set.text = AppendString(append(set.text, ':'), string(value))
	m.to = len(set.text)
	return nil
}

// name is quoted.
func (set *labelSet) name(m member) []byte { return set.text[m.from:m.nameEnd] }

// appendTo appends the canonical form; nothing for an empty set.
func (set *labelSet) appendTo(dst []byte, index int) ([]byte, *Error) {
	if len(set.members) == 0 {
		return dst, nil
	}
	// A quote sorts before whatever a name is made of, so quoted names sort like bare ones.
	slices.SortFunc(set.members, func(a, b member) int { return bytes.Compare(set.name(a), set.name(b)) })
	for i, m := range set.members {
		if i > 0 && string(set.name(m)) == string(set.name(set.members[i-1])) {
			return dst, fault(DuplicateKey, index, "label "+string(set.name(m))+" stands twice")
		}
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		dst = append(append(dst, separator), set.text[m.from:m.to]...)
	}
	return append(dst, '}'), nil
}

func isLabelName(name []byte) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(name) > 0
}

// PlainLabels reports that text is Labels in which no value has escapes or anything but
// ASCII. Where it is false only a parser can tell.
func PlainLabels(text []byte) bool {
	var last []byte
	for n := range MaxLabels {
		before := `,"`
		if n == 0 {
			before = `{"`
		}
		if len(text) < len(before) || string(text[:len(before)]) != before {
			return false
		}
		text = text[len(before):]
		name := text[:plainBytes(text)]
		if len(name) > MaxLabelNameBytes || !isLabelName(name) || bytes.Compare(last, name) >= 0 {
			return false
		}
		last = name
		if text = text[len(name):]; len(text) < 3 || string(text[:3]) != `":"` {
			return false
		}
		text = text[3:]
		length := plainBytes(text)
		if length == 0 || length > MaxLabelValueBytes || length+2 > len(text) || text[length] != '"' {
			return false
		}
		if text = text[length+1:]; len(text) == 1 {
			return text[0] == '}'
		}
	}
	return false
}
