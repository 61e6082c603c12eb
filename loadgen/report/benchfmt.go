package report

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"phase0/loadgen/record"
)

// WriteBench writes a result in Go's benchmark format, which benchstat reads: one
// line for the run. Files of several runs may be concatenated; each sets all keys
// of the configuration anew.
//
// What differs between repetitions of a measurement (run id, time, seed, reasons
// of the verdict) stands in lines that benchstat ignores, because it compares only
// results whose configuration is the same. Engine, model and rate are keys of the
// name, for -col and -filter. Runs of different verdict do not mix, unless
// benchstat is told to -ignore verdict.
func WriteBench(w io.Writer, r record.Result) error {
	var b strings.Builder
	writeNotes(&b, r)
	writeConfig(&b, r)
	rows := measures(r)
	for _, m := range rows {
		fmt.Fprintf(&b, "Unit %s better=%s\n", m.unit, m.better)
	}
	b.WriteString("\n")
	writeLeftOut(&b, rows)
	fmt.Fprintf(&b, "%s %d", benchName(r), r.Accounting.Sent)
	for _, m := range rows {
		if m.missing == "" {
			fmt.Fprintf(&b, " %s %s", number(m.value), m.unit)
		}
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write benchmark line: %w", err)
	}
	return nil
}

// writeNotes writes what benchstat ignores.
func writeNotes(b *strings.Builder, r record.Result) {
	fmt.Fprintf(b, "# run %s, started %s, seed %d, loadgen %s, %s\n", oneLine(r.RunID),
		r.Start.UTC().Format(time.RFC3339), r.Seed, oneLine(r.ToolVersion), oneLine(r.Generator.GoVersion))
	if len(r.MergedFrom) > 0 {
		fmt.Fprintf(b, "# merged from %s\n", oneLine(strings.Join(r.MergedFrom, ", ")))
	}
	for _, reason := range r.Verdict.Reasons {
		fmt.Fprintf(b, "# %s: %s\n", r.Verdict.Level, oneLine(reason))
	}
}

// writeConfig writes every key, also without a value: that removes it if an
// earlier run of the same file had one.
func writeConfig(b *strings.Builder, r record.Result) {
	goos, goarch, _ := strings.Cut(r.Generator.Platform, "/")
	for _, kv := range [][2]string{
		{"goos", goos},
		{"goarch", goarch},
		{"url", r.URL},
		{"method", r.Method},
		{"connections", strconv.Itoa(r.Connections.Allowed)},
		{"keep-alive", strconv.FormatBool(r.KeepAlive)},
		{"timeout", seconds(r.TimeoutSeconds)},
		{"verdict", string(r.Verdict.Level)},
	} {
		fmt.Fprintf(b, "%s: %s\n", kv[0], oneLine(kv[1]))
	}
}

// measure is a value with its unit, or the reason why there is none.
type measure struct {
	unit, better string
	value        float64
	missing      string
}

// measures returns the columns. rps is the goodput; err/op the share of the
// scheduled requests that were not accepted, for whatever reason; cpu-ns/req the
// generator's CPU time per request sent.
func measures(r record.Result) []measure {
	a, d := r.Accounting, r.ResponseTime
	out := []measure{{unit: "rps", better: "higher", value: r.AcceptedRPS}}
	for _, row := range []struct {
		unit     string
		quantile float64
	}{{"p50-ns", 0.5}, {"p99-ns", 0.99}, {"p999-ns", 0.999}} {
		p, ok := d.At(row.quantile)
		if !ok {
			p.Unavailable = "is not in the result"
		}
		out = append(out, percentile(row.unit, p))
	}
	return append(out, percentile("max-ns", d.Max),
		share("err/op", float64(a.Scheduled-a.Accepted), a.Scheduled, "requests scheduled"),
		share("cpu-ns/req", 1e9*r.Generator.CPUSeconds, a.Sent, "requests sent"))
}

func percentile(unit string, p record.Percentile) measure {
	m := measure{unit: unit, better: "lower", value: float64(p.NS), missing: p.Unavailable}
	if p.AtLeast {
		m.missing = fmt.Sprintf("is %d or more: how long the censored requests would have taken is not known", p.NS)
	}
	return m
}

func share(unit string, part float64, of int64, what string) measure {
	if of == 0 {
		return measure{unit: unit, better: "lower", missing: "no " + what}
	}
	return measure{unit: unit, better: "lower", value: part / float64(of)}
}

// writeLeftOut says in ignored lines why units are not in the benchmark line. A
// lower bound must not go in: benchstat would take it for the value.
func writeLeftOut(b *strings.Builder, rows []measure) {
	for _, m := range rows {
		if m.missing != "" {
			fmt.Fprintf(b, "# left out: %s %s\n", m.unit, m.missing)
		}
	}
}

func benchName(r record.Result) string {
	name := "BenchmarkLoad/engine=" + nameValue(r.Engine) + "/model=" + nameValue(r.Model)
	if r.OfferedRPS > 0 {
		name += "/rate=" + number(math.Round(r.OfferedRPS*1000)/1000)
	}
	return name
}

// hyphenNumber is what benchstat takes for GOMAXPROCS at the end of a name.
var hyphenNumber = regexp.MustCompile(`-(\d+)$`)

// nameValue makes text fit for a value in a benchmark's name.
func nameValue(text string) string {
	text = strings.Join(strings.Fields(text), "_")
	text = strings.ReplaceAll(text, "/", "_")
	text = hyphenNumber.ReplaceAllString(text, "_$1")
	if text == "" {
		return "unknown"
	}
	return text
}

// number never uses an exponent, and six significant digits unless the number is
// longer before the point.
func number(v float64) string {
	digits := 0
	if v != 0 {
		digits = max(0, 6-int(math.Ceil(math.Log10(math.Abs(v)))))
	}
	text := strconv.FormatFloat(v, 'f', min(digits, 12), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
