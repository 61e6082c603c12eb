package parallel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/query/scan"
	"phase0/server/sample"
	"phase0/server/storage"
)

// fileStore opens one path.
type fileStore string

func (f fileStore) Open() (storage.View, error) { return storage.OpenView(disk.OS{}, string(f)) }

// generator makes files with everything that a file may hold.
type generator struct{ *rand.Rand }

// names that need escapes, that begin alike, and that are long.
var names = []string{"a", "ab", "b", "cpu_usage", "cpu_usagf", "é", "é😀", `q"`, `back\slash`, "nl\n", "sep\u2028", "a b", "\x7f", strings.Repeat("long", 256)}

// labels are in the form in which samples hold them.
var labels = []sample.Labels{"", "", `{"host":"a"}`, `{"host":"b","zone":"eu"}`, `{"host":"}\"}","zone":"é"}`, `{"zone":"us\u000a"}`}

// foreignLabels are valid, but not in that form, or not valid.
var foreignLabels = []string{`{}`, `{"zone":"eu","host":"b"}`, `{ "host":"a"}`, `{"host":"\u0061"}`, `{"host":1}`, `{"host":"a"`, `[]`, `{"host":"a","host":"b"}`, `{"host":""}`, `{"1":"a"}`, `{"host":"a"},"x":{}`, `{"host":"a"} `, ``}

func (g generator) name() string { return names[g.IntN(len(names))] }

func (g generator) value() float64 {
	switch g.IntN(6) {
	case 0:
		return math.Copysign(0, float64(g.IntN(3)-1))
	case 1:
		return float64(g.IntN(200) - 100)
	case 2:
		return float64(g.IntN(2_000_000)-1_000_000) / 1000
	case 3:
		return []float64{math.MaxFloat64, -math.MaxFloat64, 5e-324, 1e21, -1e-7, 1 << 53, 1<<53 + 2}[g.IntN(7)]
	default:
		return g.NormFloat64() * math.Pow(10, float64(g.IntN(40)-20))
	}
}

// time is mostly in order and around 1,000 for each thousandth line.
func (g generator) time(i int) int64 {
	switch g.IntN(50) {
	case 0:
		return g.Int64N(1 << 40)
	case 1:
		return []int64{0, math.MaxInt64, 1 << 53}[g.IntN(3)]
	default:
		return int64(i) + g.Int64N(10)
	}
}

func (g generator) line(i int) string {
	s := sample.Sample{Name: g.name(), Value: g.value(), Timestamp: g.time(i), Labels: labels[g.IntN(len(labels))]}
	line := strings.TrimSuffix(string(sample.AppendLine(nil, s)), "\n")
	switch g.IntN(30) {
	case 0:
		return line[:g.IntN(len(line))]
	case 1:
		return fmt.Sprintf(`{ "timestamp": %d.0, "value": %v, "name": %q }`, s.Timestamp, s.Value, "a")
	case 2:
		return fmt.Sprintf(`{"name":"\u0061","value":%vE0,"timestamp":%d}`, s.Value, s.Timestamp) + "\r"
	case 3:
		return strings.Repeat("x", g.IntN(3000))
	case 4:
		return []string{"", " \t", "\x00\x00", "\xff", "[]", "# comment", `{"name":"a","value":1e999,"timestamp":1}`, `{"name":"a","value":01,"timestamp":1}`,
			`{"name":"a","value":1,"timestamp":1,"name":"a"}`, `{"name":"a\xff","value":1,"timestamp":1}`, `{"name":"a","value":-,"timestamp":1}`,
			`{"name":"a","value":,"timestamp":1}`, `{"name":"a","value":1.,"timestamp":1}`, `{"name":"a","value":1,"timestamp":-1}`, `{"name":"a","value":1,"timestamp":00}`,
			`{"name":"a","value":1,"timestamp":9223372036854775808}`, `{"name":" ","value":1,"timestamp":1}`, `{"name":"a","value":1,"timestamp":1}}`}[g.IntN(18)]
	case 5:
		i := g.IntN(len(line))
		return line[:i] + string(rune(g.IntN(128))) + line[i+1:]
	case 6:
		return fmt.Sprintf(`{"name":%q,"value":1,"timestamp":%d,"labels":%s}`, []string{"a", "b"}[g.IntN(2)], s.Timestamp, foreignLabels[g.IntN(len(foreignLabels))])
	}
	return line
}

// file writes lines up to about size bytes; now and then a very long one.
func (g generator) file(size int) []byte {
	var text []byte
	for i := 0; len(text) < size; i++ {
		if g.IntN(4000) == 0 {
			n := sample.MaxLineBytes + g.IntN(3) - 1
			if g.IntN(2) == 0 {
				n = g.IntN(3 * sample.MaxLineBytes)
			}
			long := `{"name":"a","value":1,"timestamp":5}`
			text = append(text, long...)
			text = append(text, slices.Repeat([]byte{' '}, max(0, n-len(long)-1))...)
			text = append(text, '\n')
		}
		text = append(append(text, g.line(i)...), '\n')
	}
	if g.IntN(2) == 0 {
		text = text[:len(text)-g.IntN(min(60, len(text)))]
	}
	return text
}

var matchers = []string{`host=a`, `host!="a"`, `host=`, `zone!=`, `host=~"a|b"`, `zone!~e.*`, `host="}\""`, `none=""`, `zone="us\n"`}

func (g generator) selector() query.Selector {
	sel := query.Selector{Name: g.name(), End: math.MaxInt64}
	if g.IntN(4) > 0 {
		sel.Start = g.Int64N(6000)
		sel.End = sel.Start + g.Int64N(3000)
	}
	if g.IntN(4) == 0 {
		low, high := g.value(), g.value()
		low, high = min(low, high), max(low, high)
		sel.Min, sel.Max = &low, &high
	}
	for g.IntN(3) == 0 {
		m, err := query.ParseMatcher(matchers[g.IntN(len(matchers))])
		if err != nil {
			panic(err)
		}
		sel.Labels = append(sel.Labels, m)
	}
	if g.IntN(20) == 0 {
		sel.Name = []string{"", " ", "a\xff", "nobody", strings.Repeat("x", 2000)}[g.IntN(5)]
	}
	return sel
}

func rows(t *testing.T, e query.Engine, sel query.Selector) ([]sample.Sample, query.Stats) {
	t.Helper()
	var got []sample.Sample
	stats, err := e.Select(t.Context(), sel, func(s sample.Sample) bool {
		got = append(got, s)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, stats
}

// same compares bit for bit: −0 is not 0.
func same(a, b sample.Sample) bool {
	return math.Float64bits(a.Value) == math.Float64bits(b.Value) && a == b
}

// Random files and questions, against package scan, with any number of workers. The
// file grows between the questions.
func TestAgainstScan(t *testing.T) {
	seed := rand.Uint64()
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	for round := range 4 {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		oracle := scan.New(fileStore(path))
		var engines []*Engine
		for workers := 1; workers <= 3; workers++ {
			engines = append(engines, newEngine(fileStore(path), workers))
		}
		for range 3 {
			appendTo(t, path, g.file(g.IntN(4*BlockBytes)))
			for range 6 {
				sel := g.selector()
				want, cost := rows(t, oracle, sel)
				compareFolds(t, g, oracle, engines, sel, seed)
				for _, e := range engines {
					got, stats := rows(t, e, sel)
					if !slices.EqualFunc(got, want, same) {
						t.Fatalf("seed %d, round %d, %d workers, %+v: %d samples, want %d", seed, round, e.workers, sel, len(got), len(want))
					}
					if stats.BlocksSkipped == 0 && stats != cost || stats.Skipped != cost.Skipped || stats.Samples > cost.Samples {
						t.Fatalf("seed %d, round %d, %d workers, %+v: cost %+v, that of scan %+v", seed, round, e.workers, sel, stats, cost)
					}
				}
			}
		}
	}
}

// compareFolds asks all engines for aggregates of the same samples.
func compareFolds(t *testing.T, g generator, oracle query.Engine, engines []*Engine, sel query.Selector, seed uint64) {
	t.Helper()
	const list = "count,min,max,rate,p50,p99,p99.9,p100,p0.001,sum,avg,stddev"
	aggregates, err := query.ParseAggregates(list)
	if err != nil {
		t.Fatal(err)
	}
	r := query.AggregateRequest{Selector: sel, Aggregates: aggregates, MaxValues: 1 << 20}
	if g.IntN(2) == 0 {
		r.Step = 1 + g.Int64N(500)
	}
	r.FromOldest, r.ToNewest = sel.End == math.MaxInt64, sel.End == math.MaxInt64
	want, _, wantErr := r.Run(t.Context(), oracle)
	all, _ := rows(t, oracle, sel)
	var first []query.Window
	for _, e := range engines {
		got, _, err := r.Run(t.Context(), e)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !slices.EqualFunc(got, want, closeTo(aggregates, all)) {
			t.Fatalf("seed %d, %d workers, %+v:\ngot  %v, %v\nwant %v, %v", seed, e.workers, r, got, err, want, wantErr)
		}
		if first == nil {
			first = got
		}
		if !slices.EqualFunc(got, first, func(a, b query.Window) bool { return slices.EqualFunc(a.Figures, b.Figures, sameBits) }) {
			t.Fatalf("seed %d, %+v: with %d workers other bits than with 1:\n%v\n%v", seed, r, e.workers, got, first)
		}
	}
}

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// trillionth is 1e-12 of the magnitudes of the values in a window: of their sum itself when
// they have one sign.
func trillionth(samples []sample.Sample, w query.Window) (sum float64) {
	for _, s := range samples {
		if s.Timestamp >= w.Start && s.Timestamp <= w.End {
			sum += 1e-12 * math.Abs(s.Value)
		}
	}
	return sum
}

// closeTo compares windows: what depends on the samples alone to the bit; sums, which scan
// folds in another order, to 1e-12 of the magnitudes that were added.
func closeTo(aggregates []query.Aggregate, samples []sample.Sample) func(got, want query.Window) bool {
	return func(got, want query.Window) bool {
		if got.Start != want.Start || got.End != want.End {
			return false
		}
		largest := max(math.Abs(want.Figures[1]), math.Abs(want.Figures[2]))
		for i, a := range aggregates {
			x, y := got.Figures[i], want.Figures[i]
			if sameBits(x, y) {
				continue
			}
			tolerance := 0.0
			switch a.String() {
			case "sum":
				tolerance = trillionth(samples, want)
			case "avg":
				tolerance = trillionth(samples, want) / want.Figures[0]
			case "stddev":
				tolerance = 1e-12 * largest
				if largest > 1e150 && !(y <= math.MaxFloat64) && !(x <= math.MaxFloat64) {
					continue // its square is beyond a float, whichever way that shows
				}
			}
			if !(math.Abs(x-y) <= tolerance) {
				return false
			}
		}
		return true
	}
}

func appendTo(t *testing.T, path string, text []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
