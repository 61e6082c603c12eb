package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Code names why a body was refused. It is the "code" of the JSON error and the
// reason label of the rejection counter.
type Code string

// The reasons for which Decode refuses a body.
const (
	BadJSON        Code = "bad_json"
	BadUTF8        Code = "bad_utf8"
	NotAnObject    Code = "not_an_object"
	UnknownField   Code = "unknown_field"
	DuplicateKey   Code = "duplicate_key"
	MissingName    Code = "missing_name"
	BadName        Code = "bad_name"
	NameTooLong    Code = "name_too_long"
	MissingValue   Code = "missing_value"
	BadValue       Code = "bad_value"
	OutOfRange     Code = "out_of_range"
	BadTimestamp   Code = "bad_timestamp"
	BadLabels      Code = "bad_labels"
	TooManyLabels  Code = "too_many_labels"
	LabelTooLong   Code = "label_too_long"
	BadBatch       Code = "bad_batch"
	BatchTooLarge  Code = "batch_too_large"
	maxEchoedBytes      = 80
)

// Error says what was wrong with a body and where.
type Error struct {
	Code Code
	// Index is the position of the offending sample in a batch, -1 outside one.
	Index int
	Msg   string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Index >= 0 {
		return fmt.Sprintf("metrics[%d]: %s", e.Index, e.Msg)
	}
	return e.Msg
}

// errSyntax marks a text that the strict grammar refuses; explain finds the
// position and the words for it.
var errSyntax = errors.New("invalid JSON")

// Decoder turns bodies of POST /metrics into samples. It reuses its memory: the
// samples returned by Decode are valid until the next call, their names and labels for
// ever. A Decoder is not safe for concurrent use; pool them. The zero value is ready, with
// an Interner of its own.
type Decoder struct {
	interner *Interner
	samples  []Sample
	scratch  []byte
	set      labelSet
	text     []byte // canonical form of set

	// What came last comes again most of the time.
	lastName   string
	lastLabels lastLabels
}

type lastLabels struct {
	sent   string
	labels Labels
}

// NewDecoder returns a decoder that shares what it remembers.
func NewDecoder(shared *Interner) *Decoder { return &Decoder{interner: shared} }

// Decode parses {"name":…,"value":…,"timestamp":…,"labels":{…}} or {"metrics":[…]};
// batch tells which of the two it was. A sample without timestamp gets now, in Unix
// milliseconds. The whole body is refused when any part of it is wrong; the error
// is then an *Error.
//
// The grammar is RFC 8259 without leniency. A text that is not JSON is always
// bad_json, whatever else is wrong with it; then comes bad_utf8, then the first
// thing that is wrong with the fields.
func (d *Decoder) Decode(body []byte, now int64) (samples []Sample, batch bool, err error) {
	d.samples = d.samples[:0]
	d.prepare()
	p := parser{text: body, decoder: d, now: now}
	if err := p.body(); err != nil {
		return nil, false, explain(body, err)
	}
	return d.samples, p.batch, nil
}

// explain decides what is told about a refused body. The fast parser stops at
// the first thing it dislikes, so only here is the rest of the text looked at.
func explain(body []byte, found error) *Error {
	text := bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return syntaxError(text, err)
	}
	if len(text) < len(body) {
		return &Error{Code: BadUTF8, Index: -1, Msg: "body starts with a byte order mark; send plain UTF-8"}
	}
	if at := invalidUTF8(body); at >= 0 {
		return &Error{Code: BadUTF8, Index: -1, Msg: fmt.Sprintf("invalid UTF-8 at byte %d", at)}
	}
	var e *Error
	if errors.As(found, &e) {
		return e
	}
	return &Error{Code: BadJSON, Index: -1, Msg: found.Error()}
}

func syntaxError(text []byte, err error) *Error {
	if len(bytes.TrimSpace(text)) == 0 {
		return &Error{Code: BadJSON, Index: -1, Msg: `body is empty; send {"name":"cpu_usage","value":85}`}
	}
	if strings.HasPrefix(err.Error(), "unexpected end") {
		return &Error{Code: BadJSON, Index: -1, Msg: fmt.Sprintf("invalid JSON: it ends at byte %d, unfinished", len(text))}
	}
	at := int64(len(text))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = syntax.Offset - 1 // it counts the byte that is wrong; places count from 0 here
	}
	return &Error{Code: BadJSON, Index: -1, Msg: fmt.Sprintf("invalid JSON at byte %d: %s", at, strings.TrimPrefix(err.Error(), "json: "))}
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// prepare makes the zero value ready.
func (d *Decoder) prepare() {
	if d.interner == nil {
		d.interner = NewInterner()
	}
}

// name returns a name as a string that does not share memory with the body.
func (d *Decoder) name(sent []byte) string {
	if d.lastName == string(sent) {
		return d.lastName
	}
	t := &d.interner.names
	hash := t.hash(sent)
	name, ok := t.find(hash, sent)
	if !ok {
		name = string(sent)
		t.add(&entry{hash: hash, sent: name, text: name})
	}
	d.lastName = name
	return name
}

// knownLabels returns labels that were sent in the same words before.
func (d *Decoder) knownLabels(sent []byte) (Labels, bool) {
	if d.lastLabels.sent == string(sent) {
		return d.lastLabels.labels, true
	}
	t := &d.interner.labels
	text, ok := t.find(t.hash(sent), sent)
	return Labels(text), ok
}

// labels returns what d.text holds as a string of its own. Sent is how it stands in the body.
func (d *Decoder) labels(sent []byte) Labels {
	labels := Labels(d.text)
	if len(sent) > longestText {
		return labels
	}
	e := &entry{hash: d.interner.labels.hash(sent), sent: string(labels), text: string(labels)} // one string twice
	if e.sent != string(sent) {
		e.sent = string(sent)
	}
	d.interner.labels.add(e)
	d.lastLabels = lastLabels{e.sent, labels}
	return labels
}

// echo quotes input for an error message, shortened and escaped.
func echo(b []byte) string {
	if len(b) > maxEchoedBytes {
		return fmt.Sprintf("%.*q…", maxEchoedBytes, b[:maxEchoedBytes])
	}
	return fmt.Sprintf("%q", b)
}
