package sample

import (
	"bytes"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parser reads one text from left to right and stops at the first fault. What it
// accepts is valid JSON; why it refused is settled by explain.
type parser struct {
	text    []byte
	at      int
	decoder *Decoder
	now     int64
	batch   bool
	sample  Sample // the last one parsed
	num     number // the last one parsed
}

// fields notes which keys of an object were seen.
type fields uint8

const (
	seenName fields = 1 << iota
	seenValue
	seenTimestamp
	seenLabels
	seenMetrics
)

// body parses a whole request body: one sample or one batch.
func (p *parser) body() error {
	seen, err := p.object(-1)
	if err != nil {
		return err
	}
	if p.space(); p.at != len(p.text) {
		return errSyntax
	}
	if seen&seenMetrics != 0 {
		if seen != seenMetrics {
			return fault(BadBatch, -1, `"metrics" stands alone; name, value, timestamp and labels belong inside its samples`)
		}
		return nil
	}
	if err := complete(seen, -1); err != nil {
		return err
	}
	p.decoder.samples = append(p.decoder.samples, p.sample)
	return nil
}

// complete refuses an object that lacks what every sample needs.
func complete(seen fields, index int) error {
	if seen&seenName == 0 {
		return fault(MissingName, index, `"name" is missing`)
	}
	if seen&seenValue == 0 {
		return fault(MissingValue, index, `"value" is missing`)
	}
	return nil
}

// object parses {…} into p.sample. Index is the sample's place in its batch, -1 at the
// top level, where "metrics" is allowed too.
func (p *parser) object(index int) (seen fields, err error) {
	p.sample = Sample{Timestamp: p.now}
	p.space()
	if !p.take('{') {
		return 0, fault(NotAnObject, index, "expected a JSON object")
	}
	if p.space(); p.take('}') {
		return 0, nil
	}
	for {
		field, err := p.member(seen, index)
		if err != nil {
			return seen, err
		}
		seen |= field
		p.space()
		if p.take('}') {
			return seen, nil
		}
		if !p.take(',') {
			return seen, errSyntax
		}
		p.space()
	}
}

// member parses one "key": value and returns which field it was.
func (p *parser) member(seen fields, index int) (fields, error) {
	field := p.plainKey()
	var err error
	if field == 0 {
		if field, err = p.key(index); err != nil {
			return 0, err
		}
	}
	if seen&field != 0 {
		return 0, fault(DuplicateKey, index, "field "+strconv.Quote(field.String())+" stands twice")
	}
	p.space()
	switch field {
	case seenName:
		p.sample.Name, err = p.name(index)
	case seenValue:
		p.sample.Value, err = p.value(index)
	case seenTimestamp:
		p.sample.Timestamp, err = p.timestamp(index)
	case seenLabels:
		p.sample.Labels, err = p.labels(index)
	case seenMetrics:
		err = p.samples()
	}
	return field, err
}

// plainKey takes the key of a sample and its colon, when they stand there as most clients
// write them; 0 is for everything else.
func (p *parser) plainKey() (field fields) {
	rest := p.text[p.at:]
	switch {
	case len(rest) > 8 && string(rest[:7]) == `"name":`:
		p.at += 7
		return seenName
	case len(rest) > 8 && string(rest[:8]) == `"value":`:
		p.at += 8
		return seenValue
	case len(rest) > 12 && string(rest[:12]) == `"timestamp":`:
		p.at += 12
		return seenTimestamp
	case len(rest) > 9 && string(rest[:9]) == `"labels":`:
		p.at += 9
		return seenLabels
	}
	return 0
}

// key takes any key and its colon.
func (p *parser) key(index int) (fields, error) {
	key, err := p.string(index)
	if err != nil {
		return 0, err
	}
	field := fieldOf(key, index)
	if field == 0 {
		return 0, fault(UnknownField, index, "unknown field "+echo(key)+"; known are name, value, timestamp, labels")
	}
	if p.space(); !p.take(':') {
		return 0, errSyntax
	}
	return field, nil
}

func fieldOf(key []byte, index int) fields {
	switch string(key) {
	case "name":
		return seenName
	case "value":
		return seenValue
	case "timestamp":
		return seenTimestamp
	case "labels":
		return seenLabels
	case "metrics":
		if index < 0 {
			return seenMetrics
		}
	}
	return 0
}

// String returns the key of one field.
func (f fields) String() string {
	return [...]string{"name", "value", "timestamp", "labels", "metrics"}[bits.TrailingZeros8(uint8(f))]
}

// samples parses the array of a batch.
func (p *parser) samples() error {
	p.batch = true
	if !p.take('[') {
		return fault(BadBatch, -1, `"metrics" must be an array of samples`)
	}
	if p.space(); p.take(']') {
		return fault(BadBatch, -1, `"metrics" is empty`)
	}
	for index := 0; ; index++ {
		if index == MaxBatch {
			return fault(BatchTooLarge, -1, fmt.Sprintf("more than %d samples in one request", MaxBatch))
		}
		seen, err := p.object(index)
		if err != nil {
			return err
		}
		if seen&(seenName|seenValue) != seenName|seenValue {
			return complete(seen, index)
		}
		p.decoder.samples = append(p.decoder.samples, p.sample)
		p.space()
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return errSyntax
		}
	}
}

func (p *parser) name(index int) (string, error) {
	switch p.peek() {
	case '"':
	case 'n':
		return "", fault(MissingName, index, `"name" is null`)
	default:
		return "", fault(BadName, index, `"name" must be a string`)
	}
	name, err := p.string(index)
	if err != nil {
		return "", err
	}
	if len(name) > MaxNameBytes {
		return "", fault(NameTooLong, index, fmt.Sprintf("name has %d bytes; at most %d are allowed", len(name), MaxNameBytes))
	}
	if isBlank(name) {
		return "", fault(MissingName, index, `"name" is blank`)
	}
	return p.decoder.name(name), nil
}

// labels parses {"name":"value",…}. A text that was parsed before is only looked up: up
// to its first closing brace it is the same text, or this brace stands in a value.
func (p *parser) labels(index int) (Labels, error) {
	if p.peek() != '{' {
		return "", fault(BadLabels, index, `"labels" must be an object of strings`)
	}
	from := p.at
	if end := bytes.IndexByte(p.text[from:], '}'); end >= 0 {
		if known, ok := p.decoder.knownLabels(p.text[from : from+end+1]); ok {
			p.at += end + 1
			return known, nil
		}
	}
	p.decoder.set.reset()
	if err := p.labelSet(index); err != nil {
		return "", err
	}
	text, f := p.decoder.set.appendTo(p.decoder.text[:0], index)
	if f != nil {
		return "", f
	}
	p.decoder.text = text
	return p.decoder.labels(p.text[from:p.at]), nil
}

// labelSet parses the object into the decoder's set.
func (p *parser) labelSet(index int) error {
	p.at++ // the opening brace
	if p.space(); p.take('}') {
		return nil
	}
	for {
		if err := p.label(index); err != nil {
			return err
		}
		p.space()
		if p.take('}') {
			return nil
		}
		if !p.take(',') {
			return errSyntax
		}
		p.space()
	}
}

func (p *parser) label(index int) error {
	name, err := p.string(index)
	if err != nil {
		return err
	}
	if f := p.decoder.set.add(name, index); f != nil {
		return f
	}
	if p.space(); !p.take(':') {
		return errSyntax
	}
	if p.space(); p.peek() != '"' {
		return fault(BadLabels, index, "value of label "+echo(name)+" must be a string")
	}
	value, err := p.string(index)
	if err != nil {
		return err
	}
	if f := p.decoder.set.value(value, index); f != nil {
		return f
	}
	return nil
}

func isBlank(name []byte) bool {
	// A first byte above the space and below 0x80 is a visible character: no need to look on.
	if len(name) > 0 && name[0] > ' ' && name[0] < 0x7f {
		return false
	}
	return strings.TrimSpace(string(name)) == ""
}

func (p *parser) value(index int) (float64, error) {
	if err := p.numberOr(MissingValue, BadValue, "value", index); err != nil {
		return 0, err
	}
	v, err := p.num.float()
	if err != nil {
		return 0, fault(OutOfRange, index, "value "+echo(p.num.token)+" does not fit a 64-bit float")
	}
	return v, nil
}

func (p *parser) timestamp(index int) (int64, error) {
	if err := p.numberOr(BadTimestamp, BadTimestamp, "timestamp", index); err != nil {
		return 0, err
	}
	ts, ok := p.num.integral()
	if !ok || ts < 0 {
		return 0, fault(BadTimestamp, index, "timestamp "+echo(p.num.token)+" must be whole Unix milliseconds, 0 or later")
	}
	if ts > p.now && ts-p.now > MaxFutureMillis {
		return 0, fault(BadTimestamp, index, fmt.Sprintf("timestamp %d is more than a day ahead of the server's clock (%d); the unit is milliseconds", ts, p.now))
	}
	return ts, nil
}

// numberOr parses a number, or says what stands in its place.
func (p *parser) numberOr(null, other Code, field string, index int) error {
	switch c := p.peek(); {
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 'n':
		return fault(null, index, strconv.Quote(field)+" is null")
	default:
		return fault(other, index, strconv.Quote(field)+" must be a number")
	}
}

// string returns the contents of a string. They share memory with the text or
// with the decoder's scratch and are valid until the next call.
func (p *parser) string(index int) ([]byte, error) {
	if !p.take('"') {
		return nil, errSyntax
	}
	from := p.at
	p.at += plainBytes(p.text[from:])
	switch c := p.peek(); {
	case c == '"':
		s := p.text[from:p.at]
		p.at++
		return s, nil
	case c == '\\' || c >= utf8.RuneSelf:
		return p.stringSlow(from, index)
	default: // a control character or the end
		return nil, errSyntax
	}
}

// stringSlow goes on where string met its first escape or non-ASCII byte.
func (p *parser) stringSlow(from, index int) ([]byte, error) {
	out := append(p.decoder.scratch[:0], p.text[from:p.at]...)
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			p.decoder.scratch = out
			return out, nil
		case c == '\\':
			r, err := p.escape(index)
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		case c < ' ':
			return nil, errSyntax
		default:
			r, size := utf8.DecodeRune(p.text[p.at:])
			if r == utf8.RuneError && size == 1 {
				return nil, fault(BadUTF8, index, fmt.Sprintf("invalid UTF-8 at byte %d", p.at))
			}
			out = append(out, p.text[p.at:p.at+size]...)
			p.at += size
		}
	}
	return nil, errSyntax
}

const escapes = `"\/bfnrt`
const escaped = "\"\\/\b\f\n\r\t"

func (p *parser) escape(index int) (rune, error) {
	p.at++ // the backslash
	if p.at >= len(p.text) {
		return 0, errSyntax
	}
	c := p.text[p.at]
	p.at++
	if c != 'u' {
		if i := strings.IndexByte(escapes, c); i >= 0 {
			return rune(escaped[i]), nil
		}
		return 0, errSyntax
	}
	at := p.at
	r, ok := p.hex4()
	if !ok {
		return 0, errSyntax
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if p.take('\\') && p.take('u') {
		if low, ok := p.hex4(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	return 0, fault(BadUTF8, index, fmt.Sprintf("lone surrogate \\u%04x at byte %d", r, at))
}

func (p *parser) hex4() (rune, bool) {
	if p.at+4 > len(p.text) {
		return 0, false
	}
	var r rune
	for _, c := range p.text[p.at : p.at+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	p.at += 4
	return r, true
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func fault(code Code, index int, msg string) *Error {
	return &Error{Code: code, Index: index, Msg: msg}
}
