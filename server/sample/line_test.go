package sample

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestLineRoundTrip(t *testing.T) {
	var d Decoder
	values := []float64{0, math.Copysign(0, -1), 85, 0.1, 0.30000000000000004, 5e-324, math.MaxFloat64, -1e21, 1e-7, 123456789012345680000}
	for range 10_000 {
		if v := math.Float64frombits(rand.Uint64()); !math.IsInf(v, 0) && !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	names := []string{"a", "é😀", "\x00\n\r\t\"\\/\u2028\u2029\x7f", strings.Repeat("\x01", MaxNameBytes)}
	for i, v := range values {
		s := Sample{Name: names[i%len(names)], Value: v, Timestamp: int64(i)}
		line := AppendLine(nil, s)
		if len(line) > MaxLineBytes || strings.Count(string(line), "\n") != 1 || !json.Valid(line) {
			t.Fatalf("bad line %q", line)
		}
		got, ok := d.ParseLine(line)
		if !ok || got.Name != s.Name || got.Timestamp != s.Timestamp || math.Float64bits(got.Value) != math.Float64bits(v) {
			t.Fatalf("%+v came back as %+v, %v", s, got, ok)
		}
	}
}

func TestLineForm(t *testing.T) {
	for want, s := range map[string]Sample{
		`{"name":"cpu_usage","value":85,"timestamp":1696789234567}`:  {"cpu_usage", "", 85, 1696789234567},
		`{"name":"a\u000a\"\\","value":-0.5,"timestamp":0}`:          {"a\n\"\\", "", -0.5, 0},
		`{"name":"a","value":1,"timestamp":2,"labels":{"host":"a"}}`: {"a", `{"host":"a"}`, 1, 2},
		`{"name":"é","value":1e-07,"timestamp":1}`:                   {"é", "", 1e-7, 1},
	} {
		if got := string(AppendLine(nil, s)); got != want+"\n" {
			t.Errorf("got %swant %s", got, want)
		}
	}
}

func TestParseLine(t *testing.T) {
	for line, ok := range map[string]bool{
		`{"name":"a","value":1,"timestamp":2}`:                            true,
		`{"value": 85, "timestamp": 2, "name": "x"}` + "\r\n":             true,
		`{"name":"a","value":1,"timestamp":9000000000000000}`:             true, // the future is not judged here
		`{"labels":{"z":"1","a":"2"},"timestamp":2,"name":"x","value":1}`: true,
		`{"name":"a","value":1,"timestamp":2,"labels":{}}`:                true,
		`{"name":"a","value":1,"timestamp":2,"labels":{"a":1}}`:           false,
		`{"name":"a","value":1,"timestamp":2,"labels":null}`:              false,
		`{"name":"a","value":1,"timestamp":2`:                             false,
		`{"name":"a","value":1,"timestamp":2} x`:                          false,
		`{"name":"a","value":1}`:                                          false,
		`{"name":"a","timestamp":2}`:                                      false,
		`{"name":"a","value":1,"timestamp":2,"host":1}`:                   false,
		`{"name":"a","value":"1","timestamp":2}`:                          false,
		`{"metrics":[]}`:                                                  false,
		`# comment`:                                                       false,
		"\x00\x00\x00":                                                    false,
		"\xef\xbb\xbf" + `{"name":"a","value":1,"timestamp":2}`:           false,
		``: false,
	} {
		var d Decoder
		if _, got := d.ParseLine([]byte(line)); got != ok {
			t.Errorf("ParseLine(%q) = %v", line, got)
		}
	}
}

// FuzzParseLine holds a parsed line against encoding/json and against itself, written
// and read again.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"name":"a","value":1,"timestamp":2}` + "\n"))
	f.Add([]byte(`{"value": 85, "timestamp": 2, "name": "\u0061"}`))
	f.Add([]byte(`{"name":"a","value":-0.25,"timestamp":2,"labels":{"zone":"}","host":"\n"}}`))
	f.Add([]byte(`{"name":"a","va`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var d Decoder
		s, ok := d.ParseLine(line)
		if !ok {
			return
		}
		var want struct {
			Name             string
			Value, Timestamp float64
			Labels           map[string]string
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q: taken for %+v: %v", line, s, err)
		}
		labels, err := NewLabels(want.Labels)
		if err != nil || s.Name != want.Name || math.Float64bits(s.Value) != math.Float64bits(want.Value) || float64(s.Timestamp) != want.Timestamp || s.Labels != labels {
			t.Fatalf("%q: got %+v, want %+v, %v", line, s, want, err)
		}
		if err := isCanonical(s.Labels); err != nil {
			t.Fatal(err)
		}
		again, ok := d.ParseLine(AppendLine(nil, s))
		if !ok || again != s {
			t.Fatalf("%q: %+v came back as %+v, %v", line, s, again, ok)
		}
	})
}

var benchSamples = map[string]Sample{
	"integer": {"cpu_usage", "", 85, 1696789234567},
	"decimal": {"cpu_usage", "", 85.25, 1696789234567},
	"full":    {"cpu_usage", "", 0.1234567890123456, 1696789234567},
	"labels":  {"cpu_usage", `{"host":"web-1","zone":"eu-1"}`, 85.5, 1696789234567},
}

func BenchmarkWriteLine(b *testing.B) {
	for name, s := range benchSamples {
		b.Run(name, func(b *testing.B) {
			line := AppendLine(nil, s)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				line = AppendLine(line[:0], s)
			}
		})
	}
}

func BenchmarkParseLine(b *testing.B) {
	for name, s := range benchSamples {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			line := AppendLine(nil, s)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := d.ParseLine(line); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}
