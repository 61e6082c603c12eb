package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/loadgen/record"
)

// errOutput is wrapped by every parser's errors.
var errOutput = errors.New("output not understood")

// claim is what a client says of its own run.
type claim struct {
	Requests int64   `json:"requests"` // with an answer of any status
	RPS      float64 `json:"rps"`
	Failed   int64   `json:"failed"` // answers other than 2xx, and errors
	// Percentiles are of the time that the client calls latency, in nanoseconds;
	// those that it does not print are missing.
	Percentiles map[string]float64 `json:"percentiles_ns"`

	// SendLagP99, LatenessP99 (its part that is not waiting for a connection) and
	// Verdict are loadgen's alone.
	SendLagP99  float64 `json:"send_lag_p99_ns,omitempty"`
	LatenessP99 float64 `json:"own_lateness_p99_ns,omitempty"`
	Verdict     string  `json:"verdict,omitempty"`
}

// percentile is one that runs are compared by.
type percentile struct {
	name string
	rank stat.Percentile
}

func percentiles() [4]percentile {
	return [...]percentile{{"p50", stat.P50}, {"p95", 9500}, {"p99", stat.P99}, {"p99.9", 9990}}
}

func (p percentile) percent() float64 { return float64(p.rank) / 100 }

// keep records the percentile if it is one that is compared.
func (c *claim) keep(percent, ns float64) {
	for _, p := range percentiles() {
		if p.percent() == percent {
			if c.Percentiles == nil {
				c.Percentiles = map[string]float64{}
			}
			c.Percentiles[p.name] = ns
		}
	}
}

// output is what a run left behind: standard output, and a file where the client
// writes one.
type output struct{ stdout, file []byte }

func parseLoadgen(o output) (claim, error) {
	var r record.Result
	if err := json.Unmarshal(o.file, &r); err != nil {
		return claim{}, fmt.Errorf("parse loadgen: %w: %w", errOutput, err)
	}
	if r.Schema != record.SchemaVersion {
		return claim{}, fmt.Errorf("parse loadgen: %w: schema %d, want %d", errOutput, r.Schema, record.SchemaVersion)
	}
	c := claim{
		Requests: r.Accounting.Answered, RPS: r.AchievedRPS, Verdict: string(r.Verdict.Level),
		Failed: r.Accounting.Answered - r.Accounting.Accepted + r.Accounting.Errors(),
	}
	for _, p := range r.ResponseTime.Percentiles {
		if p.Unavailable == "" && !p.AtLeast {
			c.keep(p.Quantile*100, float64(p.NS))
		}
	}
	if p, ok := r.SendLag.At(0.99); ok && p.Unavailable == "" {
		c.SendLagP99 = float64(p.NS)
	}
	if p, ok := r.OwnLateness.At(0.99); ok && p.Unavailable == "" {
		c.LatenessP99 = float64(p.NS)
	}
	return c, nil
}

// find returns the first group of the pattern's first match as a number.
func find(text []byte, pattern string) (float64, error) {
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%w: nothing matches %s", errOutput, pattern)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.40q is not a number", errOutput, m[1])
	}
	return v, nil
}

// optional is find for what a client prints only where there is something.
func optional(text []byte, pattern string) float64 {
	v, err := find(text, pattern)
	if err != nil {
		return 0
	}
	return v
}

// counted finds the two figures that every client must print.
func counted(client string, text []byte, requests, rps string) (claim, error) {
	n, err := find(text, requests)
	if err != nil {
		return claim{}, fmt.Errorf("parse %s: requests: %w", client, err)
	}
	r, err := find(text, rps)
	if err != nil {
		return claim{}, fmt.Errorf("parse %s: rate: %w", client, err)
	}
	return claim{Requests: int64(n), RPS: r}, nil
}

// keepLines takes lines of a percentile and a time, in the pattern's first and
// second group; unit is that of times that carry none.
func (c *claim) keepLines(text []byte, pattern, unit string) error {
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		percent, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return fmt.Errorf("%w: percentile %.20q is not a number", errOutput, m[1])
		}
		d, err := time.ParseDuration(string(m[2]) + unit)
		if err != nil {
			return fmt.Errorf("%w: p%v %.20q is not a duration", errOutput, percent, m[2])
		}
		c.keep(percent, float64(d))
	}
	return nil
}

func parseWrk(o output) (claim, error) {
	c, err := counted("wrk", o.stdout, `(\d+) requests in `, `Requests/sec:\s+([\d.]+)`)
	if err != nil {
		return claim{}, err
	}
	c.Failed = int64(optional(o.stdout, `Non-2xx or 3xx responses: (\d+)`))
	for _, kind := range []string{"connect", "read", "write", "timeout"} {
		c.Failed += int64(optional(o.stdout, `Socket errors:.*`+kind+` (\d+)`))
	}
	if err := c.keepLines(o.stdout, `(?m)^ *(\d+(?:\.\d+)?)% +([\d.]+[mun]?s)$`, ""); err != nil {
		return claim{}, fmt.Errorf("parse wrk: %w", err)
	}
	return c, nil
}

// parseWrk2 differs in that p95 stands in the detailed spectrum only.
func parseWrk2(o output) (claim, error) {
	c, err := parseWrk(o)
	if err != nil {
		return claim{}, err
	}
	if ms, err := spectrum(o.stdout, 0.95); err == nil {
		c.keep(95, ms*float64(time.Millisecond))
	}
	return c, nil
}

// spectrum returns the value of the first row of an HdrHistogram listing whose
// quantile is not below q.
func spectrum(text []byte, q float64) (float64, error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 3 || len(f) > 4 {
			continue
		}
		value, err1 := strconv.ParseFloat(f[0], 64)
		quantile, err2 := strconv.ParseFloat(f[1], 64)
		if err1 == nil && err2 == nil && quantile <= 1 && quantile >= q {
			return value, nil
		}
	}
	return 0, fmt.Errorf("%w: no row of quantile %v", errOutput, q)
}

func parseHey(o output) (claim, error) {
	c, err := counted("hey", o.stdout, `Status code distribution:\s+\[\d+\]\s+(\d+) responses`, `Requests/sec:\s+([\d.]+)`)
	if err != nil {
		return claim{}, err
	}
	c.Requests = 0
	for _, m := range regexp.MustCompile(`\[(\d+)\]\s+(\d+) responses`).FindAllSubmatch(o.stdout, -1) {
		n, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			return claim{}, fmt.Errorf("parse hey: %w: %.20q responses", errOutput, m[2])
		}
		c.Requests += n
		if m[1][0] != '2' {
			c.Failed += n
		}
	}
	if err := c.keepLines(o.stdout, `(?m)^ *(\d+)% in ([\d.]+) secs`, "s"); err != nil {
		return claim{}, fmt.Errorf("parse hey: %w", err)
	}
	return c, nil
}

func parseAb(o output) (claim, error) {
	c, err := counted("ab", o.stdout, `Complete requests:\s+(\d+)`, `Requests per second:\s+([\d.]+)`)
	if err != nil {
		return claim{}, err
	}
	c.Failed = int64(optional(o.stdout, `Non-2xx responses:\s+(\d+)`) + optional(o.stdout, `Failed requests:\s+(\d+)`))
	if err := c.keepLines(o.stdout, `(?m)^ *(\d+)% +(\d+)`, "ms"); err != nil {
		return claim{}, fmt.Errorf("parse ab: %w", err)
	}
	return c, nil
}

// parseH2load takes percentiles from the log of single requests, where one was
// written: start, status, microseconds.
func parseH2load(o output) (claim, error) {
	c, err := counted("h2load", o.stdout, `requests: \d+ total, \d+ started, (\d+) done`, `finished in [\d.]+m?s, ([\d.]+) req/s`)
	if err != nil {
		return claim{}, err
	}
	ok, err := find(o.stdout, `status codes: (\d+) 2xx`)
	if err != nil {
		return claim{}, fmt.Errorf("parse h2load: status codes: %w", err)
	}
	c.Failed = c.Requests - int64(ok)
	var times []float64
	number := 0
	for line := range strings.Lines(string(o.file)) {
		number++
		f := strings.Fields(line)
		if len(f) != 3 {
			return claim{}, fmt.Errorf("parse h2load: %w: line %d of the log has %d fields, want 3", errOutput, number, len(f))
		}
		us, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return claim{}, fmt.Errorf("parse h2load: %w: line %d of the log: %.20q is not a time in µs", errOutput, number, f[2])
		}
		times = append(times, float64(us)*float64(time.Microsecond))
	}
	slices.Sort(times)
	for _, p := range percentiles() {
		if len(times) > 0 {
			c.keep(p.percent(), stat.Quantile(times, p.rank))
		}
	}
	return c, nil
}
