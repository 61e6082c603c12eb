package report

import (
	"bufio"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// point is a row as the plotter of the HdrHistogram project reads it: a line that
// does not begin with '#' and has four columns between blanks, the first and the
// last being numbers.
type point struct{ value, inverse float64 }

func plotted(text string) []point {
	var points []point
	for line := range strings.Lines(text) {
		columns := regexp.MustCompile(" +").Split(strings.TrimSpace(line), -1)
		if strings.HasPrefix(line, "#") || len(columns) != 4 {
			continue
		}
		value, err1 := strconv.ParseFloat(columns[0], 64)
		inverse, err2 := strconv.ParseFloat(columns[3], 64)
		// JavaScript's parseFloat knows no "inf".
		if err1 == nil && err2 == nil && !math.IsInf(inverse, 0) {
			points = append(points, point{value, inverse})
		}
	}
	return points
}

func response(t *testing.T, fill func(*record.Shard)) record.Distribution {
	t.Helper()
	rec := record.New(time.Hour, 1)
	fill(rec.Shard(0))
	var st record.Stream
	if err := rec.Fill(&st, 0); err != nil {
		t.Fatal(err)
	}
	return st.ResponseTime
}

func answers(ns ...int64) func(*record.Shard) {
	return func(s *record.Shard) {
		for _, v := range ns {
			s.Answered(record.Flight{}, v, 202)
		}
	}
}

func written(t *testing.T, title string, d record.Distribution) string {
	t.Helper()
	var b strings.Builder
	if err := WriteHDR(&b, title, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteHDR(t *testing.T) {
	golden(t, "response.hgrm", []byte(written(t, "response time", sample(t).ResponseTime)))
}

// The library's text is the model: the same rows and footer, with fewer digits.
func TestWriteHDRAgreesWithTheLibrary(t *testing.T) {
	var ns []int64
	for i := range int64(5000) {
		ns = append(ns, 50_000+i*i*7)
	}
	for name, d := range map[string]record.Distribution{
		"many": response(t, answers(ns...)), "one": response(t, answers(1e9)), "none": response(t, answers()),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := d.Histogram()
			if err != nil {
				t.Fatal(err)
			}
			var model strings.Builder
			if _, err := h.PercentilesPrint(&model, ticksPerHalf, 1e6); err != nil {
				t.Fatal(err)
			}
			got, want := numbers(t, written(t, "x", d)), numbers(t, model.String())
			if len(got) != len(want) {
				t.Fatalf("%d lines, want %d", len(got), len(want))
			}
			for i := range got {
				if !slices.EqualFunc(got[i], want[i], func(a, b float64) bool { return math.Abs(a-b) <= 0.0005 || a == b }) {
					t.Errorf("line %d: %v, want %v", i, got[i], want[i])
				}
			}
		})
	}
}

// numbers returns the rows' and the footer's numbers.
func numbers(t *testing.T, text string) [][]float64 {
	t.Helper()
	var out [][]float64
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		line := scan.Text()
		if line == "" || strings.HasPrefix(line, "# ") || strings.Contains(line, "Value") {
			continue
		}
		var row []float64
		for _, word := range regexp.MustCompile(`inf|[0-9.]+`).FindAllString(line, -1) {
			v, err := strconv.ParseFloat(word, 64)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, v)
		}
		out = append(out, row)
	}
	return out
}

func TestWriteHDRIsReadByThePlotter(t *testing.T) {
	d := response(t, func(s *record.Shard) {
		for i := range int64(997) {
			s.Answered(record.Flight{}, 61_234+i*1000, 202)
		}
		s.Answered(record.Flight{}, 2e12, 202) // half an hour, the widest number
		s.TimedOut(record.Flight{}, 5e9)
	})
	text := written(t, "response time\nof a run", d)
	if !strings.HasPrefix(text, "# response time of a run, in milliseconds\n# 998 observations; 1 of 999 are missing") {
		t.Errorf("begins with %q", text[:100])
	}
	points := plotted(text)
	if len(points) < 20 {
		t.Fatalf("%d points", len(points))
	}
	for i, p := range points[1:] {
		if p.value < points[i].value || p.inverse < points[i].inverse {
			t.Errorf("row %d: %v after %v", i+1, p, points[i])
		}
	}
	if first := points[0]; math.Abs(first.value-0.061234) > 0.0001 || first.inverse != 1 {
		t.Errorf("first row %v, want 0.0612 ms", first)
	}
	rows := regexp.MustCompile(`(?m)^ +[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9.]+|inf)$`).FindAllString(text, -1)
	if len(rows) != len(points)+1 || !strings.HasSuffix(rows[len(rows)-1], " inf") {
		t.Errorf("%d rows with a blank in front for %d points, the last %q", len(rows), len(points), rows[len(rows)-1])
	}
}

func TestWriteHDRSaysWhatOverflowed(t *testing.T) {
	text := written(t, "x", response(t, answers(int64(2*time.Hour))))
	if !strings.Contains(text, "\n# 1 are longer than the histogram reaches") {
		t.Error(text)
	}
}

func TestWriteHDRErrors(t *testing.T) {
	if err := WriteHDR(&strings.Builder{}, "x", record.Distribution{HDR: "?"}); err == nil {
		t.Error("no error for a broken histogram")
	}
	if err := WriteHDR(full{}, "x", response(t, answers(1))); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

var errFull = errors.New("full")

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
