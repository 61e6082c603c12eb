package rule

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metricsql"
)

const supported = "supported is avg_over_time(NAME[60s]) compared by > >= < <= with a number"

// maxExprBytes bounds an expression; the parser recurses.
const maxExprBytes = 4096

// parseExpr fills the fields of r that an expression decides.
func (r *Rule) parseExpr(text string) error {
	if len(text) > maxExprBytes {
		return fmt.Errorf("expression has %d bytes; at most %d are allowed", len(text), maxExprBytes)
	}
	r.Expr = strings.TrimSpace(text)
	// The parser expands templates while it reads, in time and memory that double
	// with each definition: they are refused before it sees them.
	if template.MatchString(text) {
		return fmt.Errorf("expression %s is not supported: WITH templates are not known here; %s", shorten(r.Expr), supported)
	}
	tree, err := metricsql.Parse(text)
	if err != nil {
		return fmt.Errorf("expression %s: %s", shorten(r.Expr), firstLine(err.Error()))
	}
	if err := r.fromTree(tree); err != nil {
		return fmt.Errorf("expression %s is not supported: %w; %s", shorten(r.Expr), err, supported)
	}
	return nil
}

// template finds the keyword wherever it is not the name of an averaged metric.
var template = regexp.MustCompile(`(?i)\bwith\b\s*[^\s\[]`)

func (r *Rule) fromTree(tree metricsql.Expr) error {
	comparison, ok := tree.(*metricsql.BinaryOpExpr)
	if !ok {
		return errors.New("it compares nothing")
	}
	if _, ok := comparison.Right.(*metricsql.FuncExpr); ok {
		return errors.New("the number stands on the left; turn the comparison round")
	}
	function, ok := comparison.Left.(*metricsql.FuncExpr)
	if !ok || function.Name != "avg_over_time" || len(function.Args) != 1 {
		return errors.New("the left side is not avg_over_time of one range")
	}
	rollup, ok := function.Args[0].(*metricsql.RollupExpr)
	if !ok || rollup.Window == nil {
		return errors.New("the range in brackets is missing")
	}
	metric, ok := rollup.Expr.(*metricsql.MetricExpr)
	if !ok || len(metric.LabelFilterss) != 1 || len(metric.LabelFilterss[0]) != 1 || metric.LabelFilterss[0][0].Label != "__name__" {
		return errors.New("labels and subqueries are not known here")
	}
	number, ok := comparison.Right.(*metricsql.NumberExpr)
	if !ok || math.IsInf(number.N, 0) || math.IsNaN(number.N) {
		return errors.New("the right side is not a number")
	}
	return r.set(metric.LabelFilterss[0][0].Value, rollup.Window, comparison.Op, number)
}

// numberForm leaves out what only the parser's own dialect has: 80Ki, 1_000, 0x50.
var numberForm = regexp.MustCompile(`^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`)

var comparisons = map[string]bool{">": true, ">=": true, "<": true, "<=": true}

func (r *Rule) set(metric string, window *metricsql.DurationExpr, op string, number *metricsql.NumberExpr) (err error) {
	if !comparisons[op] {
		return fmt.Errorf("operator %s is not one of > >= < <=", op)
	}
	width := string(window.AppendString(nil))
	if r.Window, err = duration(width); err != nil {
		return err
	}
	if r.Window == 0 {
		return errors.New("the range is empty")
	}
	threshold := string(number.AppendString(nil))
	if !numberForm.MatchString(threshold) {
		return fmt.Errorf("number %s is not a plain decimal number", shorten(threshold))
	}
	r.Metric, r.Op, r.Threshold = metric, op, number.N
	// Whatever else the text holds (offset, @, bool, WITH, keep_metric_names, …) would
	// be dropped without a word: so the text must be what was understood, no more.
	understood := fmt.Sprintf("avg_over_time(%s[%s])%s%s", metric, width, op, threshold)
	if withoutSpace(r.Expr) != withoutSpace(understood) {
		return errors.New("it holds more than the plain form")
	}
	return nil
}

func withoutSpace(s string) string { return strings.Join(strings.Fields(s), "") }

var durationForm = regexp.MustCompile(`^(?:([0-9]+)(ms|[smhdwy]))+$`)
var durationPart = regexp.MustCompile(`([0-9]+)(ms|[smhdwy])`)

var units = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
}

// maxDuration is a hundred years: enough for any rule, far from overflow.
const maxDuration = 100 * 365 * 24 * time.Hour

// duration parses Prometheus' form: 60s, 1m30s, 500ms, 0.
func duration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if !durationForm.MatchString(text) {
		return 0, fmt.Errorf("duration %s is not of the form 60s, 5m or 1h30m", shorten(text))
	}
	var total time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseInt(part[1], 10, 64)
		if err != nil || n > int64(maxDuration/units[part[2]]) {
			return 0, fmt.Errorf("duration %s is too long", shorten(text))
		}
		if total += time.Duration(n) * units[part[2]]; total > maxDuration {
			return 0, fmt.Errorf("duration %s is too long", shorten(text))
		}
	}
	return total, nil
}

// shorten quotes input for an error message.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return strconv.Quote(s)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
