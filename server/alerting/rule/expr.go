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

	"phase0/server/query"
)

const supported = "supported are avg, min, max, sum, count and stddev_over_time(NAME{label=\"value\"}[60s]), rate(NAME[60s]) and " +
	"quantile_over_time(0.99, NAME[60s]), compared by > >= < <= == != with a number, and absent_over_time(NAME[60s])"

// maxExprBytes bounds an expression; the parser recurses.
const maxExprBytes = 4096

// offsetError is an error about a byte of an expression.
type offsetError struct {
	error
	at int
}

func (e offsetError) Unwrap() error { return e.error }

// offsetOf returns the byte that an error is about, −1 for the whole expression.
func offsetOf(err error) int {
	var e offsetError
	if errors.As(err, &e) {
		return e.at
	}
	return -1
}

// parseExpr fills the fields of r that an expression decides.
func (r *Rule) parseExpr(text string) error {
	if len(text) > maxExprBytes {
		return fmt.Errorf("expression has %d bytes; at most %d are allowed", len(text), maxExprBytes)
	}
	r.Expr = strings.TrimSpace(text)
	refuse := func(err error) error {
		return fmt.Errorf("expression %s is not supported: %w; %s", shorten(r.Expr), err, supported)
	}
	bare := withoutStrings(text)
	if err := checkText(bare); err != nil {
		return refuse(err)
	}
	tree, err := metricsql.Parse(text)
	if err != nil {
		return offsetError{fmt.Errorf("expression %s: %s", shorten(r.Expr), firstLine(err.Error())), unparsedAt(text, err.Error())}
	}
	if err := r.fromTree(tree, withoutSelectors(bare)); err != nil {
		return refuse(err)
	}
	return nil
}

// unparsed is the end of an error of the parser: what it has not read.
var unparsed = regexp.MustCompile(`unparsed data(?: left)?: ("(?:[^"\\]|\\.)*")$`)

// unparsedAt returns where the parser stopped, −1 when it does not say.
func unparsedAt(text, message string) int {
	m := unparsed.FindStringSubmatch(message)
	if m == nil {
		return -1
	}
	rest, err := strconv.Unquote(m[1])
	if err != nil || !strings.HasSuffix(text, rest) {
		return -1
	}
	return len(text) - len(rest)
}

// withoutStrings returns text with a quote for each byte of a string.
func withoutStrings(text string) string {
	bare := []byte(text)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '#' {
			break // checkText refuses the rest
		}
		if c != '"' && c != '\'' && c != '`' {
			continue
		}
		begin := i
		for i++; i < len(text) && text[i] != c; i++ {
			if text[i] == '\\' && c != '`' {
				i++
			}
		}
		for j := begin; j <= i && j < len(bare); j++ {
			bare[j] = '"'
		}
	}
	return string(bare)
}

// withoutSelectors returns a text without strings with a space for each byte that braces and
// brackets hold, and for these and for parentheses.
func withoutSelectors(bare string) string {
	plain := []byte(bare)
	depth := 0
	for i, c := range plain {
		if c == '{' || c == '[' {
			depth++
		}
		if depth > 0 || c == '(' || c == ')' {
			plain[i] = ' '
		}
		if c == '}' || c == ']' {
			depth--
		}
	}
	return string(plain)
}

// template finds the keyword wherever it is not the name of a metric.
var template = regexp.MustCompile(`(?i)\bwith\b\s*[^\s\[{]`)

// checkText refuses what the parser must not see. It expands templates while it reads, in
// time and memory that double with each definition. Quotes must not hide one, so comments,
// in which a quote opens nothing, are refused as well.
func checkText(bare string) error {
	if at := strings.IndexByte(bare, '#'); at >= 0 {
		return offsetError{errors.New("comments are not known here; YAML has them"), at}
	}
	if found := template.FindStringIndex(bare); found != nil {
		return offsetError{errors.New("WITH templates are not known here"), found[0]}
	}
	return nil
}

// turned is the comparison with its sides exchanged.
var turned = map[string]string{">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}

// fromTree reads a parsed expression. The parser has computed what numbers amount to, so how
// they are written is looked up in its text without selectors.
func (r *Rule) fromTree(tree metricsql.Expr, plain string) error {
	if function, ok := tree.(*metricsql.FuncExpr); ok && function.Name == "absent_over_time" {
		return r.function(function, plain)
	}
	comparison, ok := tree.(*metricsql.BinaryOpExpr)
	if !ok {
		return errors.New("it compares nothing")
	}
	if turned[comparison.Op] == "" {
		return fmt.Errorf("operator %s is not one of > >= < <= == !=", comparison.Op)
	}
	left, right, op := comparison.Left, comparison.Right, comparison.Op
	_, onLeft := left.(*metricsql.NumberExpr)
	if onLeft {
		left, right, op = right, left, turned[op]
	}
	function, ok := left.(*metricsql.FuncExpr)
	if !ok {
		return errors.New("what is compared is no function of a range, such as avg_over_time(NAME[60s])")
	}
	number, ok := right.(*metricsql.NumberExpr)
	if !ok || math.IsInf(number.N, 0) || math.IsNaN(number.N) {
		return errors.New("it is not compared with a number")
	}
	if comparison.Bool || comparison.GroupModifier.Op != "" || comparison.JoinModifier.Op != "" || comparison.KeepMetricNames || comparison.FillLeft != nil || comparison.FillRight != nil {
		return errors.New("modifiers of a comparison are not known here")
	}
	beside, err := checkSides(plain, onLeft, number.N)
	if err != nil {
		return err
	}
	if err := r.function(function, beside); err != nil {
		return err
	}
	if r.Func == Absent {
		return errors.New("absent_over_time stands alone; it is true when there is no sample")
	}
	r.Op, r.Threshold = op, number.N
	return nil
}

var comparisonForm = regexp.MustCompile(`[<>=!]=|[<>]`)

// checkSides looks at how the number of a comparison is written, and returns the other side.
// What it returns begins where plain does, with spaces for the number.
func checkSides(plain string, onLeft bool, value float64) (other string, err error) {
	found := comparisonForm.FindAllStringIndex(plain, -1)
	if len(found) == 0 {
		return "", errors.New("it compares nothing")
	}
	begin, end := found[0][1], len(plain)
	other = plain[:found[0][0]]
	if onLeft {
		begin, end = 0, found[len(found)-1][0]
		other = strings.Repeat(" ", end) + plain[end:]
	}
	return other, checkNumber(plain, begin, end, value)
}

// numberForm leaves out what the parser would compute, 2*3, and what Prometheus does not know
// or reads in another way than people do: 80Ki, 1_000, 0x50, 010.
var numberForm = regexp.MustCompile(`^[-+]?\s*((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)

// checkNumber refuses a number between two bytes of plain that is not written as one.
func checkNumber(plain string, begin, end int, value float64) error {
	text := strings.TrimSpace(plain[begin:end])
	if numberForm.MatchString(text) {
		return nil
	}
	at := begin + strings.Index(plain[begin:end], text)
	return offsetError{fmt.Errorf("number %s is not a plain decimal number; write %s", shorten(text), strconv.FormatFloat(value, 'g', -1, 64)), at}
}

var functions = map[string]Func{
	"avg_over_time": Avg, "min_over_time": Min, "max_over_time": Max, "sum_over_time": Sum, "count_over_time": Count,
	"rate": Rate, "stddev_over_time": Stddev, "quantile_over_time": Quantile, "absent_over_time": Absent,
}

// function reads a function of a range; plain is its text.
func (r *Rule) function(f *metricsql.FuncExpr, plain string) error {
	function, ok := functions[f.Name]
	if !ok {
		return fmt.Errorf("function %s is not known here", shorten(f.Name))
	}
	if f.KeepMetricNames {
		return errors.New("keep_metric_names is not known here")
	}
	args := f.Args
	if r.Func = function; function == Quantile && len(args) == 2 {
		q, ok := args[0].(*metricsql.NumberExpr)
		if !ok || !(q.N >= 0 && q.N <= 1) {
			return errors.New("the quantile is not a number from 0 to 1")
		}
		name := strings.Index(plain, f.Name)
		comma := strings.IndexByte(plain, ',')
		if name < 0 || comma < name {
			return errors.New("the quantile is not a number from 0 to 1")
		}
		if err := checkNumber(plain, name+len(f.Name), comma, q.N); err != nil {
			return err
		}
		r.Quantile, args = q.N, args[1:]
	} else if function == Quantile || len(args) != 1 {
		return fmt.Errorf("%s has another number of arguments", f.Name)
	}
	rollup, ok := args[0].(*metricsql.RollupExpr)
	if !ok || rollup.Window == nil {
		return errors.New("the range in brackets is missing")
	}
	if rollup.Offset != nil || rollup.Step != nil || rollup.InheritStep || rollup.At != nil {
		return errors.New("offset, @ and subqueries are not known here")
	}
	var err error
	if r.Window, err = duration(string(rollup.Window.AppendString(nil))); err != nil {
		return err
	}
	if r.Window == 0 {
		return errors.New("the range is empty")
	}
	metric, ok := rollup.Expr.(*metricsql.MetricExpr)
	if !ok || len(metric.LabelFilterss) != 1 {
		return errors.New("the range is not one of a metric")
	}
	return r.selector(metric.LabelFilterss[0])
}

// maxMatchers bounds what is tried for each new series.
const maxMatchers = 32

func (r *Rule) selector(filters []metricsql.LabelFilter) error {
	if len(filters) > maxMatchers {
		return fmt.Errorf("it has more than %d matchers", maxMatchers)
	}
	named := 0
	for _, f := range filters {
		if f.Label == "__name__" {
			if named++; f.IsRegexp || f.IsNegative {
				return errors.New("the metric has no exact name")
			}
			r.Metric = f.Value
			continue
		}
		if err := r.match(f); err != nil {
			return err
		}
	}
	if named != 1 {
		return errors.New("the metric has no name, or several")
	}
	return nil
}

func (r *Rule) match(f metricsql.LabelFilter) error {
	op := [2][2]string{{"=", "=~"}, {"!=", "!~"}}[number(f.IsNegative)][number(f.IsRegexp)]
	m, err := query.ParseMatcher(f.Label + op + strconv.Quote(f.Value))
	if err != nil {
		return fmt.Errorf("matcher of label %s: %w", shorten(f.Label), err)
	}
	if op == "=" && f.Value != "" {
		if r.absent == nil {
			r.absent = map[string]string{}
		}
		r.absent[f.Label] = f.Value
	}
	r.Matchers = append(r.Matchers, m)
	return nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

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
