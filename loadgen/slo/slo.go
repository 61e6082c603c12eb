// Package slo checks a run against service level objectives: limits such as
// "p99<20ms,err<0.1%" that its result must keep. Parse reads objectives, Format
// writes them in canonical form, and Check compares a record.Result with them.
//
// An objective whose value is not known well enough is neither met nor missed,
// but unknown: a percentile of too few observations, or one of which only a
// lower bound below the limit is known.
//
// Nothing here keeps state; everything is safe for concurrent use.
package slo

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Unit says what a value counts. Its text is part of the JSON form.
type Unit string

// The units.
const (
	Nanoseconds Unit = "ns"
	Share       Unit = "share" // 0–1
)

// perOne is the resolution of shares: parts per million, so that a limit is a
// whole number and is written back as it was read.
const perOne = 1_000_000

// metric is something that an objective can limit.
type metric struct {
	name     string
	unit     Unit
	quantile float64 // of the response time; 0 for what is no percentile
	atLeast  bool    // the limit is a lower one
}

func metrics() [9]metric {
	return [...]metric{
		{name: "p50", unit: Nanoseconds, quantile: 0.5},
		{name: "p90", unit: Nanoseconds, quantile: 0.9},
		{name: "p95", unit: Nanoseconds, quantile: 0.95},
		{name: "p99", unit: Nanoseconds, quantile: 0.99},
		{name: "p99.9", unit: Nanoseconds, quantile: 0.999},
		{name: "p99.99", unit: Nanoseconds, quantile: 0.9999},
		{name: "max", unit: Nanoseconds},
		{name: "err", unit: Share},
		{name: "rate", unit: Share, atLeast: true},
	}
}

// operators returns the strict one and the one that includes the limit.
func (m metric) operators() [2]string {
	if m.atLeast {
		return [...]string{">", ">="}
	}
	return [...]string{"<", "<="}
}

// Objective is one limit. Objectives come from Parse; the zero value is none.
//
// The metrics are percentiles and the maximum of the response time of accepted
// answers; err, the share of the scheduled requests that were not accepted; and
// rate, the achieved rate as a share of the offered one.
type Objective struct {
	metric   metric
	operator string
	limit    int64 // ns, or parts per million of a share
}

// Metric returns the name of what is limited, such as "p99" or "err".
func (o Objective) Metric() string { return o.metric.name }

// String returns the canonical form, such as "p99<20ms" or "err<=0.1%".
func (o Objective) String() string {
	return o.metric.name + o.operator + o.metric.unit.limit(o.value())
}

// value is the limit in its unit.
func (o Objective) value() float64 {
	if o.metric.unit == Share {
		return float64(o.limit) / perOne
	}
	return float64(o.limit)
}

// Format returns the canonical form of objectives, which Parse reads.
func Format(objectives []Objective) string {
	parts := make([]string, len(objectives))
	for i, o := range objectives {
		parts[i] = o.String()
	}
	return strings.Join(parts, ",")
}

// limit prints a limit exactly.
func (u Unit) limit(v float64) string {
	if u == Share {
		return strconv.FormatFloat(math.Round(v*perOne)/(perOne/100), 'f', -1, 64) + "%"
	}
	return time.Duration(v).String()
}
