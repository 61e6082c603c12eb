package sample

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const now = int64(1_700_000_000_000)

func TestDecodeAccepts(t *testing.T) {
	long := strings.Repeat("n", MaxNameBytes)
	for _, tc := range []struct {
		body string
		want []Sample
	}{
		{`{"name":"cpu_usage","value":85}`, []Sample{{"cpu_usage", "", 85, now}}},
		{" {\n\t\"value\" : -1.5e3 ,\r \"name\":\"a\" } ", []Sample{{"a", "", -1500, now}}},
		{`{"name":"a","value":1,"timestamp":1696789234567}`, []Sample{{"a", "", 1, 1696789234567}}},
		{`{"name":"a","value":1,"timestamp":0}`, []Sample{{"a", "", 1, 0}}},
		{`{"name":"a","value":1,"timestamp":1.5e12}`, []Sample{{"a", "", 1, 1_500_000_000_000}}},
		{`{"name":"a","value":1,"timestamp":1696789234567.0}`, []Sample{{"a", "", 1, 1696789234567}}},
		{fmt.Sprintf(`{"name":"a","value":1,"timestamp":%d}`, now+MaxFutureMillis), []Sample{{"a", "", 1, now + MaxFutureMillis}}},
		{`{"n\u0061me":"\u0041\ud83d\ude00\n\"\\\/\b\f\r\t","value":0}`, []Sample{{"A😀\n\"\\/\b\f\r\t", "", 0, now}}},
		{`{"name":"é😀\u2028","value":1}`, []Sample{{"é😀\u2028", "", 1, now}}},
		{`{"name":"a\u0000b","value":1}`, []Sample{{"a\x00b", "", 1, now}}},
		{`{"name":"` + long + `","value":1}`, []Sample{{long, "", 1, now}}},
		{`{"name":"a","value":1e-999}`, []Sample{{"a", "", 0, now}}},
		{`{"metrics":[{"name":"a","value":1},{"name":"b","value":2,"timestamp":3}]}`, []Sample{{"a", "", 1, now}, {"b", "", 2, 3}}},
	} {
		var d Decoder
		got, batch, err := d.Decode([]byte(tc.body), now)
		if err != nil {
			t.Errorf("%.80s: %v", tc.body, err)
			continue
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) || batch != strings.Contains(tc.body, "metrics") {
			t.Errorf("%.80s: got %v, batch %v", tc.body, got, batch)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	lone := `"\ud83d"`
	for _, tc := range []struct {
		body, code string
		says       string // a part of the message
	}{
		{``, "bad_json", "empty"},
		{"  ", "bad_json", "empty"},
		{`{`, "bad_json", "byte 1"},
		{`{"name":"a","value":1`, "bad_json", ""},
		{`{"name":"a","value":1}}`, "bad_json", "after top-level value"},
		{`{"name":"a","value":1}{"name":"b","value":2}`, "bad_json", ""},
		{"{\"name\":\"a\",\"value\":1}\n{\"name\":\"b\",\"value\":2}", "bad_json", ""},
		{`{`, "bad_json", "ends at byte 1,"},
		{`{"name":"a","value":1`, "bad_json", "ends at byte 21,"},
		{`{"name":"a","value":1,}`, "bad_json", "at byte 22:"},
		{`{name:"a","value":1}`, "bad_json", ""},
		{"{\"name\":\"a\n\",\"value\":1}", "bad_json", ""},
		{`{"name":"\x","value":1}`, "bad_json", ""},
		{`{"name":"\u12g4","value":1}`, "bad_json", ""},
		{`null`, "not_an_object", ""},
		{`[]`, "not_an_object", ""},
		{`"x"`, "not_an_object", ""},
		{`nul`, "bad_json", ""},
		{`{}`, "missing_name", ""},
		{`{"value":1}`, "missing_name", ""},
		{`{"name":null,"value":1}`, "missing_name", ""},
		{`{"name":"","value":1}`, "missing_name", ""},
		{`{"name":" \t\u00a0","value":1}`, "missing_name", "blank"},
		{`{"name":5,"value":1}`, "bad_name", ""},
		{`{"name":"` + strings.Repeat("n", MaxNameBytes+1) + `","value":1}`, "name_too_long", "1024"},
		{`{"name":"a"}`, "missing_value", ""},
		{`{"name":"a","value":null}`, "missing_value", ""},
		{`{"name":"a","value":"85"}`, "bad_value", ""},
		{`{"name":"a","value":true}`, "bad_value", ""},
		{`{"name":"a","value":[1]}`, "bad_value", ""},
		{`{"name":"a","value":NaN}`, "bad_json", ""},
		{`{"name":"a","value":Infinity}`, "bad_json", ""},
		{`{"name":"a","value":-Infinity}`, "bad_json", ""},
		{`{"name":"a","value":0x10}`, "bad_json", ""},
		{`{"name":"a","value":01}`, "bad_json", ""},
		{`{"name":"a","value":+1}`, "bad_json", ""},
		{`{"name":"a","value":1.}`, "bad_json", ""},
		{`{"name":"a","value":.5}`, "bad_json", ""},
		{`{"name":"a","value":1e}`, "bad_json", ""},
		{`{"name":"a","value":1e999}`, "out_of_range", "1e999"},
		{`{"name":"a","value":-1e999}`, "out_of_range", ""},
		{`{"name":"a","name":"b","value":1}`, "duplicate_key", `\"name\"`},
		{`{"name":"a","n\u0061me":"b","value":1}`, "duplicate_key", ""},
		{`{"NAME":"a","value":1}`, "unknown_field", `\"NAME\"`},
		{`{"name":"a","value":1,"tags":{}}`, "unknown_field", "labels"},
		{`{"name":"a","value":1,"x":}`, "bad_json", ""}, // the fault behind outranks the field
		{"{\"name\":\"a\xff\",\"value\":1}", "bad_utf8", "byte 10"},
		{"\xef\xbb\xbf{\"name\":\"a\",\"value\":1}", "bad_utf8", "byte order mark"},
		{`{"name":` + lone + `,"value":1}`, "bad_utf8", "surrogate"},
		{`{"name":"\ude00","value":1}`, "bad_utf8", "surrogate"},
		{`{"name":"\ud83dx","value":1}`, "bad_utf8", ""},
		{`{"name":"\ud83d\u0041","value":1}`, "bad_utf8", ""},
		{`{"name":"a","value":1,"timestamp":-1}`, "bad_timestamp", "milliseconds"},
		{`{"name":"a","value":1,"timestamp":1.5}`, "bad_timestamp", ""},
		{`{"name":"a","value":1,"timestamp":"123"}`, "bad_timestamp", ""},
		{`{"name":"a","value":1,"timestamp":null}`, "bad_timestamp", ""},
		{`{"name":"a","value":1,"timestamp":9223372036854775808}`, "bad_timestamp", ""},
		{fmt.Sprintf(`{"name":"a","value":1,"timestamp":%d}`, now+MaxFutureMillis+1), "bad_timestamp", "day ahead"},
		{fmt.Sprintf(`{"name":"a","value":1,"timestamp":%d}`, now*1000), "bad_timestamp", "milliseconds"},
		{`{"metrics":[]}`, "bad_batch", "empty"},
		{`{"metrics":5}`, "bad_batch", ""},
		{`{"metrics":null}`, "bad_batch", ""},
		{`{"metrics":[{"name":"a","value":1}],"name":"a"}`, "bad_batch", ""},
		{`{"metrics":[{"name":"a","value":1},5]}`, "not_an_object", "metrics[1]"},
		{`{"metrics":[{"name":"a","value":1},{"name":"b"}]}`, "missing_value", "metrics[1]"},
		{`{"metrics":[{"metrics":[]}]}`, "unknown_field", "metrics[0]"},
		{`{"metrics":[` + strings.Repeat(`{"name":"a","value":1},`, MaxBatch) + `{"name":"a","value":1}]}`, "batch_too_large", ""},
	} {
		var d Decoder
		_, _, err := d.Decode([]byte(tc.body), now)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.80q: got %v", tc.body, err)
			continue
		}
		says := strings.ReplaceAll(tc.says, `\"`, `"`)
		if string(e.Code) != tc.code || !strings.Contains(e.Error(), says) || len(e.Error()) > 300 {
			t.Errorf("%.80q: %s %q, want %s with %q", tc.body, e.Code, e, tc.code, tc.says)
		}
	}
}

// Deep nesting costs neither stack nor time.
func TestDecodeDeepNesting(t *testing.T) {
	for _, body := range []string{strings.Repeat("[", 100_000), strings.Repeat(`{"metrics":[`, 10_000), strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)} {
		start := time.Now()
		var d Decoder
		_, _, err := d.Decode([]byte(body), now)
		if err == nil {
			t.Fatalf("%.20q accepted", body)
		}
		// Only a runaway is meant to be caught: the real time is below a millisecond.
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%.20q took %v", body, took)
		}
	}
}

func TestDecodeKeepsNothingOfTheBody(t *testing.T) {
	var d Decoder
	body := []byte(`{"name":"abc","value":1}`)
	got, _, err := d.Decode(body, now)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	if got[0].Name != "abc" {
		t.Errorf("name changed with the body: %q", got[0].Name)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	var d Decoder
	for _, body := range []string{
		`{"name":"cpu_usage","value":85.123,"timestamp":1696789234567}`,
		`{"metrics":[` + strings.Repeat(`{"name":"a","value":1.5},`, 99) + `{"name":"b","value":2}]}`,
		`{"metrics":[` + strings.Repeat(`{"name":"a","labels":{"zone":"eu","host":"a"},"value":1.5},`, 99) + `{"name":"b","value":2}]}`,
	} {
		b := []byte(body)
		if n := testing.AllocsPerRun(100, func() {
			if _, _, err := d.Decode(b, now); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%.40s…: %v allocations", body, n)
		}
	}
}

// FuzzDecode holds the decoder against encoding/json, which is right about syntax
// but lenient about everything else.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"name":"cpu_usage","value":85}`, `{"metrics":[{"name":"a","value":1,"timestamp":3},{"name":"b","value":-2e-3}]}`,
		`{"name":"\ud83d\ude00","value":0}`, `{"name":"\ud83d","value":0}`, "\xef\xbb\xbf{}", `{"value":1e999,"name":"a"}`, `[`, `nul`, "{\"name\":\"\xff\"",
		`{"name":"a","labels":{"zone":"eu","host":"\u0061}"},"value":1}`, `{"metrics":[{"name":"a","labels":{"b":"c"},"value":1},{"name":"a","labels":{"b":"c"},"value":2}]}`,
		`{"n\u0061me":"a","value":01}`, `{"name":"a","value":1,"timestamp":1.5e12}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var d Decoder
		got, _, err := d.Decode(body, now)
		valid := json.Valid(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not a decode error: %v", err)
			}
			if valid && e.Code == BadJSON {
				t.Fatalf("valid JSON refused as %v", e)
			}
			return
		}
		if !valid || !utf8.Valid(body) {
			t.Fatalf("accepted %q", body)
		}
		compareWithStdlib(t, body, got)
	})
}

func compareWithStdlib(t *testing.T, body []byte, got []Sample) {
	t.Helper()
	type wire struct {
		Name      string
		Value     float64
		Timestamp *float64
		Labels    map[string]string
	}
	var top struct {
		wire
		Metrics []wire
	}
	if err := json.Unmarshal(body, &top); err != nil {
		t.Fatalf("accepted what encoding/json refuses: %v", err)
	}
	want := top.Metrics
	if want == nil {
		want = []wire{top.wire}
	}
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	for i, w := range want {
		if got[i].Name != w.Name || math.Float64bits(got[i].Value) != math.Float64bits(w.Value) {
			t.Fatalf("sample %d: %+v, want %+v", i, got[i], w)
		}
		if labels, err := NewLabels(w.Labels); err != nil || got[i].Labels != labels {
			t.Fatalf("sample %d: labels %s, want %s, %v", i, got[i].Labels, labels, err)
		}
		if ts := got[i].Timestamp; w.Timestamp != nil && float64(ts) != *w.Timestamp || w.Timestamp == nil && ts != now {
			t.Fatalf("sample %d: timestamp %d", i, ts)
		}
	}
}

// benchBody is a batch of samples of as many series.
func benchBody(labels string, series int) []byte {
	body := []byte(`{"metrics":[`)
	for i := range 1000 {
		body = fmt.Appendf(body, `{"name":"metric_%d",%s"value":%d.%d,"timestamp":%d},`, i%series, labels, i%100, i%10, now+int64(i%7))
	}
	body[len(body)-1] = ']'
	return append(body, '}')
}

func BenchmarkDecode(b *testing.B) {
	for name, body := range map[string][]byte{
		"single":         []byte(`{"name":"cpu_usage","value":85.5,"timestamp":1696789234567}`),
		"batch":          benchBody("", 10),
		"batch 1k names": benchBody("", 1000),
		"batch labels":   benchBody(`"labels":{"host":"web-1","zone":"eu-1"},`, 10),
	} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				samples, _, err := d.Decode(body, now)
				if err != nil {
					b.Fatal(err)
				}
				n += len(samples)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
		})
	}
}
