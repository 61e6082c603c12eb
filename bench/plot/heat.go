package plot

import (
	"fmt"
	"io"
	"math"
)

// Heat is a map of counts over two numeric axes: the more, the stronger the colour.
type Heat struct {
	Title    string
	Subtitle string
	X, Y     Axis
	// Color chooses one of the colours.
	Color int
	Cells []Cell
	// Unit names what is counted, for the legend: "requests".
	Unit string
}

// Cell is a rectangle between two values of each axis.
type Cell struct {
	Left, Right float64 // on the x axis
	Low, High   float64 // on the y axis
	Count       int64
}

// shades is how many steps of darkness a map has: more cannot be told apart.
const shades = 8

// WriteTo writes the plot as an SVG document.
func (f Heat) WriteTo(w io.Writer) (int64, error) { return f.draw().writeDocument(w) }

// WriteInline writes the plot as an element of a page.
func (f Heat) WriteInline(w io.Writer, label string) error { return f.draw().writeInline(w, label) }

func (f Heat) draw() *canvas {
	c := &canvas{}
	top := c.heading(f.Title, f.Subtitle)
	frame := XY{X: f.X, Y: f.Y, Series: []Series{{Points: f.corners()}}}
	p := frame.layout(top)
	p.right = canvasWidth - edge - 10
	p.x.to = p.right
	c.text(edge, p.top-12, "dim", f.Y.Title)
	frame.drawGrid(c, p)
	most := f.most()
	for shade := 1; shade <= shades; shade++ {
		f.drawShade(c, p, shade, most)
	}
	bottom := p.bottom + tickRoom + 2*lineHeight
	c.text((p.left+p.right)/2, bottom, "dim mid", f.X.Title)
	bottom = f.drawLegend(c, bottom+lineHeight+12, most)
	c.height = bottom + edge
	return c
}

// corners are points that make the axes cover all cells.
func (f Heat) corners() []Point {
	var all []Point
	for _, cell := range f.Cells {
		all = append(all, Point{X: cell.Left, Y: cell.Low}, Point{X: cell.Right, Y: cell.High})
	}
	return all
}

func (f Heat) most() int64 {
	most := int64(0)
	for _, cell := range f.Cells {
		most = max(most, cell.Count)
	}
	return most
}

// shadeOf grades a count on a logarithmic scale, so that the few slow requests
// are seen beside the many quick ones; 0 is for none.
func shadeOf(count, most int64) int {
	switch {
	case count <= 0:
		return 0
	case most <= 1:
		return shades
	}
	share := math.Log(float64(count)) / math.Log(float64(most))
	return 1 + int(math.Round(share*(shades-1)))
}

// leastOf is the smallest count with a shade.
func leastOf(shade int, most int64) int64 {
	share := (float64(shade-1) - 0.5) / (shades - 1)
	return max(1, int64(math.Ceil(math.Pow(float64(most), share))))
}

func opacity(shade int) float64 { return 0.1 + 0.9*float64(shade)/shades }

// drawShade draws all cells of one shade as one path, which is a third of the size
// of single rectangles.
func (f Heat) drawShade(c *canvas, p panel, shade int, most int64) {
	drawn := false
	for _, cell := range f.Cells {
		if shadeOf(cell.Count, most) != shade {
			continue
		}
		if !drawn {
			c.body.WriteString(`<path d="`)
			drawn = true
		}
		left, right, top, bottom := p.x.at(cell.Left), p.x.at(cell.Right), p.y.at(cell.High), p.y.at(cell.Low)
		fmt.Fprintf(&c.body, "M%.1f %.1fH%.1fV%.1fH%.1fz", left, top, right, bottom, left)
	}
	if drawn {
		fmt.Fprintf(&c.body, "\" class=\"f%s\" fill-opacity=\"%.2f\"/>\n", color(f.Color), opacity(shade))
	}
}

// drawLegend shows the shades with the counts at both ends.
func (f Heat) drawLegend(c *canvas, y float64, most int64) float64 {
	if most == 0 {
		c.text(edge, y, "dim", "nothing was counted")
		return y
	}
	const side = 22.0
	label := fmt.Sprintf("%s: 1", f.Unit)
	c.text(edge, y, "dim", label)
	x := edge + textWidth(label, labelSize) + 10
	for shade := 1; shade <= shades; shade++ {
		if leastOf(shade, most) > most {
			break
		}
		fmt.Fprintf(&c.body, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"f%s\" fill-opacity=\"%.2f\"/>\n",
			x, y-16, side, 18.0, color(f.Color), opacity(shade))
		x += side
	}
	c.text(x+10, y, "dim", fmt.Sprint(most))
	return y
}
