package parallel

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"phase0/server/query"
	"phase0/server/sample"
)

// However many labels there are and however long, a line costs no memory when nobody asks
// for them, neither in the index nor in a scan.
func TestManyLabelsCostNothing(t *testing.T) {
	for _, tc := range []struct{ sets, length int }{{4000, 10}, {4200, 10}, {20_000, 10}, {500, 1000}} {
		var text []byte
		for i := range tc.sets {
			labels := fmt.Sprintf(`{"host":"%0*d","zone":"eu"}`, tc.length, i)
			text = sample.AppendLine(text, sample.Sample{Name: "a", Value: 1, Timestamp: 1, Labels: sample.Labels(labels)})
		}
		var s scanner
		s.begin(query.Selector{Name: "nobody", End: math.MaxInt64}, formOf("nobody"), nil)
		if n := testing.AllocsPerRun(2, func() {
			if samples, skipped := s.lines(text, true); samples != uint32(tc.sets) || skipped != 0 {
				t.Errorf("%d samples, %d lines skipped", samples, skipped)
			}
		}); n > 0 {
			t.Errorf("%d sets of labels: a scan allocates %v times", tc.sets, n)
		}
		x := indexer{seed: newIndex(1).seed}
		if n := testing.AllocsPerRun(2, func() {
			for rest := text; len(rest) > 0; {
				rest = rest[x.line(rest):]
			}
		}); n > 0 {
			t.Errorf("%d sets of labels: the index allocates %v times", tc.sets, n)
		}
	}
}

// Lines over one name with n sets of labels in turn, in the ways in which they are looked at.
func BenchmarkLabels(b *testing.B) {
	for _, sets := range []int{10, 4000, 4200, 100_000} {
		for _, value := range []string{"", "é", strings.Repeat("x", 600)} {
			var text []byte
			for i := range 100_000 {
				labels := sample.Labels(fmt.Sprintf(`{"host":"%s%d"}`, value, i%sets))
				text = sample.AppendLine(text, sample.Sample{Name: "a", Value: 1, Timestamp: 1, Labels: labels})
			}
			for _, how := range []string{"aggregate", "match", "rows"} {
				b.Run(fmt.Sprintf("sets=%d/value=%.2s/%s", sets, value, how), func(b *testing.B) {
					sel := query.Selector{Name: "a", End: math.MaxInt64}
					if how == "match" {
						m, err := query.ParseMatcher(`host=~".*nobody"`)
						if err != nil {
							b.Fatal(err)
						}
						sel.Labels = []query.Matcher{m}
					}
					if how == "aggregate" {
						zero := -1.0
						sel.Max = &zero // what matches would be collected
					}
					var s scanner
					s.begin(sel, formOf("a"), nil)
					b.SetBytes(int64(len(text)))
					for b.Loop() {
						s.samples = s.samples[:0]
						s.lines(text, false)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/line")
				})
			}
		}
	}
}
