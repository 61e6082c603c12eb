package sample

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// MaxLineBytes bounds a line of the storage file: the longest name and the longest
// labels with every byte escaped to six, and the rest. What is longer is foreign.
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
	dst = strconv.AppendInt(dst, s.Timestamp, 10)
	if s.Labels != "" {
		dst = append(append(dst, `,"labels":`...), s.Labels...)
	}
	return append(dst, "}\n"...)
}

// AppendNumber appends the shortest JSON form of a finite v: plain digits
// between 1e-6 and 1e21, an exponent outside, as ECMAScript prints numbers.
func AppendNumber(dst []byte, v float64) []byte {
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Quote, backslash and control
// characters are escaped, and so are U+2028 and U+2029, which some readers of
// line files take for line ends. Everything else stands as it is.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
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
	p := parser{text: line, decoder: d, now: math.MaxInt64}
	var s Sample
	seen, err := p.object(&s, 0)
	if err != nil || seen&^seenLabels != seenName|seenValue|seenTimestamp {
		return Sample{}, false
	}
	p.space()
	return s, p.at == len(line)
}
