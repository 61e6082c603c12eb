package freshness

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	tests := []struct {
		body  string
		found bool
		err   string
	}{
		{body: `[]`},
		{body: `null`},
		{body: ` [ ] `},
		{body: `[{"name":"s","value":7,"timestamp":5}]`, found: true},
		{body: `[{"timestamp":5,"value":7.0,"name":"s","labels":{"a":"b"}}]`, found: true},
		{body: `[{"name":"s","value":6},{"name":"s","value":7},{"name":"s","value":8}]`, found: true},
		{body: `[{"name":"s","value":70}]`},
		// A server that ignores the name must not make the load's samples a hit.
		{body: `[{"name":"other","value":7}]`},
		{body: ``, err: "byte 0: unexpected end"},
		{body: `[{"name":"s","value":7`, err: "byte 22: unexpected end"},
		{body: `[] x`, err: "byte 4: invalid character 'x'"},
		{body: `{"error":"busy"}`, err: "cannot unmarshal object"},
		{body: `[{"name":"s","value":"7"}]`, err: "cannot unmarshal string"},
		{body: `[{"value":7}]`, err: "row 0 has no name; want a JSON array"},
		{body: `[{"name":"s","value":7},{"name":"s"}]`, err: "row 1 has no value; want a JSON array"},
		{body: `<html>`, err: "byte 1: invalid character '<'"},
	}
	for _, tt := range tests {
		found, err := find([]byte(tt.body), "s", 7)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.body, err, tt.err)
		}
		if (found != nil) != tt.found {
			t.Errorf("%s: found %v, want %v", tt.body, found != nil, tt.found)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte(`[{"name":"s","value":7,"timestamp":5}]`), "s", 7.0)
	f.Add([]byte(`null`), "", 0.0)
	f.Add([]byte(`[{"name":"s","value":1e999}]`), `"`, -1e300)
	f.Fuzz(func(t *testing.T, body []byte, series string, value float64) {
		found, err := find(body, series, value)
		if err == nil && !json.Valid(body) {
			t.Errorf("no error about %q", body)
		}
		if found != nil && (err != nil || *found.Name != series || *found.Value != value) {
			t.Errorf("found %v in %q", found, body)
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		series = strings.ToValidUTF8(series, "")
		rows := []map[string]any{{"name": series + "x", "value": value}, {"name": series, "value": value, "timestamp": 5}}
		answer, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := find(answer, series, value); err != nil || found == nil || *found.Timestamp != 5 {
			t.Errorf("not found in %s: %v", answer, err)
		}
		if found, err := find(answer, series+"y", value); err != nil || found != nil {
			t.Errorf("found another series in %s: %v", answer, err)
		}
	})
}
