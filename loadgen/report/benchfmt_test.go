package report

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"phase0/loadgen/record"
)

// benchFile is what a reader of Go's benchmark format sees.
type benchFile struct {
	config  map[string]string
	better  map[string]string // by unit
	name    string
	n       int64
	values  map[string]float64 // by unit
	ignored []string
}

// parseBench follows the format's definition: configuration lines begin with a
// lower-case letter, and of the rest all but Unit and Benchmark lines are ignored.
func parseBench(t *testing.T, text string) benchFile {
	t.Helper()
	f := benchFile{config: map[string]string{}, better: map[string]string{}, values: map[string]float64{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.Fields(line)
		config := regexp.MustCompile(`^([\p{Ll}][^\s\p{Lu}:]*):\s*(.*)$`).FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "Benchmark"):
			f.name = words[0]
			f.n = int64(parsed(t, words[1]))
			for i := 2; i < len(words); i += 2 {
				f.values[words[i+1]] = parsed(t, words[i])
			}
		case strings.HasPrefix(line, "Unit "):
			f.better[words[1]] = strings.TrimPrefix(words[2], "better=")
		case config != nil:
			f.config[config[1]] = config[2]
		case line != "":
			f.ignored = append(f.ignored, line)
		}
	}
	return f
}

func parsed(t *testing.T, word string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func benched(t *testing.T, r record.Result) (string, benchFile) {
	t.Helper()
	var b strings.Builder
	if err := WriteBench(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String(), parseBench(t, b.String())
}

func TestWriteBench(t *testing.T) {
	res := sample(t)
	res.Generator.Platform = "linux/amd64"
	text, f := benched(t, res)
	golden(t, "bench.txt", []byte(text))
	if f.name != "BenchmarkLoad/engine=fasthttp/model=open/rate=200" || f.n != 400 {
		t.Errorf("name %q, n %d", f.name, f.n)
	}
	p50, _ := res.ResponseTime.At(0.5)
	p99, _ := res.ResponseTime.At(0.99)
	want := map[string]float64{
		"rps": 197, "p50-ns": float64(p50.NS), "p99-ns": float64(p99.NS),
		"err/op": 0.0174564, "cpu-ns/req": 625_000,
	}
	if !maps.Equal(f.values, want) {
		t.Errorf("values %v, want %v", f.values, want)
	}
	for unit, better := range f.better {
		if (better == "higher") != (unit == "rps") {
			t.Errorf("%s: better=%s", unit, better)
		}
	}
	if len(f.better) != 7 || f.config["goos"] != "linux" || f.config["goarch"] != "amd64" || f.config["verdict"] != "DEGRADED" {
		t.Errorf("units %v, configuration %v", f.better, f.config)
	}
	ignored := strings.Join(f.ignored, "\n")
	for _, want := range []string{"# run ab12cd34", "# DEGRADED: 3 of 401", "# left out: p999-ns needs 3688", "# left out: max-ns is 5003804671 or more"} {
		if !strings.Contains(ignored, want) {
			t.Errorf("no ignored line with %q in\n%s", want, ignored)
		}
	}
}

// Whatever a result holds, there is one line that can be read, and the ignored
// lines are no configuration.
func TestWriteBenchOfOddResults(t *testing.T) {
	full := sample(t)
	tests := []struct {
		name string
		edit func(*record.Result)
		want string // the name
	}{
		{"nothing sent", func(r *record.Result) { *r = record.Result{} }, "BenchmarkLoad/engine=unknown/model=unknown"},
		{"closed", func(r *record.Result) { r.Model, r.OfferedRPS = "closed", 0 }, "BenchmarkLoad/engine=fasthttp/model=closed"},
		{"merged", func(r *record.Result) {
			r.Engine, r.MergedFrom, r.OfferedRPS = "epoll + fasthttp", []string{"a", "b"}, 400.0/3
		}, "BenchmarkLoad/engine=epoll_+_fasthttp/model=open/rate=133.333"},
		{"ends in a number", func(r *record.Result) { r.Engine, r.Model, r.OfferedRPS = "a/b-7", "x-16", 0 }, "BenchmarkLoad/engine=a_b_7/model=x_16"},
		{"fast", func(r *record.Result) { r.OfferedRPS = 1234567.5 }, "BenchmarkLoad/engine=fasthttp/model=open/rate=1234568"},
		{"lines in texts", func(r *record.Result) {
			r.Verdict.Reasons, r.URL, r.RunID = []string{"a\nb: c"}, "http://x/\nevil: 1", "i\nBenchmarkX 1 2 rps"
		}, "BenchmarkLoad/engine=fasthttp/model=open/rate=200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := full
			tt.edit(&r)
			text, f := benched(t, r)
			if f.name != tt.want {
				t.Errorf("name %q, want %q", f.name, tt.want)
			}
			if strings.Count(text, "\nBenchmark") != 1 || len(f.values) == 0 {
				t.Errorf("no single line with values in\n%s", text)
			}
			keys := []string{"connections", "goarch", "goos", "keep-alive", "method", "timeout", "url", "verdict"}
			if got := slices.Sorted(maps.Keys(f.config)); !slices.Equal(got, keys) {
				t.Errorf("configuration %v, want %v", got, keys)
			}
		})
	}
}

func TestWriteBenchReportsAFailedWrite(t *testing.T) {
	if err := WriteBench(full{}, sample(t)); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

func TestNumber(t *testing.T) {
	tests := map[float64]string{
		0: "0", 1: "1", 200: "200", 0.5: "0.5", 133.33333: "133.333", 1e6: "1000000", 123456789: "123456789",
		0.00012345678: "0.000123457", 99999.96: "100000", 1e-15: "0",
	}
	for v, want := range tests {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}
