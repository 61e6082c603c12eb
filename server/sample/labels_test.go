package sample

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func withLabels(labels string) string { return `{"name":"a","labels":` + labels + `,"value":1}` }

// Whatever way the same labels are sent, they are one series.
func TestLabelsAreCanonical(t *testing.T) {
	long := strings.Repeat("v", MaxLabelValueBytes)
	var sixteen, sorted []string
	for i := range MaxLabels {
		sixteen = append(sixteen, fmt.Sprintf(`"l%02d":"%d"`, MaxLabels-i-1, i))
		sorted = append(sorted, fmt.Sprintf(`"l%02d":"%d"`, i, MaxLabels-i-1))
	}
	var d Decoder
	for range 2 { // the second time from what the decoder remembers
		for _, tc := range []struct{ sent, want string }{
			{`{}`, ``}, {`{ }`, ``},
			{`{"host":"a"}`, `{"host":"a"}`},
			{` { "host" : "a" } `, `{"host":"a"}`},
			{`{"zone":"eu","host":"a"}`, `{"host":"a","zone":"eu"}`},
			{`{"a0":"1","a":"2","A":"3","_":"4"}`, `{"A":"3","_":"4","a":"2","a0":"1"}`},
			{`{"h\u006fst":"\u0061"}`, `{"host":"a"}`},
			{`{"host":"}"}`, `{"host":"}"}`},
			{`{"host":"}","zone":"\"}"}`, `{"host":"}","zone":"\"}"}`},
			{`{"host":"\n\"\\\/é😀\u2028"}`, `{"host":"\u000a\"\\/é😀\u2028"}`},
			{`{"host":"` + long + `"}`, `{"host":"` + long + `"}`},
			{`{"` + strings.Repeat("n", MaxLabelNameBytes) + `":"v"}`, `{"` + strings.Repeat("n", MaxLabelNameBytes) + `":"v"}`},
			{"{" + strings.Join(sixteen, ",") + "}", "{" + strings.Join(sorted, ",") + "}"},
		} {
			got, _, err := d.Decode([]byte(withLabels(tc.sent)), now)
			if err != nil || string(got[0].Labels) != tc.want || got[0].Name != "a" || got[0].Value != 1 {
				t.Errorf("%.60s: %+v, %v, want %s", tc.sent, got, err, tc.want)
			}
			line := AppendLine(nil, Sample{"a", Labels(tc.want), 1, 2})
			if s, ok := d.ParseLine(line); !ok || string(s.Labels) != tc.want || strings.Contains(string(line), "labels") != (tc.want != "") {
				t.Errorf("%q came back as %+v, %v", line, s, ok)
			}
		}
	}
}

func TestDecodeRefusesLabels(t *testing.T) {
	var many []string
	for i := range MaxLabels + 1 {
		many = append(many, fmt.Sprintf(`"l%d":"v"`, i))
	}
	for _, tc := range []struct{ labels, code, says string }{
		{`null`, "bad_labels", "object"}, {`[]`, "bad_labels", ""}, {`"host"`, "bad_labels", ""}, {`1`, "bad_labels", ""},
		{`{"host":1}`, "bad_labels", `"host" must be a string`}, {`{"host":null}`, "bad_labels", ""}, {`{"host":{}}`, "bad_labels", ""},
		{`{"host":""}`, "bad_labels", `"host" is empty`},
		{`{"":"a"}`, "bad_labels", ""}, {`{"1a":"a"}`, "bad_labels", `"1a"`}, {`{"a-b":"a"}`, "bad_labels", ""}, {`{"é":"a"}`, "bad_labels", ""}, {`{"a\u0000":"a"}`, "bad_labels", ""},
		{`{"host":"a","host":"a"}`, "duplicate_key", `"host"`}, {`{"host":"a","zone":"b","h\u006fst":"c"}`, "duplicate_key", ""},
		{`{"` + strings.Repeat("n", MaxLabelNameBytes+1) + `":"v"}`, "label_too_long", "128"},
		{`{"host":"` + strings.Repeat("v", MaxLabelValueBytes+1) + `"}`, "label_too_long", "1024"},
		{"{" + strings.Join(many, ",") + "}", "too_many_labels", "16"},
		{`{"host":"a"`, "bad_json", ""}, {`{"host":"a",}`, "bad_json", ""}, {`{"host" "a"}`, "bad_json", ""}, {`{"host":"\x"}`, "bad_json", ""}, {`{host:"a"}`, "bad_json", ""},
		{"{\"host\":\"\xff\"}", "bad_utf8", ""}, {`{"host":"\ud800"}`, "bad_utf8", "surrogate"},
	} {
		for place, body := range map[string]string{"": withLabels(tc.labels), "metrics[1]": `{"metrics":[{"name":"b","value":2},` + withLabels(tc.labels) + `]}`} {
			var d Decoder
			_, _, err := d.Decode([]byte(body), now)
			var e *Error
			if !errors.As(err, &e) || string(e.Code) != tc.code || !strings.Contains(e.Msg, tc.says) || len(e.Error()) > 200 {
				t.Errorf("%.80s: %v, want %s with %q", body, err, tc.code, tc.says)
			} else if tc.code[:4] != "bad_" && !strings.HasPrefix(e.Error(), place) {
				t.Errorf("%.80s: %v does not name the place %s", body, err, place)
			}
		}
	}
}

func TestLabelsAreRead(t *testing.T) {
	want := map[string]string{"a": "x", "a0": `"}\,:{`, "b": "\n\u2028é", "c": " ", "zz": strings.Repeat("\x01", MaxLabelValueBytes)}
	l, err := NewLabels(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := maps.Collect(l.All()); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for name, value := range want {
		if got, ok := l.Get(name); !ok || got != value {
			t.Errorf("Get(%q) = %q, %v", name, got, ok)
		}
	}
	for _, absent := range []string{"", "A", "x", `"}`, "aa"} {
		if got, ok := l.Get(absent); ok {
			t.Errorf("Get(%q) = %q", absent, got)
		}
	}
	if _, ok := Labels("").Get("a"); ok || len(maps.Collect(Labels("").All())) > 0 {
		t.Error("no labels have one")
	}
	if _, err := NewLabels(map[string]string{"a-b": "x"}); err == nil {
		t.Error("a bad name was taken")
	}
}

func TestReadingLabelsDoesNotAllocate(t *testing.T) {
	l := Labels(`{"host":"web-1","zone":"eu"}`)
	if n := testing.AllocsPerRun(100, func() {
		if v, ok := l.Get("zone"); !ok || v != "eu" {
			t.Fatal(v)
		}
		for n, v := range l.All() {
			if n == v {
				t.Fatal(n)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// isCanonical holds labels against encoding/json.
func isCanonical(l Labels) error {
	if l == "" {
		return nil
	}
	var pairs map[string]string
	if err := json.Unmarshal([]byte(l), &pairs); err != nil {
		return err
	}
	again, err := NewLabels(pairs)
	if err != nil || again != l {
		return fmt.Errorf("%q, taken apart and put together, is %q, %w", l, again, err)
	}
	return nil
}

// What PlainLabels takes is what the parser makes of it.
func FuzzPlainLabels(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `{"a":"b"}`, `{"a":"b","c":"d"}`, `{"a":"b","b":"c","c":"d"}`, `{"b":"b","a":"d"}`, `{"a":"b","a":"d"}`, `{"a":""}`, `{"":"a"}`, `{"a":"b"`, `{"a":"b",}`, `{"a":"b"}}`,
		`{"a" :"b"}`, `{"a":"\u0061"}`, `{"a":"é"}`, `{"1":"b"}`, `{"a":"b"},"x":{}`, `{"a":1}`, "{\"a\":\"\x7f\"}", `,"a":"b"}`, `{"a":"b"]`, `{"a":"b`, `{"a`, `{"a":"b""}`,
		`{"a":"` + strings.Repeat("x", MaxLabelValueBytes) + `"}`, `{"a":"` + strings.Repeat("x", MaxLabelValueBytes+1) + `"}`,
		`{"` + strings.Repeat("a", MaxLabelNameBytes) + `":"x"}`, `{"` + strings.Repeat("a", MaxLabelNameBytes+1) + `":"x"}`,
		`{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":"1","l":"1","m":"1","n":"1","o":"1","p":"1"}`,
		`{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":"1","l":"1","m":"1","n":"1","o":"1","p":"1","q":"1"}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d Decoder
		s, ok := d.ParseLine([]byte(`{"name":"a","value":1,"timestamp":1,"labels":` + text + `}`))
		same := ok && text != "" && string(s.Labels) == text
		plain := plainBytes(strings.ReplaceAll(text, `"`, "")) == len(strings.ReplaceAll(text, `"`, ""))
		if got := PlainLabels([]byte(text)); got != (same && plain) {
			t.Errorf("%q: %v; the parser makes %q, %v of it", text, got, s.Labels, ok)
		}
	})
}
