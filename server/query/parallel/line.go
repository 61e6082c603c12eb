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
	beforeLabels    = `,"labels":`
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

// parse looks at a line, with or without its line end. The fields are set when the line
// is ours, provided that its labels are some.
func (f form) parse(line []byte) (l fields, v verdict) {
	if len(line) < len(f.start) || string(line[:len(f.start)]) != f.start {
		return l, f.mismatch(line)
	}
	if f.start == "" {
		return l, unusual
	}
	line = line[len(f.start):]
	n := 0
	if l.value, n = decimal(line); n == 0 {
		return l, unusual
	}
	ok := false
	if l.timestamp, l.labels, ok = end(line[n:]); !ok {
		return l, unusual
	}
	return l, ours
}

// fields are what follows the name.
type fields struct {
	value     float64
	timestamp int64
	labels    []byte // the text of the object, which may be anything; nil without
}

// end parses what follows the value.
func end(rest []byte) (timestamp int64, labels []byte, ok bool) {
	if len(rest) < len(beforeTimestamp) || string(rest[:len(beforeTimestamp)]) != beforeTimestamp {
		return 0, nil, false
	}
	rest = rest[len(beforeTimestamp):]
	timestamp, n := integer(rest)
	if n == 0 {
		return 0, nil, false
	}
	rest = rest[n:]
	if last := len(rest) - 1; last >= 0 && rest[last] == '\n' {
		rest = rest[:last]
	}
	if len(rest) == 1 {
		return timestamp, nil, rest[0] == '}'
	}
	last := len(rest) - 1
	if last < len(beforeLabels)+1 || string(rest[:len(beforeLabels)]) != beforeLabels || rest[last] != '}' {
		return 0, nil, false
	}
	return timestamp, rest[len(beforeLabels):last], true
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
// the full parser can tell whether it is a sample; otherwise it is one, provided that its
// labels are some.
func split(line []byte) (name []byte, timestamp int64, labels []byte, ok bool) {
	if len(line) < len(beforeName) || string(line[:len(beforeName)]) != beforeName {
		return nil, 0, nil, false
	}
	rest := line[len(beforeName):]
	n := bytes.IndexByte(rest[:min(len(rest), sample.MaxNameBytes+1)], '"')
	if n < 1 || !ordinary(rest[:n]) {
		return nil, 0, nil, false
	}
	name, rest = rest[:n], rest[n:]
	if len(rest) < len(beforeValue) || string(rest[:len(beforeValue)]) != beforeValue {
		return nil, 0, nil, false
	}
	rest = rest[len(beforeValue):]
	if n = decimalLength(rest); n == 0 {
		return nil, 0, nil, false
	}
	timestamp, labels, ok = end(rest[n:])
	return name, timestamp, labels, ok
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

// labelTexts remembers texts of labels that the full parser has accepted and that are in
// the form in which samples hold them. It belongs to one goroutine.
type labelTexts map[string]sample.Labels

// maxLabelTexts bounds the texts, and maxLabelText each of them; past it the memory
// starts afresh.
const (
	maxLabelTexts = 4096
	maxLabelText  = 512
)

// find returns the labels that text stands for; without text there are none.
func (l labelTexts) find(text []byte) (labels sample.Labels, ok bool) {
	if len(text) == 0 {
		return "", text == nil
	}
	labels, ok = l[string(text)]
	return labels, ok
}

// learn notes what the full parser made of a line whose labels were text.
func (l *labelTexts) learn(text []byte, s sample.Sample) {
	if len(text) > maxLabelText || string(text) != string(s.Labels) {
		return
	}
	if *l == nil || len(*l) >= maxLabelTexts {
		*l = make(labelTexts)
	}
	(*l)[string(s.Labels)] = s.Labels
}
