package engine

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Slots lists what {{...}} can stand for, for help texts and errors.
const Slots = "{{seq}} {{seq:N}} {{unix}} {{unix_ms}} {{unix_ns}} {{rand:N}} {{run}}"

// valueWidth is the width of the slot for a sequence number: all integers that a
// float64 holds exactly.
const valueWidth = 16

// maxDigits is the largest N of {{seq:N}} and {{rand:N}}.
const maxDigits = 18

// slotKind says what a slot shows.
type slotKind uint8

const (
	seriesSlot   slotKind = iota // the digit of sample arg's series
	valueSlot                    // the number of sample arg within its series, after blanks
	sequenceSlot                 // the request's number, from 0, after blanks
	paddedSlot                   // the same, after zeros; of large numbers the last digits
	secondsSlot                  // Unix time when the request is sent
	millisSlot
	nanosSlot
	randomSlot // a random number of exactly so many digits; arg tells slots apart
)

func (k slotKind) isTime() bool { return k == secondsSlot || k == millisSlot || k == nanosSlot }

// slot is a stretch of a request that differs between requests.
type slot struct {
	at, width int
	kind      slotKind
	arg       int64
}

// findSlots returns text with a place of fixed width for each {{...}}, and the
// slots.
func findSlots(text []byte, runID string) ([]byte, []slot, error) {
	var out []byte
	var slots []slot
	for {
		before, rest, found := bytes.Cut(text, []byte("{{"))
		out = append(out, before...)
		if !found {
			return out, slots, nil
		}
		name, after, closed := bytes.Cut(rest, []byte("}}"))
		if !closed {
			return nil, nil, fmt.Errorf("%q has no }}", shorten("{{"+string(rest)))
		}
		if string(name) == "run" {
			out = append(out, runID...)
		} else {
			s, err := parseSlot(string(name))
			if err != nil {
				return nil, nil, err
			}
			s.at = len(out)
			if s.kind == randomSlot {
				s.arg = int64(len(slots))
			}
			slots = append(slots, s)
			out = append(out, strings.Repeat(" ", s.width)...)
		}
		text = after
	}
}

func parseSlot(name string) (slot, error) {
	kind, digits, counted := strings.Cut(name, ":")
	n, err := strconv.Atoi(digits)
	if counted && (err != nil || n < 1 || n > maxDigits) {
		return slot{}, fmt.Errorf("{{%s}}: the number of digits must be 1 to %d", shorten(name), maxDigits)
	}
	switch {
	case kind == "seq" && counted:
		return slot{width: n, kind: paddedSlot}, nil
	case kind == "rand" && counted:
		return slot{width: n, kind: randomSlot}, nil
	case counted:
	case kind == "seq":
		return slot{width: valueWidth, kind: sequenceSlot}, nil
	case kind == "unix":
		return slot{width: 10, kind: secondsSlot}, nil
	case kind == "unix_ms":
		return slot{width: 13, kind: millisSlot}, nil
	case kind == "unix_ns":
		return slot{width: 19, kind: nanosSlot}, nil
	}
	return slot{}, fmt.Errorf("{{%s}} is unknown; known are %s; -literal sends it as it stands", shorten(name), Slots)
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// unescapeSlots undoes what escaping a URL does to the braces of slots in the
// request line.
func unescapeSlots(header []byte) []byte {
	line, fields, _ := bytes.Cut(header, []byte("\r\n"))
	line = bytes.ReplaceAll(line, []byte("%7B%7B"), []byte("{{"))
	line = bytes.ReplaceAll(line, []byte("%7D%7D"), []byte("}}"))
	return bytes.Join([][]byte{line, fields}, []byte("\r\n"))
}

// Fill makes raw, got from Copy, the i-th request. It does not allocate.
func (t *Template) Fill(raw []byte, i int64) {
	var now time.Time
	if t.timed {
		now = time.Now()
	}
	for _, s := range t.slots {
		place := raw[s.at : s.at+s.width]
		switch s.kind {
		case seriesSlot:
			place[0] = '0' + byte((i*t.batch+s.arg)%SeriesCount)
		case valueSlot:
			putNumber(place, ' ', (i*t.batch+s.arg)/SeriesCount)
		case sequenceSlot:
			putNumber(place, ' ', i)
		case paddedSlot:
			putNumber(place, '0', i)
		case secondsSlot:
			putNumber(place, '0', now.Unix())
		case millisSlot:
			putNumber(place, '0', now.UnixMilli())
		case nanosSlot:
			putNumber(place, '0', now.UnixNano())
		case randomSlot:
			putRandom(place, t.seed, i, s.arg)
		}
	}
}

// putNumber writes a number that is not negative, padded on the left.
func putNumber(place []byte, pad byte, n int64) {
	k := len(place) - 1
	for {
		place[k] = '0' + byte(n%10)
		n /= 10
		k--
		if n == 0 || k < 0 {
			break
		}
	}
	for ; k >= 0; k-- {
		place[k] = pad
	}
}

// putRandom writes random digits, the first of several not 0 so that they are a
// number of JSON. They depend on seed, request and slot only.
func putRandom(place []byte, seed uint64, i, slot int64) {
	// 19 digits fit 64 bits; more are not asked for.
	x := mix(mix(seed+uint64(i)) + uint64(slot))
	lowest := 0
	if len(place) > 1 {
		lowest = 1
	}
	place[0] = '0' + byte(lowest+int(x%uint64(10-lowest)))
	x /= uint64(10 - lowest)
	for k := 1; k < len(place); k++ {
		place[k] = '0' + byte(x%10)
		x /= 10
	}
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): equal inputs give
// equal, different ones unrelated outputs.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
