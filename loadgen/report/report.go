// Package report shows a run to people: the summary when it is over and the
// line that tells how it goes.
package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"phase0/loadgen/record"
	"phase0/loadgen/slo"
)

// Style says how to print.
type Style struct {
	Colour bool // with ANSI escapes
}

func (s Style) paint(code, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) level(l record.Level) string {
	switch l {
	case record.Valid:
		return s.paint("32", string(l))
	case record.Degraded:
		return s.paint("33", string(l))
	default:
		return s.paint("31", string(l))
	}
}

// Write prints the summary of a run. Objectives may be nil.
func Write(w io.Writer, r record.Result, objectives *slo.Outcome, s Style) error {
	var b strings.Builder
	writeHead(&b, r)
	writeRates(&b, r.Stream)
	writePercentiles(&b, r.Stream)
	if r.Queries != nil {
		fmt.Fprintf(&b, "\nbeside it  %s %s\n", r.Queries.Method, r.Queries.URL)
		writeRates(&b, *r.Queries)
		writePercentiles(&b, *r.Queries)
	}
	if r.Freshness != nil {
		b.WriteString("\n" + r.Freshness.Summary())
	}
	writeFoot(&b, r, s)
	if objectives != nil {
		b.WriteString(indent("objectives   ", objectives.String()))
	}
	if r.Verification != nil {
		b.WriteString(indent("verified     ", r.Verification.Summary()))
		writeExamples(&b, r.Verification.Examples)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

func writeHead(b *strings.Builder, r record.Result) {
	fmt.Fprintf(b, "%s %s   run %s\n", r.Method, r.URL, r.RunID)
	load := r.Model + " model"
	if r.OfferedRPS > 0 {
		load += fmt.Sprintf(", %s rps", rate(r.OfferedRPS))
	}
	if r.Profile != "" {
		load += " on average, profile " + r.Profile
	}
	if r.Arrivals == "poisson" {
		load += ", Poisson arrivals"
	}
	if r.Batch > 1 {
		load += fmt.Sprintf(", %d samples each", r.Batch)
	}
	if r.PlannedSeconds > 0 {
		load += fmt.Sprintf(", %s", seconds(r.PlannedSeconds))
	}
	if r.PlannedRequests > 0 {
		load += fmt.Sprintf(", %d requests", r.PlannedRequests)
	}
	if !r.KeepAlive {
		load += ", without keep-alive"
	}
	fmt.Fprintf(b, "%s, at most %d connections, timeout %s, engine %s\n",
		load, r.Connections.Allowed, seconds(r.TimeoutSeconds), r.Engine)
	if r.Interrupted {
		fmt.Fprintf(b, "interrupted after %s\n", seconds(r.ElapsedSeconds))
	}
}

func writeRates(b *strings.Builder, r record.Stream) {
	a := r.Accounting
	offered := "as fast as answers come"
	if r.OfferedRPS > 0 {
		offered = rate(r.OfferedRPS) + " rps"
	}
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "\noffered\t%s\tscheduled %d = %d sent + %d never sent\n",
		offered, a.Scheduled, a.Sent, a.NeverSent)
	fmt.Fprintf(t, "achieved\t%s rps\tsent %d = %d answered + %d timed out + %d failed + %d open\n",
		rate(r.AchievedRPS), a.Sent, a.Answered, a.TimedOut, a.Failed, a.Open)
	fmt.Fprintf(t, "accepted\t%s rps\tanswered %d = %s\n", rate(r.AcceptedRPS), a.Answered, sumOf(a.StatusClasses))
	_ = t.Flush() // a builder takes everything
	writeKinds(b, "status codes", odd(a.StatusCodes))
	writeKinds(b, "never sent", a.NeverSentKinds)
	writeKinds(b, "failed", a.FailedKinds)
}

// odd returns the status codes unless they are all 2xx.
func odd(codes map[string]int64) map[string]int64 {
	for code := range codes {
		if code[0] != '2' {
			return codes
		}
	}
	return nil
}

func writeKinds(b *strings.Builder, title string, counts map[string]int64) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:", title)
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(b, "  %s %d", k, counts[k])
	}
	b.WriteString("\n")
}

func sumOf(counts map[string]int64) string {
	if len(counts) == 0 {
		return "0"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[k], k))
	}
	return strings.Join(parts, " + ")
}

func writePercentiles(b *strings.Builder, r record.Stream) {
	rows := []struct {
		name string
		d    record.Distribution
	}{
		{"response time", r.ResponseTime},
		{"service time", r.ServiceTime},
		{"other answers", r.OtherResponseTime},
		{"send lag", r.SendLag},
		{"  own lateness", r.OwnLateness},
		{"  connection wait", r.ConnectionWait},
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\n\t")
	for _, p := range shown(r.ResponseTime) {
		fmt.Fprintf(t, "%s\t", p.Name)
	}
	fmt.Fprintln(t)
	for i, row := range rows {
		if i >= 2 && row.d.Count == 0 {
			continue
		}
		fmt.Fprintf(t, "%-17s\t", row.name)
		for _, p := range shown(row.d) {
			fmt.Fprintf(t, "%s\t", cell(p))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // a builder takes everything
	writeNeeds(b, r.ResponseTime)
}

// shown returns the columns: what is beyond p99.9 is for the JSON form.
func shown(d record.Distribution) []record.Percentile {
	columns := make([]record.Percentile, 0, 6)
	for _, p := range d.Percentiles {
		if p.Quantile <= 0.999 {
			columns = append(columns, p)
		}
	}
	return append(columns, d.Max)
}

// writeNeeds explains the first n/a.
func writeNeeds(b *strings.Builder, d record.Distribution) {
	for _, p := range shown(d) {
		if p.Unavailable != "" {
			fmt.Fprintf(b, "n/a: %s %s\n", p.Name, p.Unavailable)
			return
		}
	}
}

func writeFoot(b *strings.Builder, r record.Result, s Style) {
	g := r.Generator
	fmt.Fprintf(b, "\nconnections  %d at most, %d dials\n", r.Connections.Peak, r.Connections.Dials)
	if r.SendBoundNS > 0 {
		fmt.Fprintf(b, "wake-ups     requests due within %s of each other left together\n", duration(r.SendBoundNS))
	}
	perRequest := ""
	if n := r.Accounting.Sent; n > 0 {
		perRequest = fmt.Sprintf(", %.1f µs per request", 1e6*g.CPUSeconds/float64(n))
	}
	fmt.Fprintf(b, "generator    %.2f s CPU%s; GC paused %s\n", g.CPUSeconds, perRequest, duration(int64(g.GCPauseSeconds*1e9)))
	fmt.Fprintf(b, "verdict      %s", s.level(r.Verdict.Level))
	if r.Verdict.Bottleneck != "" {
		fmt.Fprintf(b, ", held back by the %s", r.Verdict.Bottleneck)
	}
	b.WriteString("\n")
	for _, reason := range r.Verdict.Reasons {
		fmt.Fprintf(b, "             %s\n", reason)
	}
}

// indent prints text with a title before its first line and blanks before the
// others.
func indent(title, text string) string {
	text = strings.TrimSuffix(text, "\n")
	return title + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(title))) + "\n"
}

func writeExamples(b *strings.Builder, e record.Examples) {
	for _, kind := range []struct {
		name     string
		examples []string
	}{{"lost", e.Lost}, {"duplicated", e.Duplicated}, {"phantom", e.Phantom}, {"zombie", e.Zombie}} {
		if len(kind.examples) > 0 {
			fmt.Fprintf(b, "             %s: %s\n", kind.name, strings.Join(kind.examples, ", "))
		}
	}
}

func cell(p record.Percentile) string {
	switch {
	case p.Unavailable != "":
		return "n/a"
	case p.AtLeast:
		return "≥ " + duration(p.NS)
	default:
		return duration(p.NS)
	}
}

// duration prints nanoseconds with three significant digits.
func duration(ns int64) string {
	for _, unit := range []struct {
		name string
		ns   float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		// What would round up to 1000 belongs to the next unit.
		if v := float64(ns) / unit.ns; v >= 0.9995 {
			return fmt.Sprintf("%.*f%s", decimals(v), v, unit.name)
		}
	}
	return fmt.Sprintf("%dns", ns)
}

func decimals(v float64) int {
	switch {
	case v >= 99.95:
		return 0
	case v >= 9.995:
		return 1
	default:
		return 2
	}
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func rate(rps float64) string {
	switch {
	case rps >= 1e5:
		return fmt.Sprintf("%.0f", rps)
	case rps >= 10 || rps == 0:
		return fmt.Sprintf("%.1f", rps)
	default:
		return fmt.Sprintf("%.2f", rps)
	}
}
