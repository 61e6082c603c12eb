// Package rule reads alerting rules in Prometheus' rule-file format. What it does not
// support it refuses, with the position: a rule that is silently ignored is worse than
// a server that does not start.
package rule

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"phase0/server/alerting"
	"phase0/server/query"
	"phase0/server/sample"
)

// Func is what a rule makes of the samples of a window. All are those of GET /query:
// Quantile is nearest rank, Stddev that of the population, and Rate the change per second
// from the first sample to the last, without a correction for counters that start again.
type Func int

// Functions. Absent is the one that is true of no samples, of any series.
const (
	Avg Func = iota
	Min
	Max
	Sum
	Count
	Rate
	Stddev
	Quantile
	Absent
)

var funcNames = [...]string{
	Avg: "avg", Min: "min", Max: "max", Sum: "sum", Count: "count", Rate: "rate", Stddev: "stddev", Quantile: "quantile", Absent: "absent",
}

// String returns the name without its _over_time.
func (f Func) String() string { return funcNames[f] }

// Rule compares a figure about the samples of each series over a window with a threshold.
type Rule struct {
	// Group is the name of the group that the rule stands in.
	Group string
	// Alert is the rule's name.
	Alert string
	// Metric is the exact name of the samples.
	Metric string
	// Matchers are conditions on the labels of a series.
	Matchers []query.Matcher
	Func     Func
	// Quantile is in [0, 1], for the function of this name.
	Quantile float64
	// Window is how far back samples count: those in (t − Window, t] at time t.
	Window time.Duration
	// Op is one of > >= < <= == !=, "" for Absent, which compares nothing.
	Op        string
	Threshold float64
	// For is how long the rule must have been true before it fires.
	For time.Duration
	// KeepFiringFor is how long it goes on firing when it is not true any more.
	KeepFiringFor time.Duration
	Labels        map[string]string
	Annotations   map[string]string
	// Expr is the expression as it was written.
	Expr string

	absent map[string]string // labels of an alert about absence, those that matchers fix
}

// Seed returns the three rules of the seed.
func Seed() []Rule {
	return []Rule{
		seed("HighCPUUsage", "cpu_usage", 80, time.Minute),
		seed("HighMemoryUsage", "memory_usage", 90, time.Minute),
		seed("HighErrorRate", "error_rate", 5, 30*time.Second),
	}
}

func seed(name, metric string, threshold float64, window time.Duration) Rule {
	return Rule{Group: "seed", Alert: name, Metric: metric, Window: window, Op: ">", Threshold: threshold,
		Expr: fmt.Sprintf("avg_over_time(%s[%s]) > %g", metric, seconds(window), threshold)}
}

// True reports whether value is on the alerting side of the threshold. NaN, of which
// nothing is true, stands for no samples; only != would hold of it.
func (r *Rule) True(value float64) bool {
	switch r.Op {
	case ">":
		return value > r.Threshold
	case ">=":
		return value >= r.Threshold
	case "<":
		return value < r.Threshold
	case "<=":
		return value <= r.Threshold
	case "==":
		return value == r.Threshold
	case "!=":
		return value < r.Threshold || value > r.Threshold
	default:
		return true
	}
}

// Matches reports whether a series of the rule's metric is one of the rule's.
func (r *Rule) Matches(labels sample.Labels) bool {
	for i := range r.Matchers {
		if !r.Matchers[i].Matches(labels) {
			return false
		}
	}
	return true
}

// Identity tells rules apart: two that have the same identity do the same.
func (r *Rule) Identity() string {
	return fmt.Sprintf("%q %q %q %v %v %q %q", r.Group, r.Alert, r.Expr, r.For, r.KeepFiringFor, r.Labels, r.Annotations)
}

// Shown returns what GET /api/v1/rules tells of r.
func (r *Rule) Shown() alerting.RuleState {
	return alerting.RuleState{
		Group: r.Group, Name: r.Alert, Expr: r.Expr, For: r.For, KeepFiringFor: r.KeepFiringFor, Labels: r.Labels, Annotations: r.Annotations,
	}
}

// SeriesLabels returns the labels that a template sees as $labels, those of the series;
// for an alert about absence those that its matchers fix.
func (r *Rule) SeriesLabels(series sample.Labels) map[string]string {
	if r.Func == Absent {
		return r.absent
	}
	return maps.Collect(series.All())
}

// LabelsOf returns the labels of the alert that r raises about a series: those of the
// series, those of the rule, which win, and alertname. One that is empty is none. What is
// beyond the limits of a rule is cut off.
func (r *Rule) LabelsOf(series map[string]string, value float64) map[string]string {
	labels := make(map[string]string, len(series)+len(r.Labels)+1)
	maps.Copy(labels, series)
	expandAll(labels, r.Labels, value, series, maxLabelBytes)
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	labels["alertname"] = r.Alert
	return labels
}

// AnnotationsOf returns the annotations of the alert that r raises, within the limits of a
// rule.
func (r *Rule) AnnotationsOf(series map[string]string, value float64) map[string]string {
	annotations := make(map[string]string, len(r.Annotations))
	expandAll(annotations, r.Annotations, value, series, maxExpanded)
	return annotations
}

// Describe prints a rule as the seed does, cpu_usage > 80.0 (window: 60s), and what the
// seed does not know as Summary does.
func Describe(r *Rule) string {
	metric := alerting.Printable(r.Metric)
	if r.Func != Avg || len(r.Matchers) > 0 {
		metric = alerting.Printable(strings.Join(strings.Fields(r.Expr), " "))
		return fmt.Sprintf("%s (window: %s)", metric, seconds(r.Window))
	}
	return fmt.Sprintf("%s %s %s (window: %s)", metric, r.Op, r.number(r.Threshold), seconds(r.Window))
}

// Summary prints an alert as the seed does: cpu_usage avg(60s) > 80.0 (current: 85.0).
// Labels follow the name as in Prometheus: cpu_usage{host="a"}.
func Summary(r *Rule, series map[string]string, value float64) string {
	metric := alerting.Printable(r.Metric) + braced(series)
	switch r.Func {
	case Absent:
		return fmt.Sprintf("%s absent(%s)", metric, seconds(r.Window))
	case Quantile:
		return fmt.Sprintf("%s p%s(%s) %s %s (current: %s)", metric, strconv.FormatFloat(100*r.Quantile, 'g', 10, 64), seconds(r.Window), r.Op, r.number(r.Threshold), r.number(value))
	default:
		return fmt.Sprintf("%s %v(%s) %s %s (current: %s)", metric, r.Func, seconds(r.Window), r.Op, r.number(r.Threshold), r.number(value))
	}
}

// braced prints labels, which come from whoever sends samples, on one line, and of many the
// first.
func braced(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	parts := bounded{bytes: maxSummaryLabels, json: math.MaxInt}
	for i, name := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			parts.add(",")
		}
		parts.add(name + "=" + strconv.QuoteToGraphic(labels[name]))
	}
	return "{" + string(parts.text) + "}"
}

// number prints one decimal, as in the seed, or as many as the threshold has, so that
// a value just above 0.05 is not shown as 0.1.
func (r *Rule) number(v float64) string {
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e15) {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	_, decimals, _ := strings.Cut(strconv.FormatFloat(r.Threshold, 'f', -1, 64), ".")
	return strconv.FormatFloat(v, 'f', min(max(1, len(decimals)), 6), 64)
}

// seconds prints a duration of whole seconds as 60s, not 1m0s.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
