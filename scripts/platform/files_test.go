package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"phase0/bench/trial"
)

// The same file gives the same answers whether its lines come whole or in pieces, and
// they are those that a plain count gives.
func TestFile(t *testing.T) {
	r := &rig{dir: t.TempDir(), options: options{points: 20_000, seed: 3}}
	f, err := r.file(caseFull)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	mine := `"name":"` + trial.Points{}.Name() + `"`
	if f.bytes != int64(len(text)) || f.lines != 20_000 || f.values != strings.Count(string(text), mine) {
		t.Errorf("%+v, but %d bytes and %d lines of the series", f, len(text), strings.Count(string(text), mine))
	}
	lines := strings.SplitAfter(string(text), "\n")
	newest := strings.Join(lines[20_000-6000:], "") // a sample every 10 ms
	if f.rows != strings.Count(newest, mine) || f.p99 < 98 || f.p99 >= 100 {
		t.Errorf("%d rows in the newest minute, want %d; p99 %v of values from 0 to 100", f.rows, strings.Count(newest, mine), f.p99)
	}
	if again, err := r.file(caseFull); err != nil || again != f {
		t.Errorf("the second time %+v, error %v", again, err)
	}
	one, err := r.file(casePercent)
	if err != nil || one.values != 20_000 || one.rows != 6000 {
		t.Errorf("%+v, error %v; want all lines of one series", one, err)
	}
}

func TestRenamer(t *testing.T) {
	const in, want = "{\"name\":\"series_1\",\"x\":\"series_2\"}\n{\"name\":\"series_2\"}\n", "{\"name\":\"series_9\",\"x\":\"series_2\"}\n{\"name\":\"series_9\"}\n"
	for piece := 1; piece < len(in); piece++ {
		var out strings.Builder
		w := &renamer{to: &out, name: "series_9"}
		for rest := in; rest != ""; {
			n, err := fmt.Fprint(w, rest[:min(piece, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if out.String() != want {
			t.Fatalf("in pieces of %d: %q", piece, out.String())
		}
	}
}

func TestParsePoint(t *testing.T) {
	if v, at, err := parsePoint([]byte(`1.5,"timestamp":17}`)); err != nil || v != 1.5 || at != 17 {
		t.Errorf("%v at %d, error %v", v, at, err)
	}
	for _, text := range []string{"", "1.5", `x,"timestamp":17}`, `1,"timestamp":x}`, `1,"timestamp":17`, `NaN,"timestamp":1}`} {
		if _, _, err := parsePoint([]byte(text)); !errors.Is(err, errPoint) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	f.Add([]byte(`1.5,"timestamp":17}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, _, err := parsePoint(text); err == nil && v != v {
			t.Errorf("%q is not a number", text)
		}
	})
}

func TestChecks(t *testing.T) {
	f := file{bytes: 100, rows: 2, p99: 99.25}
	header := func(n string) http.Header { return http.Header{"X-Phase0-Bytes-Scanned": {n}} }
	for name, c := range map[string]struct {
		err  error
		good bool
	}{
		"all read":        {f.checkFull(header("100")), true},
		"less read":       {f.checkFull(header("99")), false},
		"no header":       {f.checkFull(http.Header{}), false},
		"two rows":        {f.checkRows([]byte(`[{"timestamp":1},{"timestamp":2}]`)), true},
		"one row":         {f.checkRows([]byte(`[{"timestamp":1}]`)), false},
		"right p99":       {f.checkPercentile([]byte(`{"a":[{"p99":99.25}]}`)), true},
		"wrong p99":       {f.checkPercentile([]byte(`{"p99":99.24}`)), false},
		"p99 in a string": {f.checkPercentile([]byte(`{"p99":"99.25"}`)), false},
	} {
		if c.good != (c.err == nil) || c.err != nil && !errors.Is(c.err, errAnswer) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}
