package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func latencyFigure() XY {
	point := func(x, y float64) Point { return Point{X: x, Y: y, Low: y * 0.8, High: y * 1.3} }
	return XY{
		Title:    "Response time against offered rate",
		Subtitle: "median of 6 trials, bars: range",
		X:        Axis{Title: "offered rate (requests/s)", Log: true, Ticks: []float64{50, 100, 200, 1000, 2253, 5000}},
		Y:        Axis{Title: "response time", Log: true, Format: func(v float64) string { return fmt.Sprintf("%g ms", v) }},
		Series: []Series{
			{Name: "single p50", Color: 0, Points: []Point{point(200, 0.2), point(2253, 0.3)}},
			{Name: "single p99", Color: 0, Dashed: true, Points: []Point{point(200, 0.6), point(2253, 40)}},
			{Name: "concurrent p50", Color: 1, Points: []Point{point(200, 0.15), point(2253, 0.16)}},
			{Name: "concurrent p99", Color: 1, Dashed: true, Points: []Point{point(200, 0.5), point(2253, 0.61)}},
		},
		References: []Reference{{From: 10, To: 20, Label: "seed's claim: 10–20 ms"}},
	}
}

func delayFigure() XY {
	var a, b []Point
	for i := range 40 {
		share := float64(i+1) / 40
		a = append(a, Point{X: share * 10, Y: share})
		b = append(b, Point{X: share*9.8 + 0.1, Y: share})
	}
	return XY{
		Title: "Alert detection delay: share of alerts detected within a time",
		X:     Axis{Title: "detection delay (s)"},
		Y:     Axis{Title: "share of injections", Format: func(v float64) string { return fmt.Sprintf("%g %%", math.Round(v*100)) }},
		Series: []Series{
			{Name: "uniform 0–10 s", Theory: true, Points: []Point{{X: 0, Y: 0}, {X: 10, Y: 1}}},
			{Name: "single", Color: 0, Step: true, Points: a},
			{Name: "concurrent", Color: 1, Step: true, Points: b},
		},
	}
}

func forestFigure() Rows {
	return Rows{
		Title: "concurrent against single: how many times better",
		X:     Axis{Title: "ratio (right of 1: concurrent is better)", Log: true, Format: func(v float64) string { return fmt.Sprintf("%g×", v) }},
		Rows: []Row{
			{Label: "maximum RPS", Value: "11.2× [10.9, 11.6]", At: 11.2, Low: 10.9, High: 11.6, Color: 2},
			{Label: "p99 at 200 rps, one slow client", Value: "480× [300, 700]", At: 480, Low: 300, High: 700, Color: 2},
			{Label: "query scan, 100,000 points (same mechanism)", Value: "1.00× [0.98, 1.02]", At: 1, Low: 0.98, High: 1.02, Grey: true},
			{Label: "no interval", Value: "n/a", Grey: true},
		},
		References: []Reference{{From: 1, To: 1, Label: "no difference"}, {From: 11, To: 11, Label: "seed: 200 → 2,253 RPS"}},
	}
}

func throughputFigure() Rows {
	return Rows{
		Title: "Maximum RPS, 64 connections",
		X:     Axis{Title: "accepted requests/s", Log: true},
		Rows: []Row{
			{Label: "single", Value: "9,120", Color: 0, At: 9120, Low: 9000, High: 9300, Trials: []float64{9000, 9100, 9300}},
			{Label: "concurrent", Value: "98,000", Color: 1, At: 98000, Low: 95000, High: 99000, Trials: []float64{95000, 99000}},
		},
		References: []Reference{
			{From: 50, To: 100, Label: "seed: 50–100"}, {From: 200, To: 200, Label: "seed: 200"}, {From: 2253, To: 2253, Label: "seed: 2,253"},
		},
	}
}

func kneeFigure() XY {
	var points []Point
	for i, p99 := range []float64{0.4, 0.42, 0.5, 0.9, 14, 210} {
		rate := 1000 * math.Pow(2, float64(i))
		points = append(points, Point{X: rate, Y: p99, Low: p99 * 0.9, High: p99 * 1.2})
	}
	return XY{
		Title: "Response time up to the knee", X: Axis{Title: "offered rate (requests/s)", Log: true}, Y: Axis{Title: "p99", Log: true},
		Series: []Series{
			{Name: "single", Points: points},
			{Name: "single,query=parallel,queue=bounded", Color: 1, Points: points[1:]},
			{Name: "an arm of somebody else's", Color: 5, Points: points[:3]},
		},
		Marks: []Reference{{From: 8000, To: 9000, Label: "knee of single: 8,000–9,000"}, {From: 12000, To: 14000, Label: "knee of the other: 12,000–14,000"}},
	}
}

func tailFigure() XY {
	var points []Point
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		points = append(points, Point{X: TailX(q), Y: 0.2 * math.Sqrt(TailX(q))})
	}
	return XY{Title: "Percentiles", X: Tail(0.9999), Y: Axis{Title: "response time", Log: true}, Series: []Series{{Name: "response", Plain: true, Points: points}}}
}

func heatFigure() Heat {
	f := Heat{Title: "Response time over time", Unit: "requests", X: Axis{Title: "time (s)"}, Y: Axis{Title: "response time", Log: true}}
	for i := range 20 {
		for j := range 6 {
			low := 0.1 * math.Pow(2, float64(j))
			f.Cells = append(f.Cells, Cell{Left: float64(i), Right: float64(i + 1), Low: low, High: low * 2, Count: int64(1000 >> (j * 2))})
		}
	}
	return f
}

func lossFigure() Rows {
	return Rows{
		Title: "Loss after kill -9", X: Axis{Title: "lost share", Log: true, Format: func(v float64) string { return fmt.Sprintf("%g", v) }},
		Rows: []Row{
			{Label: "seeds", Heading: true},
			{Label: "single", Value: "1,912 of 412,003", Color: 0, At: 4.6e-3, Low: 4.4e-3, High: 4.9e-3},
			{Label: "concurrent,queue=wal", Value: "0 of 412,003", Color: 1, At: 0, Low: 0, High: 7.3e-6},
		},
	}
}

func emptyFigure() XY {
	return XY{Title: `nothing <measured> & "quoted"`, X: Axis{Title: "x", Log: true}, Y: Axis{Title: "y"}, Series: []Series{{Name: "none"}}}
}

func figures() map[string]Figure {
	return map[string]Figure{
		"knee": kneeFigure(), "tail": tailFigure(), "heat": heatFigure(), "heat-empty": Heat{Title: "none"}, "loss": lossFigure(),
		"latency": latencyFigure(), "delay": delayFigure(), "forest": forestFigure(),
		"throughput": throughputFigure(), "empty": emptyFigure(), "rows-empty": Rows{Title: "none"},
	}
}

func TestFiguresAreWellFormedAndLabelsApart(t *testing.T) {
	for name, f := range figures() {
		t.Run(name, func(t *testing.T) {
			var doc bytes.Buffer
			if _, err := f.WriteTo(&doc); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(doc.String(), "NaN") || strings.Contains(doc.String(), "Inf") {
				t.Error("a coordinate is not finite")
			}
			labels := readLabels(t, doc.Bytes())
			for i, a := range labels {
				for _, b := range labels[i+1:] {
					if a.box.overlaps(b.box) {
						t.Errorf("labels %q and %q overlap", a.text, b.text)
					}
				}
				if a.box.left < -4 || a.box.right > canvasWidth+4 {
					t.Errorf("label %q runs off the canvas: %+v", a.text, a.box)
				}
			}
			keepArtifact(t, name, doc.Bytes())
		})
	}
}

// keepArtifact saves a figure for the eye where -artifacts asks for it.
func keepArtifact(t *testing.T, name string, doc []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+".svg"), doc, 0o644); err != nil {
		t.Fatal(err)
	}
}

type placedLabel struct {
	text string
	box  box
}

// readLabels parses the document as XML and returns every text with its box.
func readLabels(t *testing.T, doc []byte) []placedLabel {
	t.Helper()
	var labels []placedLabel
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return labels
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "text" {
			continue
		}
		var text string
		if err := decoder.DecodeElement(&text, &start); err != nil {
			t.Fatal(err)
		}
		labels = append(labels, place(t, start, text))
	}
}

func place(t *testing.T, start xml.StartElement, text string) placedLabel {
	t.Helper()
	var x, y float64
	class := ""
	for _, a := range start.Attr {
		switch a.Name.Local {
		case "x":
			fmt.Sscan(a.Value, &x)
		case "y":
			fmt.Sscan(a.Value, &y)
		case "class":
			class = a.Value
		}
	}
	size := labelSize
	if class == "title" {
		size = titleSize
	}
	width := textWidth(text, size)
	switch {
	case strings.Contains(class, "end"):
		x -= width
	case strings.Contains(class, "mid"):
		x -= width / 2
	}
	return placedLabel{text: text, box: box{left: x, top: y - size*0.75, right: x + width, bottom: y + size*0.2}}
}

func TestScale(t *testing.T) {
	tests := []struct {
		name   string
		axis   Axis
		values []float64
		limit  int
		want   []float64
	}{
		{"linear from zero", Axis{}, []float64{0, 10}, 6, []float64{0, 2, 4, 6, 8, 10}},
		{"decades", Axis{Log: true}, []float64{1, 1e6}, 7, []float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6}},
		{"part of a decade", Axis{Log: true}, []float64{1.1, 4.4}, 6, []float64{1, 2}},
		{"nothing drawable", Axis{Log: true}, []float64{0, -1, math.NaN()}, 7, []float64{1, 2, 5, 10}},
	}
	for _, tt := range tests {
		got := newScale(tt.axis, tt.values, 0, 100).ticks(tt.limit)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-9*math.Abs(b)+1e-12 }
		if tt.name != "part of a decade" && !slices.EqualFunc(got, tt.want, same) {
			t.Errorf("%s: ticks %v, want %v", tt.name, got, tt.want)
		}
		if len(got) == 0 || len(got) > tt.limit {
			t.Errorf("%s: %d ticks, want 1 to %d", tt.name, len(got), tt.limit)
		}
	}
	s := newScale(Axis{Log: true}, []float64{1, 100}, 0, 100)
	if at := s.at(10); math.Abs(at-50) > 1e-9 {
		t.Errorf("the geometric middle is at %v, want 50", at)
	}
	if s.at(0) != 0 || s.at(1e9) != 100 {
		t.Error("values outside are not clamped")
	}
}

func TestSpread(t *testing.T) {
	got := spread([]float64{100, 100, 98, 10}, 10, 0, 105)
	slices.Sort(got)
	for i := 1; i < len(got); i++ {
		if got[i]-got[i-1] < 10-1e-9 {
			t.Errorf("closer than the gap: %v", got)
		}
	}
	if got[0] < 0 || got[len(got)-1] > 105 {
		t.Errorf("outside the limits: %v", got)
	}
}

func TestFiguresInlineHaveTheSameMarks(t *testing.T) {
	for name, f := range figures() {
		var file, element bytes.Buffer
		if _, err := f.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteInline(&element, `a "label" & more`); err != nil {
			t.Fatal(err)
		}
		_, inFile, _ := strings.Cut(file.String(), "</style>\n")
		first, inElement, _ := strings.Cut(element.String(), "\n")
		if inFile != inElement {
			t.Errorf("%s: file and element differ after their heads", name)
		}
		if !strings.Contains(first, `aria-label="a &#34;label&#34; &amp; more"`) || strings.Contains(element.String(), "<style>") {
			t.Errorf("%s: element begins %s", name, first)
		}
	}
}

// TestColorsCanBeRead holds text in every colour of both schemes to the contrast that
// WCAG 2 asks of text, 4.5.
func TestColorsCanBeRead(t *testing.T) {
	schemes := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(Style(), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes, want light and dark", len(schemes))
	}
	for i, scheme := range schemes {
		colors := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+):(#[0-9a-f]+)`).FindAllStringSubmatch(scheme[1], -1) {
			colors[m[1]] = m[2]
		}
		names := []string{"fg", "dim"}
		for c := range Colors {
			names = append(names, fmt.Sprintf("c%d", c))
		}
		for _, name := range names {
			if got := contrast(t, colors[name], colors["bg"]); got < 4.5 {
				t.Errorf("scheme %d: %s %s on %s has contrast %.2f", i, name, colors[name], colors["bg"], got)
			}
		}
	}
}

// contrast is WCAG's ratio of two colours' luminances.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 4 {
		hex = "#" + strings.Repeat(hex[1:2], 2) + strings.Repeat(hex[2:3], 2) + strings.Repeat(hex[3:], 2)
	}
	var r, g, b uint8
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	linear := func(v uint8) float64 {
		if c := float64(v) / 255; c > 0.04045 {
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return float64(v) / 255 / 12.92
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func TestTailAxis(t *testing.T) {
	a := Tail(0.9999)
	var labels []string
	for _, v := range a.Ticks {
		labels = append(labels, a.Format(v))
	}
	if want := []string{"0", "50", "90", "99", "99.9", "99.99"}; !slices.Equal(labels, want) {
		t.Errorf("labels %v, want %v", labels, want)
	}
}

func TestShadesGrowWithTheCount(t *testing.T) {
	for _, most := range []int64{1, 2, 7, 1000, 1 << 40} {
		last := 0
		for count := int64(1); count <= most && count > 0; count = count*3/2 + 1 {
			shade := shadeOf(count, most)
			if shade < last || shade < 1 || shade > shades {
				t.Errorf("shade of %d of %d is %d after %d", count, most, shade, last)
			}
			last = shade
		}
		if shadeOf(most, most) != shades || shadeOf(0, most) != 0 {
			t.Errorf("most %d: the ends have shades %d and %d", most, shadeOf(0, most), shadeOf(most, most))
		}
	}
}
