package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"phase0/loadgen/record"
)

// ticksPerHalf is how many rows there are for each halving of the distance to
// 100 %, as in the files of other HdrHistogram tools.
const ticksPerHalf = 5

// subBuckets is how many buckets of equal width a histogram of three digits has
// for each doubling of the value.
const subBuckets = 2048

// WriteHDR writes the completely observed part of a distribution as HdrHistogram's
// percentile distribution text (.hgrm), values in milliseconds. Its viewers pass
// over lines that begin with '#': those at the top hold the title and how many
// observations are missing.
//
// The library's own PercentilesPrint is not used because it rounds to a
// microsecond, which is several per cent of a short service time.
func WriteHDR(w io.Writer, title string, d record.Distribution) error {
	h, err := d.Histogram()
	if err != nil {
		return fmt.Errorf("write percentile distribution: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, in milliseconds\n", oneLine(title))
	writeMissing(&b, d)
	fmt.Fprintf(&b, "%13s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")
	for _, row := range h.CumulativeDistributionWithTicks(ticksPerHalf) {
		quantile := row.Quantile / 100
		// A blank comes first, however wide the number: some viewers insist.
		fmt.Fprintf(&b, " %12.6f %2.12f %10d %14s\n", milliseconds(row.ValueAt), quantile, row.Count, inverse(quantile))
	}
	writeMoments(&b, h)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write percentile distribution: %w", err)
	}
	return nil
}

func writeMissing(b *strings.Builder, d record.Distribution) {
	fmt.Fprintf(b, "# %d observations", d.Count)
	if d.Censored > 0 {
		fmt.Fprintf(b, "; %d of %d are missing, since no answer was seen before they were given up",
			d.Censored, d.Count+d.Censored)
	}
	b.WriteString("\n")
	if d.Overflow > 0 {
		fmt.Fprintf(b, "# %d are longer than the histogram reaches and count at its end\n", d.Overflow)
	}
}

// inverse is 1 ÷ (1 − quantile). Infinity is spelt as in C, which the plotter
// takes for no number: it leaves out the row, which has no place on its axis.
func inverse(quantile float64) string {
	if v := 1 / (1 - quantile); !math.IsInf(v, 0) {
		return fmt.Sprintf("%.2f", v)
	}
	return "inf"
}

func writeMoments(b *strings.Builder, h *hdr.Histogram) {
	buckets := len(h.Export().Counts)/(subBuckets/2) - 1
	fmt.Fprintf(b, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", h.Mean()/1e6, h.StdDev()/1e6)
	fmt.Fprintf(b, "#[Max     = %12.6f, Total count    = %12d]\n", milliseconds(h.Max()), h.TotalCount())
	fmt.Fprintf(b, "#[Buckets = %12d, SubBuckets     = %12d]\n", buckets, subBuckets)
}

func milliseconds(ns int64) float64 { return float64(ns) / 1e6 }

// oneLine makes text fit for a format of lines.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
