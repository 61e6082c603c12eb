// Package rule reads alerting rules in Prometheus' rule-file format. What it does not
// support it refuses, with the position: a rule that is silently ignored is worse than
// a server that does not start.
package rule

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Rule compares the average of a metric over a window with a threshold.
type Rule struct {
	// Alert is the rule's name.
	Alert string
	// Metric is the exact name of the samples averaged.
	Metric string
	// Window is how far back samples count: those in (t − Window, t] at time t.
	Window time.Duration
	// Op is one of > >= < <=.
	Op        string
	Threshold float64
	// For is how long the rule must have been true before it fires.
	For         time.Duration
	Labels      map[string]string
	Annotations map[string]string
	// Expr is the expression as it was written.
	Expr string
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
	return Rule{Alert: name, Metric: metric, Window: window, Op: ">", Threshold: threshold,
		Expr: fmt.Sprintf("avg_over_time(%s[%s]) > %g", metric, seconds(window), threshold)}
}

// True reports whether value is on the alerting side of the threshold.
func (r Rule) True(value float64) bool {
	switch r.Op {
	case ">":
		return value > r.Threshold
	case ">=":
		return value >= r.Threshold
	case "<":
		return value < r.Threshold
	default:
		return value <= r.Threshold
	}
}

// LabelsOf returns the labels of the alert that r raises.
func (r Rule) LabelsOf(value float64) map[string]string {
	labels := make(map[string]string, len(r.Labels)+1)
	for name, text := range r.Labels {
		labels[name] = Expand(text, value, nil)
	}
	labels["alertname"] = r.Alert
	return labels
}

// AnnotationsOf returns the annotations of the alert that r raises.
func (r Rule) AnnotationsOf(value float64) map[string]string {
	annotations := make(map[string]string, len(r.Annotations))
	for name, text := range r.Annotations {
		annotations[name] = Expand(text, value, nil)
	}
	return annotations
}

// Describe prints a rule as the seed does: cpu_usage > 80.0 (window: 60s).
func Describe(r Rule) string {
	return fmt.Sprintf("%s %s %s (window: %s)", printable(r.Metric), r.Op, r.number(r.Threshold), seconds(r.Window))
}

// Summary prints an alert as the seed does: cpu_usage avg(60s) > 80.0 (current: 85.0).
func Summary(r Rule, value float64) string {
	return fmt.Sprintf("%s avg(%s) %s %s (current: %s)", printable(r.Metric), seconds(r.Window), r.Op, r.number(r.Threshold), r.number(value))
}

// number prints one decimal, as in the seed, or as many as the threshold has, so that
// a value just above 0.05 is not shown as 0.1.
func (r Rule) number(v float64) string {
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

// printable keeps control characters away from terminals.
func printable(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	return quoted[1 : len(quoted)-1]
}

var (
	templates = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	valueForm = regexp.MustCompile(`^\{\{\s*\$value\s*\}\}$`)
	labelForm = regexp.MustCompile(`^\{\{\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}$`)
)

// Expand replaces {{ $value }} and {{ $labels.NAME }} in the text of an annotation or
// a label. As in Prometheus labels are those of the series, not of the rule, and one
// that is not there is empty. Parse has refused all other templates.
func Expand(text string, value float64, labels map[string]string) string {
	return templates.ReplaceAllStringFunc(text, func(template string) string {
		if valueForm.MatchString(template) {
			return strconv.FormatFloat(value, 'g', -1, 64)
		}
		if m := labelForm.FindStringSubmatch(template); m != nil {
			return labels[m[1]]
		}
		return template
	})
}

// checkTemplates refuses what Expand does not replace.
func checkTemplates(text string) error {
	for _, template := range templates.FindAllString(text, -1) {
		if !valueForm.MatchString(template) && !labelForm.MatchString(template) {
			return fmt.Errorf("template %s is not supported; supported are {{ $value }} and {{ $labels.NAME }}", shorten(template))
		}
	}
	if strings.Contains(templates.ReplaceAllString(text, ""), "{{") {
		return errors.New("template {{ is not closed by }}")
	}
	return nil
}
