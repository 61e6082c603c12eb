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
// samples returned by Decode are valid until the next call, their names for
// ever. A Decoder is not safe for concurrent use; pool them.
type Decoder struct {
	samples []Sample
	scratch []byte
	names   map[string]string
	set     labelSet
	text    []byte            // canonical form of set
	labels  map[string]Labels // by the text that was sent
}

// maxInterned bounds the names that a Decoder remembers. Past it the memory
// starts afresh, which costs one allocation per name and never grows.
const maxInterned = 4096

// maxRemembered bounds a text of labels that a Decoder remembers; blanks can make it as
// long as a body.
const maxRemembered = 1024

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
	at := int64(len(text))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = syntax.Offset
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

// intern returns name as a string that does not share memory with the body.
func (d *Decoder) intern(name []byte) string {
	if s, ok := d.names[string(name)]; ok {
		return s
	}
	if d.names == nil || len(d.names) >= maxInterned {
		d.names = make(map[string]string)
	}
	s := string(name)
	d.names[s] = s
	return s
}

// internLabels returns labels as a string of their own. Sent is how they stand in the body.
func (d *Decoder) internLabels(sent, canonical []byte) Labels {
	if d.labels == nil || len(d.labels) >= maxInterned {
		d.labels = make(map[string]Labels)
	}
	labels := Labels(canonical)
	if len(sent) <= maxRemembered {
		d.labels[string(sent)] = labels
	}
	return labels
}

// echo quotes input for an error message, shortened and escaped.
func echo(b []byte) string {
	if len(b) > maxEchoedBytes {
		return fmt.Sprintf("%.*q…", maxEchoedBytes, b[:maxEchoedBytes])
	}
	return fmt.Sprintf("%q", b)
}
