package wal

import (
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"math"
	"unsafe"

	"phase0/server/sample"
)

// A record's payload in its compact form: a series stands in it once, the samples that
// follow refer to it. So a batch of some series takes ten bytes a sample, of which eight
// are the value, instead of all that the series is called.

const (
	seriesPlaces = 1 << 10
	// longestSeries is the longest that is remembered, in bytes.
	longestSeries = 1 << 10
)

// encoder writes payloads. It remembers the record's series in so many places; where two
// want the same one, the series are written out again. The zero value is ready; it must not be
// copied once it was used.
type encoder struct {
	seed   maphash.Seed
	places [seriesPlaces]seriesPlace
	last   *seriesPlace // of the sample before
	record uint64       // under way
	series uint64       // that are written out in it
}

// seriesPlace is a series that a record has. What it has from a record before only says where
// to look first.
type seriesPlace struct {
	name   string
	labels sample.Labels
	record uint64
	number uint64       // of the series, from 1 on
	next   *seriesPlace // that came after it the last time
}

// holds tells whether a place has, or had in a record before, the series of a sample.
func (p *seriesPlace) holds(s *sample.Sample) bool {
	return same(p.name, s.Name) && same(string(p.labels), string(s.Labels))
}

// same compares texts. Those that an Interner has given out are mostly one in memory.
func same(a, b string) bool {
	return len(a) == len(b) && (unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}

// appendRecord appends a record of the samples. The segment is known only when the record
// is written, so its number and what is synced are filled in by sealRecord.
func (e *encoder) appendRecord(dst []byte, first uint64, samples []sample.Sample) []byte {
	if e.record == 0 {
		e.seed = maphash.MakeSeed()
		e.last = &e.places[0]
	}
	e.record++
	e.series = 0
	at := len(dst)
	dst = append(dst, make([]byte, recordHeaderBytes)...)
	dst = e.appendSamples(dst, samples)
	payload := dst[at+recordHeaderBytes:]
	le.PutUint32(dst[at:], uint32(len(payload))|compactBit)
	le.PutUint32(dst[at+4:], uint32(len(samples)))
	le.PutUint64(dst[at+8:], first)
	le.PutUint32(dst[at+24:], crc32.Checksum(payload, castagnoli))
	for len(dst)%alignment != at%alignment {
		dst = append(dst, 0)
	}
	return dst
}

// appendSamples appends the payload: of each sample its series, its time since the one before
// and its value.
func (e *encoder) appendSamples(dst []byte, samples []sample.Sample) []byte {
	p, before := e.last, int64(0)
	for i := range samples {
		s := &samples[i]
		next := p.next // series mostly come in the same order again
		held := next != nil && next.holds(s)
		if !held {
			next = e.place(s)
			held = next.holds(s)
			p.next = next
		}
		p = next
		known := held && p.record == e.record
		step := s.Timestamp - before // which may wrap, as the sum does
		before = s.Timestamp
		switch {
		case !known:
			dst = binary.AppendVarint(e.appendSeries(dst, p, s), step)
		case p.number < 0x80 && step == 0: // what the default would do, in one go
			dst = append(dst, byte(p.number), 0)
		default:
			dst = binary.AppendVarint(binary.AppendUvarint(dst, p.number), step)
		}
		dst = le.AppendUint64(dst, math.Float64bits(s.Value))
	}
	e.last = p
	return dst
}

// appendSeries appends 0 and what a sample's series is called, and gives it a number, which
// its place remembers.
func (e *encoder) appendSeries(dst []byte, p *seriesPlace, s *sample.Sample) []byte {
	e.series++
	if len(s.Name)+len(s.Labels) <= longestSeries {
		p.name, p.labels, p.record, p.number = s.Name, s.Labels, e.record, e.series
	}
	dst = append(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(len(s.Name)))
	dst = append(dst, s.Name...)
	dst = binary.AppendUvarint(dst, uint64(len(s.Labels)))
	return append(dst, s.Labels...)
}

// place returns where a sample's series belongs.
func (e *encoder) place(s *sample.Sample) *seriesPlace {
	hash := maphash.String(e.seed, s.Name)
	if s.Labels != "" {
		hash = hash*31 + maphash.String(e.seed, string(s.Labels))
	}
	return &e.places[hash%seriesPlaces]
}

// decoder turns payloads back into samples. Texts that come again are one string.
type decoder struct {
	texts  map[string]string
	series []series // of the record
}

type series struct {
	name   string
	labels sample.Labels
}

// mostTexts bounds the memory of a decoder.
const mostTexts = 1 << 16

func (d *decoder) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	if d.texts == nil || len(d.texts) >= mostTexts {
		d.texts = make(map[string]string)
	}
	s := string(b)
	d.texts[s] = s
	return s
}

// decode appends the samples of a record. A payload whose checksum is right holds exactly
// as many as the header says; anything else is an error all the same.
func (d *decoder) decode(dst []sample.Sample, r record) ([]sample.Sample, error) {
	d.series = d.series[:0]
	b, at, ok := r.payload, int64(0), true
	for range r.samples {
		var s sample.Sample
		if r.compact {
			s, b, ok = d.compact(b, at)
		} else {
			s, b, ok = d.plain(b)
		}
		if !ok {
			return dst, errDamaged
		}
		at = s.Timestamp
		dst = append(dst, s)
	}
	if len(b) > 0 {
		return dst, errDamaged
	}
	return dst, nil
}

// compact reads a sample of a record that appendRecord wrote; at is the time of the one before.
func (d *decoder) compact(b []byte, at int64) (s sample.Sample, rest []byte, ok bool) {
	number, used := binary.Uvarint(b)
	if used <= 0 {
		return s, nil, false
	}
	b = b[used:]
	if number == 0 {
		var written series
		if written, b, ok = d.cutSeries(b); !ok {
			return s, nil, false
		}
		d.series = append(d.series, written)
		number = uint64(len(d.series))
	}
	if number > uint64(len(d.series)) {
		return s, nil, false
	}
	step, used := binary.Varint(b)
	if used <= 0 || len(b) < used+8 {
		return s, nil, false
	}
	of := &d.series[number-1]
	value := math.Float64frombits(le.Uint64(b[used:]))
	return sample.Sample{Name: of.name, Labels: of.labels, Value: value, Timestamp: at + step}, b[used+8:], true
}

// plain reads a sample of an old record.
func (d *decoder) plain(b []byte) (s sample.Sample, rest []byte, ok bool) {
	if len(b) < 16 {
		return s, nil, false
	}
	of, rest, ok := d.cutSeries(b[16:])
	return sample.Sample{Name: of.name, Labels: of.labels, Value: math.Float64frombits(le.Uint64(b)), Timestamp: int64(le.Uint64(b[8:]))}, rest, ok
}

func (d *decoder) cutSeries(b []byte) (s series, rest []byte, ok bool) {
	name, rest, ok := cutText(b)
	labels, rest, ok2 := cutText(rest)
	if !ok || !ok2 {
		return s, nil, false
	}
	return series{name: d.text(name), labels: sample.Labels(d.text(labels))}, rest, true
}

func cutText(b []byte) (text, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n)], b[used+int(n):], true
}
