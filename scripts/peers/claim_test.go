package main

import (
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parserCase is one client's captured output: against a server that stalled for
// 300 ms in each second.
type parserCase struct {
	parse        func(output) (claim, error)
	stdout, file string
	want         claim
}

func parserCases() map[string]parserCase {
	return map[string]parserCase{
		"loadgen": {parseLoadgen, "", "loadgen.json", claim{
			Requests: 1000, RPS: 500, Verdict: "VALID", SendLagP99: 162529279,
			Percentiles: map[string]float64{"p50": 115839, "p95": 251265023, "p99": 291766271},
		}},
		"wrk": {parseWrk, "wrk.txt", "", claim{
			Requests: 201983, RPS: 100741.36, Percentiles: map[string]float64{"p50": 366e3, "p99": 278.15e6},
		}},
		"hey": {parseHey, "hey.txt", "", claim{
			Requests: 1024, RPS: 449.704, Percentiles: map[string]float64{"p50": 1.2e6, "p95": 248.7e6, "p99": 250.1e6},
		}},
		"ab": {parseAb, "ab.txt", "", claim{
			Requests: 102080, RPS: 51034.56, Percentiles: map[string]float64{"p50": 1e6, "p95": 1e6, "p99": 3e6},
		}},
		"h2load": {parseH2load, "h2load.txt", "h2load.log", claim{
			Requests: 1024, RPS: 512, Percentiles: map[string]float64{"p50": 1594e3, "p95": 4444e3, "p99": 4466e3, "p99.9": 4475e3},
		}},
		"bombardier": {parseBombardier, "bombardier.json", "", claim{
			Requests: 843, RPS: 420.91164742473154, Percentiles: map[string]float64{"p50": 165e3, "p95": 253344e3, "p99": 292021e3},
		}},
		"vegeta": {parseVegeta, "vegeta.json", "vegeta-hdrplot.txt", claim{
			Requests: 1000, RPS: 500.31295100413905,
			Percentiles: map[string]float64{"p50": 194465, "p95": 254017162, "p99": 292986515, "p99.9": 300738417},
		}},
	}
}

func same(a, b claim) bool {
	return a.Requests == b.Requests && a.RPS == b.RPS && a.Failed == b.Failed && a.Verdict == b.Verdict && a.SendLagP99 == b.SendLagP99 &&
		maps.EqualFunc(a.Percentiles, b.Percentiles, func(x, y float64) bool { return math.Abs(x-y) < 1 })
}

func TestParseCaptured(t *testing.T) {
	for name, c := range parserCases() {
		got, err := c.parse(output{sample(t, c.stdout), sample(t, c.file)})
		if err != nil || !same(got, c.want) {
			t.Errorf("%s: error %v\n got %+v\nwant %+v", name, err, got, c.want)
		}
	}
}

// The outputs of these are written after their documentation, shortened.
func TestParseDocumented(t *testing.T) {
	all := map[string]float64{"p50": 1e6, "p95": 2e6, "p99": 3e6, "p99.9": 4e6}
	for name, c := range map[string]struct {
		parse func(output) (claim, error)
		o     output
		want  claim
	}{
		"wrk2": {parseWrk2, output{stdout: []byte(`
  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%    1.00ms
 99.000%    3.00ms
 99.900%    4.00ms
100.000%    0.01s
  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)
       0.500     0.000000            1         1.00
       2.000     0.950000           95        20.00
#[Mean    =        1.120, StdDeviation   =        0.510]
  2000 requests in 1.00s, 68.00KB read
  Non-2xx or 3xx responses: 3
Requests/sec:   1999.50
`)}, claim{Requests: 2000, RPS: 1999.5, Failed: 3, Percentiles: all}},
		"fortio": {parseFortio, output{stdout: []byte(`{"ActualQPS":1999.5,"DurationHistogram":{"Count":2000,"Percentiles":[
			{"Percentile":50,"Value":0.001},{"Percentile":95,"Value":0.002},{"Percentile":99,"Value":0.003},{"Percentile":99.9,"Value":0.004}]},
			"RetCodes":{"202":1997,"503":3,"-1":1}}`)}, claim{Requests: 2000, RPS: 1999.5, Failed: 4, Percentiles: all}},
		"oha": {parseOha, output{stdout: []byte(`{"summary":{"requestsPerSec":1999.5},"latencyPercentiles":{"p50":0.001,"p95":0.002,"p99":0.003,"p99.9":0.004},
			"statusCodeDistribution":{"202":1997,"503":3},"errorDistribution":{"aborted due to deadline":64,"connection refused":1}}`)},
			claim{Requests: 2000, RPS: 1999.5, Failed: 4, Percentiles: all}},
		"k6": {parseK6, output{file: []byte(`{"metrics":{"http_reqs":{"count":2000,"rate":1999.5},"http_req_failed":{"passes":3,"fails":1997,"value":0.0015},
			"http_req_duration":{"avg":1,"p(50)":1,"p(95)":2,"p(99)":3,"p(99.9)":4}}}`)}, claim{Requests: 2000, RPS: 1999.5, Failed: 3, Percentiles: all}},
	} {
		got, err := c.parse(c.o)
		if err != nil || !same(got, c.want) {
			t.Errorf("%s: error %v\n got %+v\nwant %+v", name, err, got, c.want)
		}
	}
}

func TestParsersRefuse(t *testing.T) {
	for _, tool := range tools() {
		for name, o := range map[string]output{
			"nothing":    {},
			"other text": {[]byte("hello\n"), []byte("hello\n")},
			"other JSON": {[]byte("{}"), []byte("{}")},
		} {
			if _, err := tool.parse(o); !errors.Is(err, errOutput) {
				t.Errorf("%s: %s: error %v, want errOutput", tool.name, name, err)
			}
		}
	}
}

// FuzzParse: whatever a client prints, a parser returns or refuses it.
func FuzzParse(f *testing.F) {
	all := tools()
	for which, tool := range all {
		if c, ok := parserCases()[tool.name]; ok {
			stdout, file := sample(f, c.stdout), sample(f, c.file)
			f.Add(uint(which), stdout[:min(len(stdout), 1500)], file[:min(len(file), 300)]) // long seeds make fuzzing slow
		}
	}
	f.Fuzz(func(t *testing.T, which uint, stdout, file []byte) {
		tool := all[which%uint(len(all))]
		c, err := tool.parse(output{stdout, file})
		if err != nil && !errors.Is(err, errOutput) {
			t.Errorf("%s: error %v does not wrap errOutput", tool.name, err)
		}
		for name := range c.Percentiles {
			if !slices.Contains([]string{"p50", "p95", "p99", "p99.9"}, name) {
				t.Errorf("%s: percentile %q", tool.name, name)
			}
		}
	})
}
