package slo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits of what Parse accepts.
const (
	maxObjectives = 16
	maxTime       = 24 * time.Hour
)

// Parse reads objectives, separated by commas, such as "p99<20ms,err<0.1%".
// Each is a metric, an operator and a limit:
//
//	p50 p90 p95 p99 p99.9 p99.99 max   < <=   a duration above 0 up to 24h
//	err                                < <=   a share: 0.1% or 0.001
//	rate                               > >=   a share: 99.5% or 0.995
//
// Shares are exact to 0.0001 %. There are 1 to 16 objectives, at most one for
// each metric. An error names the part that cannot be read and what can.
func Parse(s string) ([]Objective, error) {
	// One more than allowed is enough to know that there are too many.
	parts := strings.SplitN(s, ",", maxObjectives+1)
	if len(parts) > maxObjectives {
		return nil, fmt.Errorf("parse objectives: more than %d", maxObjectives)
	}
	objectives := make([]Objective, 0, len(parts))
	for i, part := range parts {
		o, err := parseOne(part)
		if err == nil && has(objectives, o.Metric()) {
			err = fmt.Errorf("%s has an objective already", o.Metric())
		}
		if err != nil {
			return nil, fmt.Errorf("parse objectives: part %d, %.40q: %w", i+1, part, err)
		}
		objectives = append(objectives, o)
	}
	return objectives, nil
}

func has(objectives []Objective, metric string) bool {
	for _, o := range objectives {
		if o.Metric() == metric {
			return true
		}
	}
	return false
}

func parseOne(part string) (Objective, error) {
	at := strings.IndexAny(part, "<>=")
	if at < 0 {
		return Objective{}, fmt.Errorf("no operator; an objective is like p99<20ms, err<0.1%% or rate>99.5%%")
	}
	m, err := parseMetric(strings.TrimSpace(part[:at]))
	if err != nil {
		return Objective{}, err
	}
	size := 1
	if strings.HasPrefix(part[at+1:], "=") {
		size = 2
	}
	o := Objective{metric: m, operator: part[at : at+size]}
	if ops := m.operators(); o.operator != ops[0] && o.operator != ops[1] {
		return Objective{}, fmt.Errorf("operator %q; %s takes %s or %s", o.operator, m.name, ops[0], ops[1])
	}
	return o, o.parseLimit(strings.TrimSpace(part[at+size:]))
}

func parseMetric(name string) (metric, error) {
	var known []string
	for _, m := range metrics() {
		if m.name == name {
			return m, nil
		}
		known = append(known, m.name)
	}
	return metric{}, fmt.Errorf("metric %.20q; there are %s", name, strings.Join(known, ", "))
}

func (o *Objective) parseLimit(s string) (err error) {
	if o.metric.unit == Share {
		o.limit, err = parseShare(s)
	} else {
		o.limit, err = parseTime(s)
	}
	switch {
	case err != nil:
		return err
	case o.operator == "<" && o.limit == 0, o.operator == ">" && o.limit == perOne:
		return fmt.Errorf("nothing can be %s %s; use %s=", o.operator, s, o.operator)
	default:
		return nil
	}
}

func parseTime(s string) (int64, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > maxTime {
		return 0, fmt.Errorf("limit %.20q; it must be a duration above 0 up to %v, such as 20ms or 1.5s", s, maxTime)
	}
	return int64(d), nil
}

// parseShare returns parts per million.
func parseShare(s string) (int64, error) {
	number, percent := strings.CutSuffix(s, "%")
	scale := float64(perOne)
	if percent {
		scale /= 100
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	parts := v * scale
	if err != nil || !(parts >= 0 && parts <= perOne) {
		return 0, fmt.Errorf("limit %.20q; it must be a share from 0 to 1, such as 0.001, or a percentage, such as 0.1%%", s)
	}
	whole := math.Round(parts)
	// The difference is what decimal fractions lose in binary.
	if math.Abs(parts-whole) > 1e-6 {
		return 0, fmt.Errorf("limit %.20q is finer than 0.0001%%", s)
	}
	return int64(whole), nil
}
