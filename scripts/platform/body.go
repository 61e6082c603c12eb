package main

import (
	"fmt"
	"strconv"
	"strings"
)

// protocol is how samples are written in a request's body.
type protocol int

const (
	jsonBody  protocol = iota // the platform's
	lineBody                  // InfluxDB's line protocol, which VictoriaMetrics takes as well
	generated                 // loadgen's own default body
)

// contentType names the body's type.
func (p protocol) contentType() string {
	if p == lineBody {
		return "text/plain"
	}
	return "application/json"
}

// template returns a body for loadgen, whose {{rand:N}} it fills with digits anew in
// each request. All protocols carry the same: a name, and a value of four digits; the
// server gives the time. Of several series a request holds each once when there are
// as many as samples; otherwise series are drawn at random. There must be a power of
// ten of them.
func (p protocol) template(s shape) string {
	samples := make([]string, s.samples)
	for i := range samples {
		if p == lineBody {
			samples[i] = fmt.Sprintf("%s value=1{{rand:3}}", seriesName(s, i))
		} else {
			samples[i] = fmt.Sprintf(`{"name":"%s","value":1{{rand:3}}}`, seriesName(s, i))
		}
	}
	switch {
	case p == lineBody:
		return strings.Join(samples, "\n")
	case s.samples == 1:
		return samples[0]
	}
	return `{"metrics":[` + strings.Join(samples, ",") + `]}`
}

func seriesName(s shape, i int) string {
	digits := len(strconv.Itoa(s.series)) - 1
	switch {
	case s.series == 1:
		return "cpu_usage"
	case s.series == s.samples:
		return fmt.Sprintf("cpu_%0*d", digits, i)
	}
	return fmt.Sprintf("cpu_{{rand:%d}}", digits)
}
