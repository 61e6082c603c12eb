package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// decode returns all rows of a body.
func decode(body io.Reader) (all []stored, err error) {
	var rows rowReader
	rows.reset(body)
	for {
		r, err := rows.next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, stored{string(r.name), r.value, r.timestamp})
	}
}

func TestRowsOfWellFormedBodies(t *testing.T) {
	tests := []struct {
		body string
		want []stored
	}{
		{"[]", nil},
		{" [ \n] \r\n\t", nil},
		{`[{"name":"a","value":1,"timestamp":2}]`, []stored{{"a", 1, 2}}},
		{`[{"timestamp":-2,"value":-1.5e-3,"name":""},{"name":"b","value":0,"timestamp":0}]`, []stored{{"", -0.0015, -2}, {"b", 0, 0}}},
		{` [ { "na\u006de" : "\u0041\"\\\n" , "value" : 1E2 , "timestamp" : 3 } ] `, []stored{{"A\"\\\n", 100, 3}}},
	}
	for _, tt := range tests {
		got, err := decode(iotest.OneByteReader(strings.NewReader(tt.body)))
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.body, got, err, tt.want)
		}
	}
}

func TestMalformedBodies(t *testing.T) {
	long := strings.Repeat("1", maxTokenBytes)
	tests := []struct{ body, want string }{
		{`null`, "row 0, byte 1: 'n', want an array of rows"},
		{`[1]`, "row 0, byte 2: '1', want a row"},
		{`[,]`, "want a row"},
		{`[{"name":"a","value":1,"timestamp":2},]`, "row 1, byte 39: ']', want a row"},
		{`[{"name":"a","value":1,"timestamp":2}{`, "want ',' or ']'"},
		{`[] []`, "byte 4: '[', want the end of the body"},
		{`[{}]`, "'}', want a string"},
		{`[{"name":"a","value":1}]`, "row 1, byte 23: a row lacks one of name, value, timestamp"},
		{`[{"name":"a","name":"b","value":1,"timestamp":2}]`, "stands twice"},
		{`[{"name":"a","value":1,"timestamp":2,"labels":{}}]`, `key "labels"`},
		{`[{"Name":"a"}]`, `key "Name"`},
		{`[{"name" "a"}]`, "want ':'"},
		{`[{"name":"a" "value":1}]`, "want ',' or '}'"},
		{`[{"name":1}]`, "want a string"},
		{`[{"name":"a` + "\n" + `"}]`, "control character"},
		{`[{"name":"\x"}]`, "escape"},
		{`[{"name":"` + long + `"}]`, "longer than 2 KiB"},
		{`[{"value":"1"}]`, "want a number"},
		{`[{"value":null}]`, "want a number"},
		{`[{"value":01}]`, `"01" is not a number`},
		{`[{"value":1-2}]`, `"1-2" is not a number`},
		{`[{"value":1e999}]`, "out of range"},
		{`[{"value":` + long + `1}]`, "longer than 2 KiB"},
		{`[{"timestamp":1.5}]`, "not whole"},
		{`[{"timestamp":9223372036854775808}]`, "out of range"},
	}
	for _, tt := range tests {
		_, err := decode(strings.NewReader(tt.body))
		if !errors.Is(err, errMalformed) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: error %v, want one with %q", tt.body, err, tt.want)
		}
	}
}

func TestTornBodiesAreTold(t *testing.T) {
	const body = `[{"name":"a\u0041","value":-1.5e3,"timestamp":12},{"name":"b","value":2,"timestamp":3}]`
	for n := range len(body) {
		if _, err := decode(strings.NewReader(body[:n])); !errors.Is(err, errTorn) {
			t.Errorf("%s: error %v", body[:n], err)
		}
	}
	broken := errors.New("connection reset")
	_, err := decode(io.MultiReader(strings.NewReader(body[:30]), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || errors.Is(err, errMalformed) {
		t.Errorf("error %v, want that of reading", err)
	}
}

func TestEndlessBodyIsCutOff(t *testing.T) {
	rows := rowReader{}
	rows.reset(strings.NewReader("   []"))
	rows.at = maxBodyBytes - 2 // as if so much had been read
	if _, err := rows.next(); !errors.Is(err, errMalformed) || !strings.Contains(err.Error(), "larger than 1024 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestRowsDoNotAllocate(t *testing.T) {
	var body bytes.Buffer
	body.WriteString("[")
	for i := range 3000 {
		fmt.Fprintf(&body, `{"name":"loadgen_ab12cd34_3","value":%d,"timestamp":%d},`, i*1000, 1_700_000_000_000+i)
	}
	var rows rowReader
	rows.reset(&body)
	if n := testing.AllocsPerRun(2000, func() {
		if _, err := rows.next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per row", n)
	}
}

// Whatever rowReader takes, encoding/json takes too and understands alike.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		"[]", `[{"name":"a","value":1,"timestamp":2}]`, ` [{"timestamp":0,"name":"\ud83d","value":-0.5e-7},{`,
		`[{"name":"a","value":1e400,"timestamp":2}]`, `[{"name":"}","value":1,"timestamp":-2}] x`, `{"error":"x"}`, "[\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decode(bytes.NewReader(body))
		if err != nil {
			if !errors.Is(err, errTorn) && !errors.Is(err, errMalformed) {
				t.Fatalf("%q: error %v of neither kind", body, err)
			}
			return
		}
		var want []stored
		if err := json.Unmarshal(body, &want); err != nil || len(want) != len(got) {
			t.Fatalf("%q: took %v; json %v, %v", body, got, want, err)
		}
		for i, g := range got {
			// encoding/json replaces bytes that are not UTF-8, as the detour over runes does.
			g.Name = string([]rune(g.Name))
			if g != want[i] {
				t.Fatalf("%q: row %d is %v, json says %v", body, i, g, want[i])
			}
		}
	})
}
