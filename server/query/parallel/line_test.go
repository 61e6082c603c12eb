package parallel

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"phase0/server/query"
	"phase0/server/sample"
)

// The fast scanner against the full parser: any text, as a block, in every way in which
// it is looked at.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"name":"a","value":1,"timestamp":2}`+"\n"), "a")
	f.Add([]byte(`{"name":"ab","value":-12.5,"timestamp":1696789234567,"labels":{"host":"a"}}`+"\n"+`{"name":"\u0061","value":1e5,"timestamp":2}`), "a")
	f.Add([]byte(`{"name":"a","value":0.30000000000000004,"timestamp":00000001}`+"\n\n \n{}\nx"), "a")
	f.Add([]byte(`{"name":"q\"","value":01,"timestamp":12345678}`+"\r\n"+`{"name":"q\u0022","value":1.,"timestamp":-1}`), `q"`)
	f.Add([]byte(`{"name":"a\xff","value":1,"timestamp":1}`+"\n"), "a\xff")
	f.Add([]byte(strings.Repeat(`{"name":"a","value":1,"timestamp":2,"labels":{"h":"}"}}`+"\n", 2)), "a")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		var d sample.Decoder
		var want []sample.Sample
		var samples, skipped uint32
		minTime, maxTime := int64(math.MaxInt64), int64(math.MinInt64)
		for line := range bytes.Lines(text) {
			s, ok := d.ParseLine(line)
			switch {
			case ok:
				samples++
				minTime, maxTime = min(minTime, s.Timestamp), max(maxTime, s.Timestamp)
				if s.Name == name {
					want = append(want, s)
				}
			case len(bytes.TrimSpace(line)) > 0:
				skipped++
			}
		}
		var s scanner
		for _, count := range []bool{true, false, true} { // at last with all labels known
			s.begin(query.Selector{Name: name, End: math.MaxInt64}, formOf(name), nil)
			s.samples = s.samples[:0]
			gotSamples, gotSkipped := s.lines(text, count)
			if !slices.EqualFunc(s.samples, want, same) || count && (gotSamples != samples || gotSkipped != skipped) {
				t.Fatalf("counting %v: %v, %d and %d; want %v, %d and %d", count, s.samples, gotSamples, gotSkipped, want, samples, skipped)
			}
		}
		x := indexer{found: block{minTime: math.MaxInt64, maxTime: math.MinInt64}, seed: newIndex(1).seed}
		for range 2 {
			x.found.samples, x.found.skipped = 0, 0
			for rest := text; len(rest) > 0; {
				rest = rest[x.line(rest):]
			}
			if x.found.samples != samples || x.found.skipped != skipped || x.found.minTime != minTime || x.found.maxTime != maxTime {
				t.Fatalf("indexed as %+v; want %d and %d, %d to %d", x.found, samples, skipped, minTime, maxTime)
			}
		}
	})
}
