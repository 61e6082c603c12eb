package wal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/sample"
)

// plainRecord is a record as version 1 wrote it.
func plainRecord(first uint64, samples []sample.Sample) []byte {
	var payload []byte
	for _, s := range samples {
		payload = le.AppendUint64(payload, math.Float64bits(s.Value))
		payload = le.AppendUint64(payload, uint64(s.Timestamp))
		payload = append(binary.AppendUvarint(payload, uint64(len(s.Name))), s.Name...)
		payload = append(binary.AppendUvarint(payload, uint64(len(s.Labels))), s.Labels...)
	}
	b := make([]byte, paddedBytes(int64(len(payload))))
	copy(b[recordHeaderBytes:], payload)
	le.PutUint32(b, uint32(len(payload)))
	le.PutUint32(b[4:], uint32(len(samples)))
	le.PutUint64(b[8:], first)
	le.PutUint32(b[24:], crc32.Checksum(payload, castagnoli))
	return b
}

// sameSamples compares bit by bit: a value may be anything.
func sameSamples(a, b []sample.Sample) bool {
	return slices.EqualFunc(a, b, func(a, b sample.Sample) bool {
		return a.Name == b.Name && a.Labels == b.Labels && a.Timestamp == b.Timestamp && math.Float64bits(a.Value) == math.Float64bits(b.Value)
	})
}

// written returns a record's payload.
func written(t testing.TB, e *encoder, samples []sample.Sample) record {
	t.Helper()
	b := e.appendRecord(nil, 0, samples)
	sealRecord(b, 1, 0)
	r, err := parseRecord(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPayload(t *testing.T) {
	long := strings.Repeat("n", longestSeries+1)
	many := make([]sample.Sample, 5*seriesPlaces) // more than have a place
	for i := range many {
		many[i] = sample.Sample{Name: fmt.Sprint("m", i%(2*seriesPlaces)), Value: float64(i), Timestamp: int64(i % 7)}
	}
	var e encoder // the same for all, as it is in a queue
	var d decoder
	for _, tc := range []struct {
		name    string
		samples []sample.Sample
		bytes   int // of the payload; 0 if it depends on which series meet
	}{
		{"one", []sample.Sample{{Name: "cpu", Value: 1, Timestamp: 60}}, 1 + 1 + 3 + 1 + 1 + 8},
		{"same series", []sample.Sample{{Name: "cpu", Value: 1, Timestamp: 60}, {Name: "cpu", Value: 2, Timestamp: 61}, {Name: "cpu", Value: 3, Timestamp: 60}}, 15 + 10 + 10},
		{"same name, other labels", []sample.Sample{{Name: "cpu"}, {Name: "cpu", Labels: `{"a":"b"}`}, {Name: "cpu"}, {Name: "cpu", Labels: `{"a":"b"}`}}, 15 + 24 + 10 + 10},
		{"name and labels meet", []sample.Sample{{Name: "ab", Labels: "c"}, {Name: "a", Labels: "bc"}}, 0},
		{"too long to be remembered", []sample.Sample{{Name: long}, {Name: "cpu"}, {Name: long}, {Name: "cpu"}}, 2*(1+2+len(long)+1+9) + 15 + 10},
		{"times from end to end", []sample.Sample{{Name: "a", Timestamp: math.MaxInt64}, {Name: "a", Timestamp: math.MinInt64}, {Name: "a", Timestamp: math.MaxInt64}, {Name: "a"}}, 0},
		{"any value", []sample.Sample{{Name: "a", Value: math.NaN()}, {Name: "a", Value: math.Copysign(0, -1)}, {Name: "a", Value: math.MaxFloat64}}, 13 + 10 + 10},
		{"many series", many, 0},
		{"the first again", []sample.Sample{{Name: "cpu", Value: 1, Timestamp: 60}}, 15},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := written(t, &e, tc.samples)
			got, err := d.decode(nil, r)
			if err != nil || !sameSamples(got, tc.samples) {
				t.Errorf("read %d samples, %v", len(got), err)
			}
			if tc.bytes > 0 && len(r.payload) != tc.bytes {
				t.Errorf("payload of %d bytes, want %d: %x", len(r.payload), tc.bytes, r.payload)
			}
		})
	}
}

// The example in FORMAT.md is what is written.
func TestFormatExample(t *testing.T) {
	drawn, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	const start = 1_700_000_000_000
	r := written(t, new(encoder), []sample.Sample{{Name: "cpu", Value: 1.5, Timestamp: start}, {Name: "cpu", Value: 2, Timestamp: start + 1}})
	text := strings.ReplaceAll(string(drawn), " ", "")
	if len(r.payload) != 30 || !strings.Contains(text, fmt.Sprintf("\n%x\n%x\n", r.payload[:20], r.payload[20:])) {
		t.Errorf("FORMAT.md does not show %x", r.payload)
	}
}

// A payload whose checksum is right and that nobody would write.
func TestPayloadIsRefused(t *testing.T) {
	value := "0000000000000000"
	for _, tc := range []struct{ name, payload string }{
		{"nothing", ""},
		{"a series that is not there", "01" + "00" + value},
		{"the next series", "0001610000" + value + "02" + "00" + value},
		{"a number without an end", "80"},
		{"a number of eleven bytes", "8080808080808080808001" + "00" + value},
		{"a name that is cut off", "00056162"},
		{"no labels", "000161"},
		{"no time", "0001610000"[:8]},
		{"half a value", "0001610000" + value[:8]},
		{"more than its samples", "0001610000" + value + value},
	} {
		t.Run(tc.name, func(t *testing.T) {
			payload, err := hex.DecodeString(tc.payload)
			if err != nil {
				t.Fatal(err)
			}
			n := 1
			if tc.name == "the next series" {
				n = 2
			}
			var d decoder
			if got, err := d.decode(nil, record{samples: n, payload: payload, compact: true}); !errors.Is(err, errDamaged) {
				t.Errorf("read as %+v, %v", got, err)
			}
		})
	}
}

// oldSegment is the beginning of a segment as the program of version 1 wrote it: a push of one
// sample, and one of two.
const oldSegment = `
503077616c000001020000000000000000000000000000000000000026d7840a
150000000100000000000000000000002000000000000000dcb576f832761109
000000000000f83f0068e5cf8b01000003637075000000003600000002000000
01000000000000005800000000000000533780b38ba8cf500000000000000040
0168e5cf8b010000036370750c7b22686f7374223a2261227d00000000000008
c00500000000000000036d656d000000
`

// A log that was left by the version before is read to its end, and gone on with.
func TestOldSegment(t *testing.T) {
	cfg := kept(t, 0)
	text, err := hex.DecodeString(strings.ReplaceAll(oldSegment, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(Dir(cfg.Data), 2), text, 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Release()
	next := []sample.Sample{{Name: "new", Value: 4, Timestamp: 4}}
	if err := q.Push(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	want := append([]sample.Sample{
		{Name: "cpu", Value: 1.5, Timestamp: 1_700_000_000_000},
		{Name: "cpu", Value: 2, Timestamp: 1_700_000_000_001, Labels: `{"host":"a"}`}, {Name: "mem", Value: -3, Timestamp: 5},
	}, next...)
	var got []sample.Sample
	for len(got) < len(want) {
		some, err := q.Pop(t.Context(), queue.Want{Samples: 10, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, some...)
		q.Ack()
	}
	if !sameSamples(got, want) {
		t.Errorf("got %+v", got)
	}
	if d := q.found.Damage; d != (Damage{}) {
		t.Errorf("found %+v", d)
	}
	if _, err := Check(disk.OS{}, cfg.Data); err != nil {
		t.Error(err)
	}
}

// The price of a record by the number of its series.
func BenchmarkAppendRecord(b *testing.B) {
	for _, series := range []int{1, 8, 1000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			samples := make([]sample.Sample, 1000)
			for i := range samples {
				samples[i] = sample.Sample{Value: float64(i), Timestamp: 1_700_000_000_000}
				if i < series {
					samples[i].Name = fmt.Sprintf("loadgen_ab12cd34_%03d", i)
				} else {
					samples[i].Name = samples[i-series].Name // one string, as an Interner's
				}
			}
			var e encoder
			var text []byte
			b.ReportAllocs()
			for b.Loop() {
				text = e.appendRecord(text[:0], 1, samples)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(samples)), "ns/sample")
			b.ReportMetric(float64(len(text))/float64(len(samples)), "B/sample")
		})
	}
}
