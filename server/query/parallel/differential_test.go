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
	s := sample.Sample{Name: g.name(), Value: g.value(), Timestamp: g.time(i)}
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
	}
	return line
}

// file writes lines up to about size bytes; now and then a very long one.
func (g generator) file(size int) []byte {
	var text []byte
	for i := 0; len(text) < size; i++ {
		if g.IntN(4000) == 0 {
			n := query.MaxLineBytes + g.IntN(3) - 1
			if g.IntN(2) == 0 {
				n = g.IntN(3 * query.MaxLineBytes)
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

func (g generator) selector() query.Selector {
	sel := query.Selector{Name: g.name(), End: math.MaxInt64}
	if g.IntN(4) > 0 {
		sel.Start = g.Int64N(6000)
		sel.End = sel.Start + g.Int64N(3000)
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
	for round := range 6 {
		path := filepath.Join(t.TempDir(), "m.jsonl")
		oracle := scan.New(fileStore(path))
		var engines []*Engine
		for workers := 1; workers <= 3; workers++ {
			engines = append(engines, newEngine(fileStore(path), workers))
		}
		for range 3 {
			appendTo(t, path, g.file(g.IntN(5*BlockBytes)))
			for range 6 {
				sel := g.selector()
				want, cost := rows(t, oracle, sel)
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
