package plot

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"strings"
)

// Sizes are in user units of a canvas that is 640 wide: on a phone of 360 px a
// unit is 0.56 px, and labels come out at 10 px.
const (
	canvasWidth = 640.0
	labelSize   = 18.0
	titleSize   = 21.0
	lineHeight  = 23.0
	edge        = 14.0
	// emWidth is a mean glyph's width in ems, taken from the widest of the usual sans
	// serifs; boldWidth the same for headings.
	emWidth   = 0.60
	boldWidth = 0.68
)

// Colors is the number of distinct series colours; the ones after them repeat.
const Colors = 8

// style styles the figures. All rules but the colours are bound to .plot, so that
// figures inside a page leave the page alone. At the narrowest, a page gets
// the full sizes of the canvas, for which labels are placed.
const style = `
:root{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--grid:#e3e7ec;--band:#8b949e33;--c0:#b8480a;--c1:#0a62c9;--c2:#187a35;--c3:#7a3fc2;--c4:#007380;--c5:#b3246b;--c6:#806000;--c7:#4a5a68}
@media screen and (prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e8ecf1;--dim:#a3adb9;--grid:#2a313a;--band:#8b949e44;--c0:#ff9d57;--c1:#6cb2ff;--c2:#5fd07f;--c3:#c3a0ff;--c4:#4fd0d8;--c5:#ff8fbf;--c6:#e3b84d;--c7:#b4c2cf}}
.plot text{font:18px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;fill:var(--fg);paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
.plot .title{font-size:21px;font-weight:600}.plot .dim{fill:var(--dim)}.plot .end{text-anchor:end}.plot .mid{text-anchor:middle}
@media (min-width:560px){.plot text{font-size:14px}.plot .title{font-size:18px}}
.plot .bg{fill:var(--bg)}.plot .grid{stroke:var(--grid);stroke-width:1}.plot .axis{stroke:var(--dim);stroke-width:1.2}
.plot .ref{stroke:var(--dim);stroke-width:1.5;stroke-dasharray:2 5}.plot .band{fill:var(--band)}
.plot .line{fill:none;stroke-width:2.5;stroke-linejoin:round}.plot .dash{stroke-dasharray:8 6}.plot .range{stroke-width:3}.plot .faint{opacity:.45}
.plot .sr{stroke:var(--dim)}.plot .fr{fill:var(--dim)}
`

// Style returns the style sheet that a page with inline figures needs once.
func Style() string {
	var b strings.Builder
	b.WriteString(style)
	for i := range Colors {
		fmt.Fprintf(&b, ".plot .s%d{stroke:var(--c%d)}.plot .f%d{fill:var(--c%d)}", i, i, i, i)
	}
	b.WriteString("\n")
	return b.String()
}

// Figure is a plot.
type Figure interface {
	// WriteTo writes an SVG document of its own.
	io.WriterTo
	// WriteInline writes an element for a page whose style sheet holds Style. The label
	// is for readers who do not see the plot.
	WriteInline(w io.Writer, label string) error
}

// canvas collects SVG elements; its height is known only at the end.
type canvas struct {
	body   bytes.Buffer
	title  string
	height float64
}

func (c *canvas) text(x, y float64, class, s string) {
	fmt.Fprintf(&c.body, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, html.EscapeString(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&c.body, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class)
}

func (c *canvas) rect(x, y, width, height float64, class string) {
	fmt.Fprintf(&c.body, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"/>\n", x, y, width, height, class)
}

func (c *canvas) dot(x, y, radius float64, class string) {
	fmt.Fprintf(&c.body, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" class=\"%s\"/>\n", x, y, radius, class)
}

func (c *canvas) polyline(points []position, class string) {
	c.body.WriteString(`<polyline points="`)
	for _, p := range points {
		fmt.Fprintf(&c.body, "%.1f,%.1f ", p.x, p.y)
	}
	fmt.Fprintf(&c.body, "\" class=\"%s\"/>\n", class)
}

// heading writes title and subtitle from the top and returns the y below them.
func (c *canvas) heading(title, subtitle string) float64 {
	c.title = title
	y := edge
	for _, line := range wrap(title, canvasWidth-2*edge, titleSize*boldWidth/emWidth) {
		y += titleSize + 4
		c.text(edge, y, "title", line)
	}
	for _, line := range wrap(subtitle, canvasWidth-2*edge, labelSize) {
		y += lineHeight
		c.text(edge, y, "dim", line)
	}
	return y + 10
}

// writeDocument writes the canvas as a file of its own.
func (c *canvas) writeDocument(w io.Writer) (int64, error) {
	var doc bytes.Buffer
	c.open(&doc, `xmlns="http://www.w3.org/2000/svg" `, c.title)
	fmt.Fprintf(&doc, "<title>%s</title><style>%s</style>\n", html.EscapeString(c.title), Style())
	c.close(&doc)
	return doc.WriteTo(w)
}

// writeInline writes the canvas as an element of an HTML page.
func (c *canvas) writeInline(w io.Writer, label string) error {
	var doc bytes.Buffer
	c.open(&doc, "", label)
	c.close(&doc)
	_, err := doc.WriteTo(w)
	return err
}

func (c *canvas) open(doc *bytes.Buffer, attributes, label string) {
	fmt.Fprintf(doc, "<svg %sclass=\"plot\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
		attributes, canvasWidth, c.height, html.EscapeString(label))
}

func (c *canvas) close(doc *bytes.Buffer) {
	fmt.Fprintf(doc, "<rect width=\"%.0f\" height=\"%.0f\" class=\"bg\"/>\n", canvasWidth, c.height)
	doc.Write(c.body.Bytes())
	doc.WriteString("</svg>\n")
}

type position struct{ x, y float64 }

// textWidth estimates a label's width at the size used on the narrowest page.
func textWidth(s string, size float64) float64 {
	return float64(len([]rune(s))) * size * emWidth
}

// wrap breaks s between words into lines no wider than width.
func wrap(s string, width, size float64) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && textWidth(longer, size) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// color returns the class suffix of the i-th series colour.
func color(i int) string { return fmt.Sprint(i % Colors) }
