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

// colors is the number of distinct series colours in style.
const colors = 4

const style = `
svg{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--grid:#e3e7ec;--band:#8b949e33;--c0:#c4500c;--c1:#0a62c9;--c2:#187a35;--c3:#7a3fc2}
@media (prefers-color-scheme:dark){svg{--bg:#0f1318;--fg:#e8ecf1;--dim:#a3adb9;--grid:#2a313a;--band:#8b949e44;--c0:#ff9d57;--c1:#6cb2ff;--c2:#5fd07f;--c3:#c3a0ff}}
text{font:18px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;fill:var(--fg);paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
.title{font-size:21px;font-weight:600}.dim{fill:var(--dim)}.end{text-anchor:end}.mid{text-anchor:middle}
@media (min-width:560px){text{font-size:14px}.title{font-size:18px}}
.bg{fill:var(--bg)}.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--dim);stroke-width:1.2}
.ref{stroke:var(--dim);stroke-width:1.5;stroke-dasharray:2 5}.band{fill:var(--band)}
.line{fill:none;stroke-width:2.5;stroke-linejoin:round}.dash{stroke-dasharray:8 6}.range{stroke-width:3}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.sr{stroke:var(--dim)}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.fr{fill:var(--dim)}.faint{opacity:.45}
`

// canvas collects SVG elements; its height is known only at the end.
type canvas struct {
	body bytes.Buffer
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

// writeTo writes the finished document.
func (c *canvas) writeTo(w io.Writer, height float64, title string) (int64, error) {
	var doc bytes.Buffer
	fmt.Fprintf(&doc, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", canvasWidth, height, html.EscapeString(title))
	fmt.Fprintf(&doc, "<title>%s</title><style>%s</style>\n", html.EscapeString(title), style)
	fmt.Fprintf(&doc, "<rect width=\"%.0f\" height=\"%.0f\" class=\"bg\"/>\n", canvasWidth, height)
	doc.Write(c.body.Bytes())
	doc.WriteString("</svg>\n")
	return doc.WriteTo(w)
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
func color(i int) string { return fmt.Sprint(i % colors) }
