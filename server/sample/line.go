package sample

import (
	"math"
	"unicode/utf8"
)

// MaxLineBytes bounds a line of the storage file: the longest name and the longest
// labels with every byte escaped to six, and the rest, its line end included. What is longer
// is foreign, whatever it holds, so that readers need no more memory.
const MaxLineBytes = 6*MaxNameBytes + MaxLabels*(MaxLabelNameBytes+6*MaxLabelValueBytes+8) + 256

// AppendLine appends s as one line of the storage file, newline included:
//
//	{"name":"cpu_usage","value":85,"timestamp":1696789234567}
//	{"name":"cpu_usage","value":85,"timestamp":1696789234567,"labels":{"host":"a"}}
//
// Values are written in the shortest form that parses back to the same bits.
func AppendLine(dst []byte, s Sample) []byte {
	dst = append(dst, `{"name":`...)
	dst = AppendString(dst, s.Name)
	dst = append(dst, `,"value":`...)
	dst = AppendNumber(dst, s.Value)
	dst = append(dst, `,"timestamp":`...)
	dst = appendInt(dst, s.Timestamp)
	if s.Labels != "" {
		dst = append(append(dst, `,"labels":`...), s.Labels...)
	}
	return append(dst, "}\n"...)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Quote, backslash and control
// characters are escaped, and so are U+2028 and U+2029, which some readers of
// line files take for line ends. Everything else stands as it is.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := plainBytes(s); i < len(s); i += plainBytes(s[i:]) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && r != '\u2028' && r != '\u2029' {
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendEscape(dst, r)
		i += size
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, r rune) []byte {
	if r == '"' || r == '\\' {
		return append(dst, '\\', byte(r))
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// ParseLine parses one line of the storage file, with or without its line end.
// It takes any order of the keys, of which "labels" may be missing, any order of
// labels, any JSON spacing and escapes, so that
// files that other tools wrote are read too. It reports false for a line that is
// torn or foreign. It never panics. Name and labels
// do not share memory with line.
func (d *Decoder) ParseLine(line []byte) (Sample, bool) {
	// No line is too far in the future: the clock that judged it at ingest may
	// have been another one.
	d.prepare()
	p := parser{text: line, decoder: d, now: math.MaxInt64}
	seen, err := p.object(0)
	if err != nil || seen&^seenLabels != seenName|seenValue|seenTimestamp {
		return Sample{}, false
	}
	p.space()
	return p.sample, p.at == len(line)
}
