package plot

import "io"

// XY is a plot of series over two numeric axes.
type XY struct {
	Title    string
	Subtitle string
	X, Y     Axis
	Series   []Series
	// References are stretches of the y axis to compare with, Marks of the x axis.
	References []Reference
	Marks      []Reference
}

// Series is a line through points, labelled at its right end or, where names are
// long, under the plot.
type Series struct {
	Name string
	// Color chooses one of the colours; series of one colour are told apart by
	// Dashed.
	Color  int
	Dashed bool
	// Plain draws the line without marks, for many points.
	Plain bool
	// Theory draws a thin grey line without marks.
	Theory bool
	// Step draws the line as a staircase, as for a distribution function.
	Step   bool
	Points []Point
}

// Point is one value with the interval of its measured coordinate. An interval
// with Low equal to High is not drawn.
type Point struct {
	X, Y      float64
	Low, High float64
}

// Reference is a line (From equal to To) or band across a plot with its label.
type Reference struct {
	From, To float64
	Label    string
}

const (
	xyHeight  = 300.0
	markSize  = 5.0
	swatch    = 20.0
	tickRoom  = 8.0
	maxXTicks = 7
	maxYTicks = 6
	// widestName is how much of the width names beside the plot may take.
	widestName = canvasWidth / 4
)

// WriteTo writes the plot as an SVG document.
func (f XY) WriteTo(w io.Writer) (int64, error) { return f.draw().writeDocument(w) }

// WriteInline writes the plot as an element of a page.
func (f XY) WriteInline(w io.Writer, label string) error { return f.draw().writeInline(w, label) }

func (f XY) draw() *canvas {
	c := &canvas{}
	top := c.heading(f.Title, f.Subtitle)
	p := f.layout(top)
	c.text(edge, p.top-12-p.markRoom, "dim", f.Y.Title)
	f.drawMarks(c, p)
	f.drawReferences(c, p)
	f.drawGrid(c, p)
	for i, s := range f.Series {
		p.drawSeries(c, s, f.shift(i))
	}
	f.drawReferenceLabels(c, p)
	bottom := p.bottom + tickRoom + 2*lineHeight
	c.text((p.left+p.right)/2, bottom, "dim mid", f.X.Title)
	if p.beside {
		f.drawNames(c, p)
	} else {
		bottom = f.drawLegend(c, bottom+8)
	}
	c.height = bottom + edge
	return c
}

// panel is the plotting area with its two scales.
type panel struct {
	left, right, top, bottom float64
	x, y                     scale
	yTicks                   []float64
	beside                   bool    // names are beside the plot, not under it
	markRoom                 float64 // taken above it by the labels of marks
	markRows                 []int
	markCentres              []float64
}

// layout finds the area that tick labels on the left, names on the right and
// labels of marks above leave free.
func (f XY) layout(top float64) panel {
	xs, ys := f.extent()
	names := 0.0
	for _, s := range f.Series {
		names = max(names, textWidth(s.Name, labelSize))
	}
	p := panel{top: top + lineHeight + 8, right: canvasWidth - edge - 10, beside: names <= widestName}
	if p.beside {
		p.right -= names + swatch
	}
	p.bottom = p.top + xyHeight
	p.y = newScale(f.Y, ys, p.bottom, p.top)
	p.yTicks = p.y.axisTicks(f.Y, maxYTicks)
	widest := 0.0
	for _, v := range p.yTicks {
		widest = max(widest, textWidth(f.Y.format(v), labelSize))
	}
	p.left = edge + widest + tickRoom
	p.x = newScale(f.X, xs, p.left, p.right)
	f.placeMarks(&p)
	return p
}

// extent lists all that the axes must show.
func (f XY) extent() (xs, ys []float64) {
	for _, s := range f.Series {
		for _, pt := range s.Points {
			xs, ys = append(xs, pt.X), append(ys, pt.Y)
			if pt.Low != pt.High {
				ys = append(ys, pt.Low, pt.High)
			}
		}
	}
	for _, r := range f.References {
		ys = append(ys, r.From, r.To)
	}
	for _, r := range f.Marks {
		xs = append(xs, r.From, r.To)
	}
	return xs, ys
}

// placeMarks finds the rows above the panel for the labels of marks, and moves the
// panel down to make room.
func (f XY) placeMarks(p *panel) {
	if len(f.Marks) == 0 {
		return
	}
	labels, centres := make([]string, len(f.Marks)), make([]float64, len(f.Marks))
	for i, r := range f.Marks {
		labels[i], centres[i] = r.Label, (p.x.at(r.From)+p.x.at(r.To))/2
	}
	rows := 0
	p.markRows, p.markCentres, rows = stagger(labels, centres, edge, canvasWidth-edge)
	p.markRoom = float64(rows) * lineHeight
	p.top += p.markRoom
	p.bottom += p.markRoom
	p.y.from, p.y.to = p.bottom, p.top
}

func (f XY) drawMarks(c *canvas, p panel) {
	for i, r := range f.Marks {
		drawVertical(c, p.x, r, p.top, p.bottom)
		c.text(p.markCentres[i], p.top-float64(p.markRows[i])*lineHeight-6, "dim mid", r.Label)
	}
}

func (f XY) drawGrid(c *canvas, p panel) {
	for _, v := range p.yTicks {
		y := p.y.at(v)
		c.line(p.left, y, p.right, y, "grid")
		c.text(p.left-tickRoom, y+6, "dim end", f.Y.format(v))
	}
	c.line(p.left, p.bottom, p.right, p.bottom, "axis")
	drawXTicks(c, f.X, p.x, p.x.axisTicks(f.X, maxXTicks), p.bottom)
}

// drawXTicks writes tick labels under an axis and leaves out a label that would
// touch the one before it.
func drawXTicks(c *canvas, a Axis, s scale, ticks []float64, y float64) {
	free := 0.0
	for _, v := range ticks {
		x, label := s.at(v), a.format(v)
		half := textWidth(label, labelSize) / 2
		c.line(x, y, x, y+5, "axis")
		centre := max(half+2, min(x, canvasWidth-half-2))
		if centre-half < free {
			continue
		}
		free = centre + half + 8
		c.text(centre, y+tickRoom+lineHeight-5, "dim mid", label)
	}
}

// shift moves series with intervals a little apart, so that those at one x stay
// visible side by side.
func (f XY) shift(i int) float64 {
	if s := f.Series[i]; s.Theory || s.Step || s.Plain {
		return 0
	}
	return (float64(i) - float64(len(f.Series)-1)/2) * min(markSize, 4*markSize/float64(len(f.Series)))
}

// classes returns the style of a series' text and marks, and that of its line.
func (s Series) classes() (class, line string) {
	class = color(s.Color)
	if s.Theory {
		class = "r"
	}
	line = "line s" + class
	if s.Dashed {
		line += " dash"
	}
	return class, line
}

func (p panel) drawSeries(c *canvas, s Series, shift float64) {
	class, line := s.classes()
	c.polyline(p.path(s, shift), line)
	if s.Theory || s.Step || s.Plain {
		return
	}
	for _, pt := range s.Points {
		x, y := p.x.at(pt.X)+shift, p.y.at(pt.Y)
		if pt.Low != pt.High {
			c.line(x, p.y.at(pt.Low), x, p.y.at(pt.High), "range s"+class)
		}
		c.dot(x, y, markSize, "f"+class)
	}
}

func (p panel) path(s Series, shift float64) []position {
	var path []position
	for i, pt := range s.Points {
		at := position{p.x.at(pt.X) + shift, p.y.at(pt.Y)}
		if s.Step && i > 0 {
			path = append(path, position{at.x, path[len(path)-1].y})
		}
		path = append(path, at)
	}
	return path
}

// drawNames labels every series at the height of its last point, moved apart
// where ends meet, each with a swatch of its line.
func (f XY) drawNames(c *canvas, p panel) {
	var wanted []float64
	for _, s := range f.Series {
		at := p.bottom
		if n := len(s.Points); n > 0 {
			at = p.y.at(s.Points[n-1].Y)
		}
		wanted = append(wanted, at)
	}
	for i, y := range spread(wanted, lineHeight, p.top, p.bottom) {
		s := f.Series[i]
		class, line := s.classes()
		c.line(p.right+6, y, p.right+6+swatch, y, line)
		c.text(p.right+swatch+11, y+6, "f"+class, s.Name)
	}
}

// drawLegend lists the series below y, as many in a line as fit, and returns the
// last baseline.
func (f XY) drawLegend(c *canvas, y float64) float64 {
	x := canvasWidth // full: the first name begins a line
	for _, s := range f.Series {
		class, line := s.classes()
		width := swatch + 8 + textWidth(s.Name, labelSize) + 18
		if x+width > canvasWidth-edge {
			x, y = edge, y+lineHeight
		}
		c.line(x, y-6, x+swatch, y-6, line)
		c.text(x+swatch+8, y, "f"+class, s.Name)
		x += width
	}
	return y
}

func (f XY) drawReferences(c *canvas, p panel) {
	for _, r := range f.References {
		from, to := p.y.at(r.From), p.y.at(r.To)
		if r.From == r.To {
			c.line(p.left, from, p.right, from, "ref")
			continue
		}
		c.rect(p.left, to, p.right-p.left, from-to, "band")
	}
}

// drawReferenceLabels puts each label on its line where the fewest points are.
func (f XY) drawReferenceLabels(c *canvas, p panel) {
	taken := f.markBoxes(p)
	for _, r := range f.References {
		candidates := p.referencePositions(r)
		at := clearest(candidates, r.Label, taken)
		taken = append(taken, textBox(at.x, at.y, r.Label))
		c.text(at.x, at.y, "dim", r.Label)
	}
}

// referencePositions lists where a reference's label may stand, above or below its
// line: inside the panel where there is room, so that it does not meet the axis'
// titles.
func (p panel) referencePositions(r Reference) []position {
	above, below := p.y.at(max(r.From, r.To))-6, p.y.at(min(r.From, r.To))+labelSize+2
	heights := []float64{above, below}
	switch {
	case above-labelSize < p.top:
		heights = []float64{below}
	case below > p.bottom:
		heights = []float64{above}
	}
	width := textWidth(r.Label, labelSize)
	var candidates []position
	for _, y := range heights {
		for _, x := range []float64{p.left + 8, (p.left + p.right - width) / 2, p.right - width - 8} {
			candidates = append(candidates, position{x, y})
		}
	}
	return candidates
}

// markBoxes lists what reference labels should keep clear of: the marks, and the
// lines between them in short stretches.
func (f XY) markBoxes(p panel) []box {
	var boxes []box
	for i, s := range f.Series {
		path := p.path(s, f.shift(i))
		for i, at := range path {
			boxes = append(boxes, box{at.x - markSize, at.y - markSize, at.x + markSize, at.y + markSize})
			if i == 0 {
				continue
			}
			const stretches = 12
			from := path[i-1]
			for k := 1; k < stretches; k++ {
				t := float64(k) / stretches
				x, y := from.x+t*(at.x-from.x), from.y+t*(at.y-from.y)
				boxes = append(boxes, box{x - 1, y - 1, x + 1, y + 1})
			}
		}
	}
	return boxes
}
