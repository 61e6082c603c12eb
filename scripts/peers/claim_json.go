package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// decode reads a client's JSON into v.
func decode(client string, text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("parse %s: %w: %w", client, errOutput, err)
	}
	return nil
}

func parseBombardier(o output) (claim, error) {
	var r struct {
		Result *struct {
			Seconds float64 `json:"timeTakenSeconds"`
			Req1xx  int64   `json:"req1xx"`
			Req2xx  int64   `json:"req2xx"`
			Req3xx  int64   `json:"req3xx"`
			Req4xx  int64   `json:"req4xx"`
			Req5xx  int64   `json:"req5xx"`
			Others  int64   `json:"others"`
			Latency struct {
				Percentiles map[string]float64 `json:"percentiles"` // µs
			} `json:"latency"`
			RPS struct {
				Mean float64 `json:"mean"`
			} `json:"rps"`
		} `json:"result"`
	}
	if err := decode("bombardier", o.stdout, &r); err != nil {
		return claim{}, err
	}
	if r.Result == nil || r.Result.Seconds <= 0 {
		return claim{}, fmt.Errorf("parse bombardier: %w: no result with a timeTakenSeconds above 0", errOutput)
	}
	s := r.Result
	other := s.Req1xx + s.Req3xx + s.Req4xx + s.Req5xx
	c := claim{Requests: s.Req2xx + other, RPS: s.RPS.Mean, Failed: other + s.Others}
	return c, c.keepMap("bombardier", s.Latency.Percentiles, "", "", time.Microsecond)
}

// keepMap takes percentiles from an object whose keys are the percent between
// prefix and suffix.
func (c *claim) keepMap(client string, m map[string]float64, prefix, suffix string, unit time.Duration) error {
	for key, value := range m {
		if !strings.HasPrefix(key, prefix) || !strings.HasSuffix(key, suffix) {
			continue
		}
		percent, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimPrefix(key, prefix), suffix), 64)
		if err != nil {
			return fmt.Errorf("parse %s: %w: key %.20q is not a percentile", client, errOutput, key)
		}
		c.keep(percent, value*float64(unit))
	}
	return nil
}

// statuses adds up a count by status code.
func (c *claim) statuses(codes map[string]int64) {
	for code, n := range codes {
		if code == "0" || code == "-1" { // how vegeta and fortio count requests without an answer
			c.Failed += n
			continue
		}
		c.Requests += n
		if !strings.HasPrefix(code, "2") {
			c.Failed += n
		}
	}
}

// parseVegeta reads `vegeta report -type json`, and from the file `-type hdrplot`,
// which alone has p99.9.
func parseVegeta(o output) (claim, error) {
	var r struct {
		Requests   *int64           `json:"requests"`
		Throughput float64          `json:"throughput"`
		Codes      map[string]int64 `json:"status_codes"`
		Latencies  struct {
			P50 float64 `json:"50th"` // ns
			P95 float64 `json:"95th"`
			P99 float64 `json:"99th"`
		} `json:"latencies"`
	}
	if err := decode("vegeta", o.stdout, &r); err != nil {
		return claim{}, err
	}
	if r.Requests == nil {
		return claim{}, fmt.Errorf("parse vegeta: %w: no field requests", errOutput)
	}
	c := claim{RPS: r.Throughput}
	c.statuses(r.Codes)
	c.keep(50, r.Latencies.P50)
	c.keep(95, r.Latencies.P95)
	c.keep(99, r.Latencies.P99)
	ms, err := spectrum(o.file, 0.999)
	if err != nil {
		return claim{}, fmt.Errorf("parse vegeta: %w", err)
	}
	c.keep(99.9, ms*float64(time.Millisecond))
	return c, nil
}

func parseFortio(o output) (claim, error) {
	var r struct {
		QPS       *float64 `json:"ActualQPS"`
		Histogram struct {
			Percentiles []struct{ Percentile, Value float64 } // seconds
		} `json:"DurationHistogram"`
		Codes map[string]int64 `json:"RetCodes"`
	}
	if err := decode("fortio", o.stdout, &r); err != nil {
		return claim{}, err
	}
	if r.QPS == nil {
		return claim{}, fmt.Errorf("parse fortio: %w: no field ActualQPS", errOutput)
	}
	c := claim{RPS: *r.QPS}
	c.statuses(r.Codes)
	for _, p := range r.Histogram.Percentiles {
		c.keep(p.Percentile, p.Value*float64(time.Second))
	}
	return c, nil
}

func parseOha(o output) (claim, error) {
	var r struct {
		Summary struct {
			RPS *float64 `json:"requestsPerSec"`
		} `json:"summary"`
		Percentiles map[string]float64 `json:"latencyPercentiles"` // seconds
		Codes       map[string]int64   `json:"statusCodeDistribution"`
		Errors      map[string]int64   `json:"errorDistribution"`
	}
	if err := decode("oha", o.stdout, &r); err != nil {
		return claim{}, err
	}
	if r.Summary.RPS == nil {
		return claim{}, fmt.Errorf("parse oha: %w: no field summary.requestsPerSec", errOutput)
	}
	c := claim{RPS: *r.Summary.RPS}
	c.statuses(r.Codes)
	for kind, n := range r.Errors {
		if !strings.Contains(kind, "deadline") { // cut off by the end of the run
			c.Failed += n
		}
	}
	return c, c.keepMap("oha", r.Percentiles, "p", "", time.Second)
}

// parseK6 reads the file of --summary-export.
func parseK6(o output) (claim, error) {
	type metric = map[string]any
	var r struct {
		Metrics map[string]metric `json:"metrics"`
	}
	if err := decode("k6", o.file, &r); err != nil {
		return claim{}, err
	}
	count, ok := r.Metrics["http_reqs"]["count"].(float64)
	rate, ok2 := r.Metrics["http_reqs"]["rate"].(float64)
	if !ok || !ok2 {
		return claim{}, fmt.Errorf("parse k6: %w: metrics.http_reqs has no count and rate", errOutput)
	}
	c := claim{Requests: int64(count), RPS: rate}
	if failed, ok := r.Metrics["http_req_failed"]["passes"].(float64); ok {
		c.Failed = int64(failed)
	}
	times := map[string]float64{} // milliseconds
	for key, value := range r.Metrics["http_req_duration"] {
		if v, ok := value.(float64); ok {
			times[key] = v
		}
	}
	return c, c.keepMap("k6", times, "p(", ")", time.Millisecond)
}
